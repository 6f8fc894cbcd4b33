//! Tests of two transfers of the same document to different recipients. Both transfers use the same
//! copy of the document in the exchange bucket.

use docferry_system_tests::{LONG_TIMEOUT, MIB, SHORT_TIMEOUT, Sandbox, eventually};
use serde_json::json;

/// Creates a second recipient and returns its email address.
async fn create_second_recipient(sandbox: &Sandbox) -> String {
    // The address does not contain the first recipient's address, so that the bandwidth limit of
    // the first recipient does not match it.
    let email = format!("{}-second@docferry.example", sandbox.tag);
    sandbox.graph.put_user(&email, &[]).await;
    email
}

#[tokio::test]
async fn concurrent_transfers_of_one_document_are_both_delivered() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document_with(2 * MIB, &[("moverDelayMs", "100")]).await;
    let second_email = create_second_recipient(&sandbox).await;
    let (first_id, second_id) =
        tokio::join!(sandbox.send_to(&sandbox.email), sandbox.send_to(&second_email));
    assert_ne!(first_id, second_id);

    for (id, email) in [(&first_id, &sandbox.email), (&second_id, &second_email)] {
        let status = sandbox.wait_for_end(SHORT_TIMEOUT, id).await;
        assert_eq!((status.error, status.percent_transfered), (false, 100), "{status:?}");
        assert_eq!(sandbox.only_file_of(email).await.sha256, document.sha256);
    }

    for id in [&first_id, &second_id] {
        assert_eq!(sandbox.cloud.wait_for_execution(id).await, "SUCCEEDED");
    }
    sandbox.assert_no_leftovers(&first_id).await;
}

#[tokio::test]
async fn ended_transfer_keeps_a_source_copy_that_another_transfer_uses() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document_with(40 * MIB, &[("moverDelayMs", "100")]).await;
    let quick_email = create_second_recipient(&sandbox).await;
    let slow_bandwidth = json!({ "match": sandbox.email, "totalBytesPerSecond": 2 * MIB });
    sandbox.graph.simulator.shape(&slow_bandwidth).await;

    let slow_id = sandbox.send().await;
    eventually("bytes of the slow transfer arrive", SHORT_TIMEOUT, async || {
        let sessions = sandbox.graph.sessions(&sandbox.email).await;
        sessions.first().filter(|session| session.received_bytes > 0).map(drop)
    })
    .await;
    let quick_id = sandbox.send_to(&quick_email).await;
    let status = sandbox.wait_for_end(SHORT_TIMEOUT, &quick_id).await;
    assert_eq!(status.percent_transfered, 100, "{status:?}");
    assert_eq!(sandbox.only_file_of(&quick_email).await.sha256, document.sha256);
    assert_eq!(sandbox.cloud.wait_for_execution(&quick_id).await, "SUCCEEDED");
    assert!(!sandbox.api.status(&slow_id).await.has_ended(), "the slow transfer has already ended");

    let object = sandbox.cloud.exchange_object_size(&sandbox.file_name).await;
    assert!(object.is_some(), "the source copy was deleted too early");

    sandbox.wait_for_delivery(LONG_TIMEOUT, &slow_id, &document).await;
}

//! Tests of two recipients of the same document.

use docferry_system_tests::{LONG_TIMEOUT, MIB, SHORT_TIMEOUT, Sandbox, eventually};
use serde_json::json;

async fn another_user(sandbox: &Sandbox) -> String {
    // Does not contain the first address, so that rules for that address do not match it.
    let email = format!("{}-second@docferry.example", sandbox.tag);
    sandbox.graph.put_user(&email, &[]).await;
    email
}

#[tokio::test]
async fn concurrent_transfers_of_one_document_are_both_delivered() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document_with(2 * MIB, &[("moverDelayMs", "100")]).await;
    let second = another_user(&sandbox).await;
    let ids = tokio::join!(sandbox.send_to(&sandbox.email), sandbox.send_to(&second));
    assert_ne!(ids.0, ids.1);

    for (id, email) in [(&ids.0, &sandbox.email), (&ids.1, &second)] {
        let status = sandbox.wait_for_end(SHORT_TIMEOUT, id).await;
        assert_eq!((status.error, status.percent_transfered), (false, 100), "{status:?}");
        assert_eq!(sandbox.only_file_of(email).await.sha256, document.sha256);
    }

    for id in [&ids.0, &ids.1] {
        assert_eq!(sandbox.cloud.wait_for_execution(id).await, "SUCCEEDED");
    }
    sandbox.assert_no_leftovers(&ids.0).await;
}

#[tokio::test]
async fn first_transfer_to_end_keeps_a_shared_source_copy() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document_with(40 * MIB, &[("moverDelayMs", "100")]).await;
    let quick = another_user(&sandbox).await;
    let slow = json!({ "match": sandbox.email, "totalBytesPerSecond": 2 * MIB });
    sandbox.graph.0.shape(&slow).await;

    let slow_id = sandbox.send().await;
    eventually("bytes of the slow transfer arrive", SHORT_TIMEOUT, async || {
        let sessions = sandbox.graph.sessions(&sandbox.email).await;
        sessions.first().filter(|session| session.received_bytes > 0).map(drop)
    })
    .await;
    let quick_id = sandbox.send_to(&quick).await;
    let status = sandbox.wait_for_end(SHORT_TIMEOUT, &quick_id).await;
    assert_eq!(status.percent_transfered, 100, "{status:?}");
    assert_eq!(sandbox.only_file_of(&quick).await.sha256, document.sha256);
    assert_eq!(sandbox.cloud.wait_for_execution(&quick_id).await, "SUCCEEDED");
    assert!(!sandbox.api.status(&slow_id).await.has_ended(), "the slow transfer has already ended");

    let object = sandbox.cloud.exchange_object_size(&sandbox.file_name).await;
    assert!(object.is_some(), "the source copy was deleted too early");

    sandbox.wait_for_delivery(LONG_TIMEOUT, &slow_id, &document).await;
}

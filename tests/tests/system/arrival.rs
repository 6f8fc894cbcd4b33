//! Tests of the arrival of documents in the exchange bucket: late, partial, old and wrong objects.

use docferry_system_tests::{FailureCode, LONG_TIMEOUT, SHORT_TIMEOUT, Sandbox, eventually};
use serde_json::json;

#[tokio::test]
async fn document_that_first_arrives_partially_is_delivered_complete() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(2_000_000).await;
    let partial_move = json!({ "operation": "move", "storeFraction": 0.5, "delayMs": 4000 });
    sandbox.source_faults([partial_move]).await;
    let id = sandbox.send().await;
    // The test is meaningful only if docferry could see the partial object.
    let partial_size = eventually("the partial object arrives", SHORT_TIMEOUT, async || {
        sandbox.cloud.exchange_object_size(&sandbox.file_name).await
    });
    assert_eq!(partial_size.await, 1_000_000);

    let file = sandbox.wait_for_delivery(SHORT_TIMEOUT, &id, &document).await;
    assert_eq!((file.versions, file.received_bytes), (1, document.size));
    assert!(sandbox.cloud.history(&id).await.entered("WaitForArrival") >= 1);
}

#[tokio::test]
async fn transfer_without_arrival_ends_at_the_arrival_deadline() {
    let sandbox = Sandbox::new().await;
    sandbox.document(1000).await;
    sandbox.source_faults([json!({ "operation": "move", "never": true })]).await;
    let (id, status) =
        sandbox.assert_fails_cleanly(FailureCode::ArrivalTimeout, LONG_TIMEOUT).await;
    assert_eq!(status.percent_transfered, 10, "the document was pushed");

    // Regression: the old service polled without a pause.
    let history = sandbox.cloud.history(&id).await;
    // The workflow pauses after each poll except the last one, after which the transfer fails.
    let polls = history.outputs("Poll");
    let pauses: Vec<_> = polls.iter().filter_map(|poll| poll["waitSeconds"].as_u64()).collect();
    assert!(pauses.iter().all(|pause| (1..=30).contains(pause)), "{pauses:?}");
    assert!(pauses.iter().max() > pauses.first(), "the pause grows: {pauses:?}");
    assert_eq!(history.entered("WaitForArrival"), pauses.len());
    assert_eq!(polls.len(), pauses.len() + 1);
    assert_eq!(history.entered("Upload"), 0);
}

#[tokio::test]
async fn object_older_than_the_push_is_not_delivered() {
    let sandbox = Sandbox::new().await;
    sandbox.document(1000).await;
    sandbox.source_faults([json!({ "operation": "move", "never": true, "count": 100 })]).await;
    // The object has the key and the size of the document. Only its age differs.
    let written_at = sandbox.cloud.put_exchange_object(&sandbox.file_name, vec![0; 1000]).await;
    eventually("the store's clock has advanced", SHORT_TIMEOUT, async || {
        let probe_written_at =
            sandbox.cloud.put_exchange_object(&format!("{}-clock", sandbox.tag), vec![0]).await;
        (probe_written_at > written_at).then_some(())
    })
    .await;
    sandbox.send_and_expect_failure(FailureCode::ArrivalTimeout, LONG_TIMEOUT).await;
    assert!(sandbox.graph.files(&sandbox.email).await.is_empty());
    // The object does not belong to the transfer, so it is not deleted.
    assert!(sandbox.cloud.exchange_object_size(&sandbox.file_name).await.is_some());
}

#[tokio::test]
async fn document_of_unexpected_size_is_not_delivered() {
    let sandbox = Sandbox::new().await;
    sandbox.document_with(1000, &[("sizeval", "1001")]).await;
    let (_, status) =
        sandbox.assert_fails_cleanly(FailureCode::SourceSizeMismatch, LONG_TIMEOUT).await;
    assert_eq!(status.percent_transfered, 10);
    assert!(sandbox.graph.files(&sandbox.email).await.is_empty());
}

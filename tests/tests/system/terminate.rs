//! Tests of requests that cancel transfers (`POST /document/terminate`), and of documents that arrive
//! after the end of their transfer.

use docferry_system_tests::{FailureCode, MIB, SHORT_TIMEOUT, Sandbox, Status, eventually};
use reqwest::{Method, StatusCode};
use serde_json::json;

/// Requests the cancellation of transfers. The request must be accepted.
async fn terminate(sandbox: &Sandbox, ids: &[&str]) {
    let body = json!({ "transferIds": ids }).to_string();
    let response =
        sandbox.api.request(Method::POST, "/document/terminate", Some(body.as_str())).await;
    assert_eq!(response.status, StatusCode::ACCEPTED, "{}", response.text);
    assert_eq!(response.json(), json!({ "response": "success" }));
}

/// Fails unless the transfer was canceled.
fn assert_terminated(status: &Status) {
    assert!(status.error && status.percent_transfered < 100, "{status:?}");
    assert_eq!(status.last_error_message.as_deref(), Some("Terminated by request"));
}

#[tokio::test]
async fn terminated_upload_stops_and_leaves_no_temporary_data() {
    let sandbox = Sandbox::new().await;
    sandbox.document(40 * MIB).await;
    sandbox.limit_bandwidth(2 * MIB).await;
    let id = sandbox.send().await;
    eventually("bytes are acknowledged", SHORT_TIMEOUT, async || {
        Some(sandbox.api.status(&id).await).filter(|status| status.percent_transfered > 10)
    })
    .await;
    terminate(&sandbox, &["0".repeat(32).as_str(), "nonsense", &id]).await;
    let status = sandbox.wait_for_end(SHORT_TIMEOUT, &id).await;
    assert_terminated(&status);
    assert!(sandbox.graph.files(&sandbox.email).await.is_empty());
    sandbox.assert_no_leftovers(&id).await;
    assert!(sandbox.open_sessions().await.is_empty());
}

#[tokio::test]
async fn transfer_terminated_while_waiting_stops_and_stays_visible() {
    let sandbox = Sandbox::new().await;
    sandbox.document_with(MIB, &[("moverDelayMs", "8000")]).await;
    let id = sandbox.send().await;
    eventually("the document is pushed", SHORT_TIMEOUT, async || {
        Some(sandbox.api.status(&id).await).filter(|status| status.percent_transfered == 10)
    })
    .await;
    terminate(&sandbox, &[&id]).await;
    assert_terminated(&sandbox.wait_for_end(SHORT_TIMEOUT, &id).await);
    assert!(sandbox.graph.files(&sandbox.email).await.is_empty());
}

#[tokio::test]
async fn delivered_document_stays_after_terminate() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(MIB).await;
    let (id, _) = sandbox.deliver(&document).await;
    terminate(&sandbox, &[&id]).await;
    let status = sandbox.api.status(&id).await;
    assert_eq!((status.error, status.percent_transfered), (false, 100), "{status:?}");
}

/// The mover copies the document after its transfer has failed, and the sweeper removes the copy.
#[tokio::test]
async fn late_document_of_an_ended_transfer_is_removed() {
    let sandbox = Sandbox::new().await;
    sandbox.document_with(MIB, &[("moverDelayMs", "50000")]).await;
    sandbox.assert_fails_cleanly(FailureCode::ArrivalTimeout, SHORT_TIMEOUT).await;
    eventually("the document arrives late", SHORT_TIMEOUT, async || {
        sandbox.cloud.exchange_object_size(&sandbox.file_name).await.map(drop)
    })
    .await;
    sandbox.wait_for_removal().await;
    assert!(sandbox.cloud.references(&sandbox.file_name).await.is_empty());
}

//! Tests that an interrupted upload is resumed.

use docferry_system_tests::{DeliveredFile, Document, LONG_TIMEOUT, MIB, Sandbox};
use serde_json::{Value, json};

/// Size of two full fragments and a smaller third one.
const THREE_FRAGMENTS: u64 = 25 * MIB;

/// Delivers a document despite a fault. Returns the document, the file, and the total size
/// of the fragments that got an error response. That size is not a constant, because a
/// fragment is smaller when little time is left for it.
async fn delivered_despite(fault: Value) -> (Document, DeliveredFile, u64) {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(THREE_FRAGMENTS).await;
    sandbox.graph_faults([fault]).await;
    let id = sandbox.send().await;
    let file = sandbox.wait_for_delivery(LONG_TIMEOUT, &id, &document).await;
    sandbox.assert_faults_fired().await;
    assert_eq!(file.versions, 1, "one visible file per transfer");
    let requests = sandbox.graph.0.requests(&sandbox.tag).await;
    let refused = requests.iter().filter(|request| {
        request.operation == "fragment" && request.status.is_some_and(|status| status >= 400)
    });
    (document, file, refused.map(|request| request.bytes).sum())
}

#[tokio::test]
async fn stored_fragment_with_lost_response_is_not_resent() {
    let fault = json!({ "operation": "fragment", "position": 2, "dropResponse": true });
    let (document, file, _) = delivered_despite(fault).await;
    assert_eq!((file.sessions, file.received_bytes), (1, document.size));
}

#[tokio::test]
async fn fragment_that_failed_with_500_is_resent() {
    let fault = json!({ "operation": "fragment", "position": 2, "status": 500 });
    let (document, file, refused) = delivered_despite(fault).await;
    assert_eq!((file.sessions, file.received_bytes), (1, document.size + refused));
}

#[tokio::test]
async fn stored_fragment_with_500_response_is_not_resent() {
    let fault =
        json!({ "operation": "fragment", "position": 2, "status": 500, "storeFraction": 1 });
    let (document, file, _) = delivered_despite(fault).await;
    assert_eq!((file.sessions, file.received_bytes), (1, document.size));
}

#[tokio::test]
async fn upload_resumes_at_the_lower_server_offset_after_416() {
    let fault =
        json!({ "operation": "fragment", "position": 2, "status": 416, "code": "invalidRange" });
    let (document, file, refused) = delivered_despite(fault).await;
    assert_eq!((file.sessions, file.received_bytes), (1, document.size + refused));
}

#[tokio::test]
async fn upload_resumes_at_the_higher_server_offset_after_416() {
    let fault = json!({
        "operation": "fragment", "position": 2, "status": 416, "code": "invalidRange",
        "storeFraction": 0.3,
    });
    let (document, file, refused) = delivered_despite(fault).await;
    assert_eq!(file.sessions, 1);
    let resent = file.received_bytes - document.size;
    assert_eq!(resent, refused - refused * 3 / 10, "only the bytes that were not stored");
}

#[tokio::test]
async fn session_that_expires_midway_is_replaced() {
    let fault = json!({ "operation": "fragment", "position": 2, "expireSession": true });
    let (document, file, _) = delivered_despite(fault).await;
    assert_eq!(file.sessions, 2);
    assert!(file.received_bytes <= document.size + 20 * MIB, "{file:?}");
}

#[tokio::test]
async fn complete_file_with_lost_last_response_is_not_resent() {
    let fault = json!({ "operation": "lastFragment", "dropResponse": true });
    let (document, file, _) = delivered_despite(fault).await;
    assert_eq!((file.sessions, file.received_bytes), (1, document.size));
}

#[tokio::test]
async fn last_response_without_item_is_resolved_by_lookup() {
    let (document, file, _) =
        delivered_despite(json!({ "operation": "lastFragment", "noItem": true })).await;
    assert_eq!(file.received_bytes, document.size);
}

#[tokio::test]
async fn late_hash_of_the_file_is_awaited() {
    let (document, file, _) =
        delivered_despite(json!({ "operation": "lastFragment", "noHash": true })).await;
    assert_eq!(file.received_bytes, document.size);
}

/// 300 MB at 12 MiB/s take 24 s. An invocation has 10 s, including a margin of 3 s.
#[tokio::test]
async fn upload_that_outlasts_its_function_is_resumed() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(300_000_000).await;
    sandbox.limit_bandwidth(12 * MIB).await;
    let id = sandbox.send().await;
    let file = sandbox.wait_for_delivery(LONG_TIMEOUT, &id, &document).await;
    let history = sandbox.cloud.history(&id).await;
    assert!(history.entered("Upload") >= 3, "{:?}", history.states());
    assert_eq!((file.sessions, file.versions), (1, 1));

    // Normally an invocation ends between two fragments. If it has to interrupt one, the
    // next invocation sends that fragment again.
    let handovers = history.entered("Upload") as u64 - 1;
    let resent = file.received_bytes - document.size;
    assert!(resent <= handovers * file.largest_fragment, "{resent} bytes sent again");
}

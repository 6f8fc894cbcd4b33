//! Tests of interrupted uploads to OneDrive: an upload resumes at the offset of its upload session,
//! and sends stored bytes only once. A fragment is one request of an upload.

use docferry_system_tests::{DeliveredFile, Document, LONG_TIMEOUT, MIB, Sandbox};
use serde_json::{Value, json};

/// Size of two full fragments of 10 MiB and a smaller third one.
const THREE_FRAGMENTS: u64 = 25 * MIB;

/// A delivery during which a fault occurred.
struct InterruptedDelivery {
    document: Document,
    file: DeliveredFile,
    /// Total size in bytes of the fragments that got an error response. The size varies, because
    /// docferry sends smaller fragments when an invocation has little time left.
    refused_bytes: u64,
}

/// Delivers a document of [`THREE_FRAGMENTS`] bytes while a fault occurs.
async fn deliver_despite(fault: Value) -> InterruptedDelivery {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(THREE_FRAGMENTS).await;
    sandbox.graph_faults([fault]).await;
    let id = sandbox.send().await;
    let file = sandbox.wait_for_delivery(LONG_TIMEOUT, &id, &document).await;
    sandbox.assert_faults_fired().await;
    assert_eq!(file.versions, 1, "one visible file per transfer");
    let requests = sandbox.graph.simulator.requests(&sandbox.tag).await;
    let refused_fragments = requests.iter().filter(|request| {
        request.operation == "fragment" && request.status.is_some_and(|status| status >= 400)
    });
    let refused_bytes = refused_fragments.map(|request| request.bytes).sum();
    InterruptedDelivery { document, file, refused_bytes }
}

#[tokio::test]
async fn stored_fragment_with_lost_response_is_not_resent() {
    let fault = json!({ "operation": "fragment", "position": 2, "dropResponse": true });
    let InterruptedDelivery { document, file, .. } = deliver_despite(fault).await;
    assert_eq!((file.sessions, file.received_bytes), (1, document.size));
}

#[tokio::test]
async fn fragment_that_failed_with_500_is_resent() {
    let fault = json!({ "operation": "fragment", "position": 2, "status": 500 });
    let InterruptedDelivery { document, file, refused_bytes } = deliver_despite(fault).await;
    assert_eq!((file.sessions, file.received_bytes), (1, document.size + refused_bytes));
}

#[tokio::test]
async fn stored_fragment_with_500_response_is_not_resent() {
    let fault =
        json!({ "operation": "fragment", "position": 2, "status": 500, "storeFraction": 1 });
    let InterruptedDelivery { document, file, .. } = deliver_despite(fault).await;
    assert_eq!((file.sessions, file.received_bytes), (1, document.size));
}

#[tokio::test]
async fn upload_resumes_at_the_lower_server_offset_after_416() {
    let fault =
        json!({ "operation": "fragment", "position": 2, "status": 416, "code": "invalidRange" });
    let InterruptedDelivery { document, file, refused_bytes } = deliver_despite(fault).await;
    assert_eq!((file.sessions, file.received_bytes), (1, document.size + refused_bytes));
}

#[tokio::test]
async fn upload_resumes_at_the_higher_server_offset_after_416() {
    let fault = json!({
        "operation": "fragment", "position": 2, "status": 416, "code": "invalidRange",
        "storeFraction": 0.3,
    });
    let InterruptedDelivery { document, file, refused_bytes } = deliver_despite(fault).await;
    assert_eq!(file.sessions, 1);
    let resent = file.received_bytes - document.size;
    let refused_and_not_stored = refused_bytes - refused_bytes * 3 / 10;
    assert_eq!(resent, refused_and_not_stored);
}

#[tokio::test]
async fn session_that_expires_midway_is_replaced() {
    let fault = json!({ "operation": "fragment", "position": 2, "expireSession": true });
    let InterruptedDelivery { document, file, .. } = deliver_despite(fault).await;
    assert_eq!(file.sessions, 2);
    // At most the two full fragments of the first session are sent again.
    assert!(file.received_bytes <= document.size + 20 * MIB, "{file:?}");
}

#[tokio::test]
async fn complete_file_with_lost_last_response_is_not_resent() {
    let fault = json!({ "operation": "lastFragment", "dropResponse": true });
    let InterruptedDelivery { document, file, .. } = deliver_despite(fault).await;
    assert_eq!((file.sessions, file.received_bytes), (1, document.size));
}

#[tokio::test]
async fn file_is_looked_up_when_the_last_response_has_no_item() {
    let fault = json!({ "operation": "lastFragment", "noItem": true });
    let InterruptedDelivery { document, file, .. } = deliver_despite(fault).await;
    assert_eq!(file.received_bytes, document.size);
}

#[tokio::test]
async fn upload_waits_for_a_hash_that_graph_reports_late() {
    let fault = json!({ "operation": "lastFragment", "noHash": true });
    let InterruptedDelivery { document, file, .. } = deliver_despite(fault).await;
    assert_eq!(file.received_bytes, document.size);
}

/// The upload of 300 MB at 12 MiB/s takes 24 s. An invocation of the function in the test stack has
/// 10 s, of which the last 3 s are reserved. So the upload needs at least three invocations.
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

    // An invocation normally ends between two fragments. If it has to interrupt a fragment, the
    // next invocation sends that fragment again.
    let handovers = history.entered("Upload") as u64 - 1;
    let resent = file.received_bytes - document.size;
    assert!(resent <= handovers * file.largest_fragment, "{resent} bytes sent again");
}

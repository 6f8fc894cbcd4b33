//! Tests of transfers whose document source (ORDS) has faults. A push is the request that asks ORDS
//! for a document; after a push the mover copies the document to the exchange bucket.

use docferry_system_tests::{FailureCode, SHORT_TIMEOUT, Sandbox};
use serde_json::json;

/// Value of `count` in a fault rule that fires without limit.
const UNLIMITED: u32 = 0;

#[tokio::test]
async fn slow_push_response_within_the_timeout_is_accepted() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(1000).await;
    sandbox.source_faults([json!({ "operation": "push", "delayMs": 1500 })]).await;
    sandbox.deliver(&document).await;
    sandbox.assert_faults_fired().await;
    assert_eq!(sandbox.ords.document(&sandbox.guid).await.pushes, 1);
}

/// ORDS carries out the first push after the timeout, so the second push writes the same file again.
#[tokio::test]
async fn push_is_retried_after_a_timeout() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(1000).await;
    sandbox.source_faults([json!({ "operation": "push", "delayMs": 8000 })]).await;
    sandbox.deliver(&document).await;
    sandbox.assert_faults_fired().await;
    assert_eq!(sandbox.ords.document(&sandbox.guid).await.pushes, 2);
}

/// Graph is slow in this test. So the file of the second push arrives before the file of the first
/// push is delivered. The sweeper would remove a file that arrives after the end of the transfer.
#[tokio::test]
async fn push_with_lost_response_is_repeated_and_delivered_once() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(1000).await;
    sandbox.source_faults([json!({ "operation": "push", "dropResponse": true })]).await;
    sandbox.graph_faults([json!({ "operation": "simplePut", "delayMs": 3000 })]).await;
    let (_, file) = sandbox.deliver(&document).await;
    sandbox.assert_faults_fired().await;
    assert_eq!(file.versions, 1);
    assert_eq!(sandbox.ords.document(&sandbox.guid).await.moves, 2);
}

#[tokio::test]
async fn push_is_retried_after_two_503_responses() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(1000).await;
    sandbox.source_faults([json!({ "operation": "push", "status": 503, "count": 2 })]).await;
    let (id, _) = sandbox.deliver(&document).await;
    let requests = sandbox.ords.simulator.requests(&sandbox.guid).await;
    let pushes = requests.iter().filter(|request| request.operation == "push");
    let statuses: Vec<_> = pushes.map(|request| request.status).collect();
    assert_eq!(statuses, [503, 503, 200].map(Some));
    assert_eq!(sandbox.cloud.history(&id).await.entered("Push"), 1, "retries of one state");
}

#[tokio::test]
async fn error_page_with_200_is_not_accepted_as_push_response() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(1000).await;
    sandbox.source_faults([html_page_fault(1)]).await;
    sandbox.deliver(&document).await;
    sandbox.assert_faults_fired().await;
}

#[tokio::test]
async fn persistent_error_pages_fail_with_source_invalid_answer() {
    let sandbox = Sandbox::new().await;
    sandbox.document(1000).await;
    sandbox.source_faults([html_page_fault(UNLIMITED)]).await;
    let (_, status) =
        sandbox.assert_fails_cleanly(FailureCode::SourceInvalidAnswer, SHORT_TIMEOUT).await;
    assert_eq!((status.percent_transfered, status.file_name), (0, None));
    assert_eq!(
        sandbox.ords.simulator.fired_counts(&sandbox.tag).await,
        [3],
        "a push is tried as often as `StepTries` allows"
    );
}

/// Returns a rule by which `count` pushes get an HTML page with status 200 as the response.
fn html_page_fault(count: u32) -> serde_json::Value {
    let body = "<html><body><h1>502 Bad Gateway</h1></body></html>";
    let content_type = "text/html; charset=utf-8";
    json!({ "operation": "push", "status": 200, "body": body, "contentType": content_type, "count": count })
}

#[tokio::test]
async fn unknown_guid_fails_immediately_with_source_not_found() {
    let sandbox = Sandbox::new().await;
    let (id, status) =
        sandbox.assert_fails_cleanly(FailureCode::SourceNotFound, SHORT_TIMEOUT).await;
    assert_eq!(status.percent_transfered, 0);
    assert_eq!(sandbox.cloud.history(&id).await.states(), ["Push", "Finalize"]);
    let record = sandbox.cloud.record(&id).await.unwrap();
    assert_eq!(record["phase"].as_s().unwrap(), "failed");
    assert!(record.contains_key("expiresAt"));
}

#[tokio::test]
async fn error_text_with_200_fails_with_source_refused() {
    let sandbox = Sandbox::new().await;
    sandbox.document_with(1000, &[("mode", "error-text")]).await;
    sandbox.assert_fails_cleanly(FailureCode::SourceRefused, SHORT_TIMEOUT).await;
}

#[tokio::test]
async fn document_without_a_name_fails_with_source_name_invalid() {
    let sandbox = Sandbox::new().await;
    sandbox.document(1000).await;
    sandbox.source_faults([json!({ "operation": "push", "filename": "" })]).await;
    // The mover copies the document nevertheless, under a name that docferry does not know.
    let id = sandbox.send().await;
    let status = sandbox.wait_for_end(SHORT_TIMEOUT, &id).await;
    let expected = FailureCode::SourceNameInvalid.message();
    assert_eq!(status.last_error_message.as_deref(), Some(expected));
    assert!(sandbox.graph.files(&sandbox.email).await.is_empty());
}

#[tokio::test]
async fn name_with_a_path_is_delivered_under_its_last_segment() {
    let mut sandbox = Sandbox::new().await;
    let name = std::mem::take(&mut sandbox.file_name);
    let key = format!("../out box/{name}");
    sandbox.file_name = key.clone();
    let document = sandbox.document(1000).await;
    let id = sandbox.send().await;
    sandbox.wait_for_end(SHORT_TIMEOUT, &id).await;
    let file = sandbox.only_file_of(&sandbox.email).await;
    assert_eq!((file.path, file.sha256), (sandbox.path_of(&name), document.sha256));
    assert_eq!(sandbox.api.status(&id).await.file_name, Some(name));
    sandbox.assert_no_leftovers(&id).await;
}

/// Regression: a quote in a name broke the old service's calls.
#[tokio::test]
async fn name_with_quotes_is_adapted_for_onedrive() {
    let mut sandbox = Sandbox::new().await;
    sandbox.file_name = format!("He said \"{}\"?.pdf", sandbox.tag);
    let document = sandbox.document(1000).await;
    let id = sandbox.send().await;
    sandbox.wait_for_end(SHORT_TIMEOUT, &id).await;
    let file = sandbox.only_file_of(&sandbox.email).await;
    let adapted = format!("He said _{}__.pdf", sandbox.tag);
    assert_eq!((file.path, file.sha256), (sandbox.path_of(&adapted), document.sha256));
    sandbox.assert_no_leftovers(&id).await;
}

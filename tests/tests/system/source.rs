//! Tests of faults of the document source (ORDS).

use docferry_system_tests::{FailureCode, SHORT, Sandbox};
use serde_json::json;

#[tokio::test]
async fn a_source_that_answers_late_but_in_time_is_waited_for() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(1000).await;
    sandbox.source_faults([json!({ "operation": "push", "delayMs": 1500 })]).await;
    sandbox.deliver(&document).await;
    sandbox.assert_faults_fired().await;
    assert_eq!(sandbox.ords.document(&sandbox.guid).await.pushes, 1);
}

/// The first push took effect, so the second push writes the same file again.
#[tokio::test]
async fn a_source_that_answers_too_late_is_asked_again() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(1000).await;
    sandbox.source_faults([json!({ "operation": "push", "delayMs": 8000 })]).await;
    sandbox.deliver(&document).await;
    sandbox.assert_faults_fired().await;
    assert_eq!(sandbox.ords.document(&sandbox.guid).await.pushes, 2);
}

/// Graph is slow here, so that the file of the second push arrives before the first one is
/// delivered. A file that arrives after the end of the transfer is removed by the sweeper.
#[tokio::test]
async fn a_push_whose_answer_was_lost_is_repeated_and_delivered_once() {
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
async fn a_source_that_answers_503_twice_is_asked_a_third_time() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(1000).await;
    sandbox.source_faults([json!({ "operation": "push", "status": 503, "count": 2 })]).await;
    let (id, _) = sandbox.deliver(&document).await;
    let pushes = sandbox.ords.0.requests(&sandbox.guid).await;
    let pushes: Vec<_> = pushes.iter().filter(|r| r.operation == "push").collect();
    assert_eq!(pushes.iter().map(|r| r.status).collect::<Vec<_>>(), [503, 503, 200].map(Some));
    assert_eq!(sandbox.cloud.history(&id).await.entered("Push"), 1, "retries of one state");
}

#[tokio::test]
async fn an_error_page_with_200_is_not_taken_for_an_answer() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(1000).await;
    sandbox.source_faults([html(1)]).await;
    sandbox.deliver(&document).await;
    sandbox.assert_faults_fired().await;
}

#[tokio::test]
async fn error_pages_for_ever_end_as_an_answer_that_could_not_be_read() {
    let sandbox = Sandbox::new().await;
    sandbox.document(1000).await;
    sandbox.source_faults([html(0)]).await;
    let (_, status) = sandbox.fails_with(FailureCode::SourceInvalidAnswer, SHORT).await;
    assert_eq!((status.percent_transfered, status.file_name), (0, None));
    assert_eq!(sandbox.ords.0.fired(&sandbox.tag).await, [3], "StepTries by default");
}

fn html(count: u32) -> serde_json::Value {
    let body = "<html><body><h1>502 Bad Gateway</h1></body></html>";
    let content_type = "text/html; charset=utf-8";
    json!({ "operation": "push", "status": 200, "body": body, "contentType": content_type, "count": count })
}

#[tokio::test]
async fn an_unknown_guid_fails_at_once_and_says_so() {
    let sandbox = Sandbox::new().await;
    let (id, status) = sandbox.fails_with(FailureCode::SourceNotFound, SHORT).await;
    assert_eq!(status.percent_transfered, 0);
    assert_eq!(sandbox.cloud.history(&id).await.states(), ["Push", "Finalize"]);
    let record = sandbox.cloud.record(&id).await.unwrap();
    assert_eq!(record["phase"].as_s().unwrap(), "failed");
    assert!(record.contains_key("expiresAt"));
}

#[tokio::test]
async fn an_error_text_with_200_is_a_refusal() {
    let sandbox = Sandbox::new().await;
    sandbox.document_with(1000, &[("mode", "error-text")]).await;
    sandbox.fails_with(FailureCode::SourceRefused, SHORT).await;
}

#[tokio::test]
async fn a_document_without_a_name_is_refused_with_words_about_the_name() {
    let sandbox = Sandbox::new().await;
    sandbox.document(1000).await;
    sandbox.source_faults([json!({ "operation": "push", "filename": "" })]).await;
    // The mover brings the document anyway, under a name that the service does not know.
    let id = sandbox.send().await;
    let status = sandbox.end_within(SHORT, &id).await;
    let expected = FailureCode::SourceNameInvalid.message();
    assert_eq!(status.last_error_message.as_deref(), Some(expected));
    assert!(sandbox.graph.files(&sandbox.email).await.is_empty());
}

#[tokio::test]
async fn a_name_that_carries_a_path_is_delivered_under_its_last_part() {
    let mut sandbox = Sandbox::new().await;
    let name = std::mem::take(&mut sandbox.file_name);
    let key = format!("../out box/{name}");
    sandbox.file_name = key.clone();
    let document = sandbox.document(1000).await;
    let id = sandbox.send().await;
    sandbox.end_within(SHORT, &id).await;
    let file = sandbox.the_file_of(&sandbox.email).await;
    assert_eq!((file.path, file.sha256), (sandbox.path_of(&name), document.sha256));
    assert_eq!(sandbox.api.status(&id).await.file_name, Some(name));
    sandbox.nothing_is_left(&id).await;
}

/// Regression: a quote in a name broke the old service's calls.
#[tokio::test]
async fn a_name_with_quotes_is_delivered_under_a_name_that_onedrive_takes() {
    let mut sandbox = Sandbox::new().await;
    sandbox.file_name = format!("He said \"{}\"?.pdf", sandbox.tag);
    let document = sandbox.document(1000).await;
    let id = sandbox.send().await;
    sandbox.end_within(SHORT, &id).await;
    let file = sandbox.the_file_of(&sandbox.email).await;
    let adapted = format!("He said _{}__.pdf", sandbox.tag);
    assert_eq!((file.path, file.sha256), (sandbox.path_of(&adapted), document.sha256));
    sandbox.nothing_is_left(&id).await;
}

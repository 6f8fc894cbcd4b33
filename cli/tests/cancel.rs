//! Tests of `docferry cancel` for transfers. They run the real binary against a mock of the
//! service and check its output and exit code. (`jobs.rs` tests the command for jobs.)
#![allow(clippy::unwrap_used, reason = "test helpers")]

mod support;

use serde_json::{Value, json};
use support::{
    PASSWORD, USERNAME, api_url, assert_exit_code, failed_transfer_status, json_lines,
    problem_response, run_docferry, serve_transfer_status, stdout, transfer_status,
    transfer_status_responses, unreachable_address,
};
use wiremock::matchers::{basic_auth, method, path};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

/// Matches a cancel request of the service account.
fn cancel_request() -> MockBuilder {
    Mock::given(method("POST"))
        .and(path(format!("{}/document/terminate", support::STAGE)))
        .and(basic_auth(USERNAME, PASSWORD))
}

/// Accepts all cancel requests.
async fn accept_cancel_requests(server: &MockServer) {
    let success = ResponseTemplate::new(202).set_body_json(json!({"response": "success"}));
    cancel_request().respond_with(success).mount(server).await;
}

/// Sends this response to the first cancel request and accepts all further ones.
async fn accept_cancel_requests_after(server: &MockServer, first_response: ResponseTemplate) {
    cancel_request().respond_with(first_response).up_to_n_times(1).mount(server).await;
    accept_cancel_requests(server).await;
}

/// Returns the list of transfer ids in each cancel request that the service received.
async fn ids_by_request(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    let posts = requests.iter().filter(|request| request.method.as_str() == "POST");
    posts.map(|request| request.body_json::<Value>().unwrap()["transferIds"].clone()).collect()
}

/// Returns a successful response with this status document.
fn json_response(status: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(status)
}

/// Returns the status of a transfer that was stopped on request. The service reports it as a
/// failure with a fixed message.
fn canceled_transfer_response() -> ResponseTemplate {
    json_response(failed_transfer_status(40, "Terminated by request"))
}

/// Message of a failure that has nothing to do with a cancel request.
const DRIVE_FULL: &str = "The recipient's OneDrive is full.";

#[tokio::test]
async fn cancel_of_several_transfers_sends_one_request_and_reports_each_state() {
    let server = MockServer::start().await;
    accept_cancel_requests(&server).await;
    serve_transfer_status(&server, "runs", transfer_status_responses(&[40])).await;
    serve_transfer_status(&server, "done", transfer_status_responses(&[100])).await;
    serve_transfer_status(&server, "canceled", vec![canceled_transfer_response()]).await;

    let output =
        run_docferry(&api_url(&server), PASSWORD, &["cancel", "runs", "done", "canceled"]).await;

    assert_eq!(
        stdout(&output),
        "runs  cancel requested; a document that is already complete stays\n\
         done  already completed; the document stays\n\
         canceled  stopped on request\n"
    );
    assert_exit_code(&output, 0);
    assert_eq!(ids_by_request(&server).await, [json!(["runs", "done", "canceled"])]);
}

#[tokio::test]
async fn cancel_with_watch_exits_0_for_a_stopped_transfer() {
    let server = MockServer::start().await;
    accept_cancel_requests(&server).await;
    serve_transfer_status(
        &server,
        "t1",
        vec![
            json_response(transfer_status(40)),
            json_response(transfer_status(40)),
            canceled_transfer_response(),
        ],
    )
    .await;

    let output = run_docferry(&api_url(&server), PASSWORD, &["cancel", "t1", "--watch"]).await;

    assert_exit_code(&output, 0);
    let shown = stdout(&output);
    assert!(shown.contains("cancel requested") && shown.contains("stopped on request"), "{shown}");
}

#[tokio::test]
async fn cancel_with_watch_exits_0_when_the_document_was_delivered_before_the_cancel() {
    let server = MockServer::start().await;
    accept_cancel_requests(&server).await;
    serve_transfer_status(&server, "t1", transfer_status_responses(&[99, 100])).await;

    let output =
        run_docferry(&api_url(&server), PASSWORD, &["--json", "cancel", "t1", "--watch"]).await;

    assert_exit_code(&output, 0);
    let expected = [json!({"transferId": "t1", "outcome": "asked"}), transfer_status(100)];
    assert_eq!(json_lines(&output), expected);
}

#[tokio::test]
async fn cancel_exits_2_for_a_transfer_that_failed_for_another_reason() {
    let server = MockServer::start().await;
    accept_cancel_requests(&server).await;
    let running = || json_response(transfer_status(40));
    let failed = || json_response(failed_transfer_status(40, DRIVE_FULL));
    serve_transfer_status(&server, "failed-before", vec![failed()]).await;
    serve_transfer_status(&server, "failed-after", vec![running(), failed()]).await;

    for args in [&["cancel", "failed-before"][..], &["cancel", "failed-after", "--watch"]] {
        let output = run_docferry(&api_url(&server), PASSWORD, args).await;

        assert_exit_code(&output, 2);
        assert!(stdout(&output).contains(DRIVE_FULL), "{}", stdout(&output));
    }
}

#[tokio::test]
async fn cancel_with_watch_exits_3_when_the_transfer_runs_beyond_the_timeout() {
    let server = MockServer::start().await;
    accept_cancel_requests(&server).await;
    serve_transfer_status(&server, "t1", transfer_status_responses(&[40])).await;

    let args = ["cancel", "t1", "--watch", "--timeout", "1"];
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;

    assert_exit_code(&output, 3);
}

#[tokio::test]
async fn cancel_exits_1_for_an_unknown_id_and_still_cancels_the_next_transfer() {
    let server = MockServer::start().await;
    accept_cancel_requests(&server).await;
    serve_transfer_status(&server, "t1", transfer_status_responses(&[40])).await;

    let output =
        run_docferry(&api_url(&server), PASSWORD, &["--json", "cancel", "unknown", "t1"]).await;

    assert_exit_code(&output, 1);
    let lines = json_lines(&output);
    assert_eq!(lines[0]["transferId"], "unknown");
    assert!(lines[0]["problem"].is_object(), "{lines:?}");
    assert_eq!(lines[1], json!({"transferId": "t1", "outcome": "asked"}));
}

/// A cancel request is idempotent, so it is retried after a transient failure.
#[tokio::test]
async fn cancel_is_retried_after_a_503() {
    let server = MockServer::start().await;
    accept_cancel_requests_after(&server, ResponseTemplate::new(503)).await;
    serve_transfer_status(&server, "t1", transfer_status_responses(&[40])).await;

    let output = run_docferry(&api_url(&server), PASSWORD, &["cancel", "t1"]).await;

    assert_exit_code(&output, 0);
    assert_eq!(ids_by_request(&server).await.len(), 2);
}

#[tokio::test]
async fn cancel_exits_4_without_a_retry_when_credentials_are_refused() {
    let server = MockServer::start().await;
    let unauthorized = problem_response(401, &json!({"title": "Unauthorized"}));
    accept_cancel_requests_after(&server, unauthorized).await;

    let output = run_docferry(&api_url(&server), PASSWORD, &["cancel", "t1"]).await;

    assert_exit_code(&output, 4);
    assert_eq!(ids_by_request(&server).await.len(), 1);
}

#[tokio::test]
async fn cancel_exits_5_when_the_service_is_unreachable() {
    let output =
        run_docferry(&unreachable_address(), PASSWORD, &["cancel", "t1", "--retries", "0"]).await;

    assert_exit_code(&output, 5);
}

#[tokio::test]
async fn cancel_exits_1_for_a_response_that_violates_the_contract() {
    let server = MockServer::start().await;
    let undocumented = ResponseTemplate::new(200).set_body_json(json!({"response": "maybe"}));
    accept_cancel_requests_after(&server, undocumented).await;

    let output = run_docferry(&api_url(&server), PASSWORD, &["cancel", "t1"]).await;

    assert_exit_code(&output, 1);
}

#[tokio::test]
async fn cancel_of_101_transfers_sends_requests_of_at_most_100_ids() {
    let server = MockServer::start().await;
    accept_cancel_requests(&server).await;
    let ids: Vec<String> = (0..101).map(|number| format!("t{number}")).collect();
    for id in &ids {
        serve_transfer_status(&server, id, transfer_status_responses(&[100])).await;
    }

    let args: Vec<&str> = ["cancel"].into_iter().chain(ids.iter().map(String::as_str)).collect();
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;

    assert_exit_code(&output, 0);
    let ids_by_request = ids_by_request(&server).await;
    let id_counts: Vec<_> =
        ids_by_request.iter().map(|ids| ids.as_array().unwrap().len()).collect();
    assert_eq!(id_counts, [100, 1]);
}

#[tokio::test]
async fn cancel_help_explains_that_delivered_documents_stay() {
    let output = run_docferry("http://localhost/", PASSWORD, &["cancel", "--help"]).await;
    let help = stdout(&output);
    for part in ["A document that is already complete stays", "Exit codes:"] {
        assert!(help.contains(part), "{help}");
    }
}

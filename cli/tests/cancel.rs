//! Tests of `docferry cancel`, run as people and scripts run it.
#![allow(clippy::unwrap_used, reason = "test helpers")]

mod support;

use serde_json::{Value, json};
use support::{
    PASSWORD, USERNAME, api_url, assert_exit_code, failed_transfer_status, json_lines,
    problem_response, run_docferry, serve_transfer_status, stdout, transfer_status,
    transfer_status_responses, unreachable_address,
};
use wiremock::matchers::{basic_auth, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Accepts cancel requests; the first one gets the response `first`, if any.
async fn accept_cancel_requests(server: &MockServer, first: Option<ResponseTemplate>) {
    let terminate = || {
        Mock::given(method("POST"))
            .and(path(format!("{}/document/terminate", support::STAGE)))
            .and(basic_auth(USERNAME, PASSWORD))
    };
    if let Some(first) = first {
        terminate().respond_with(first).up_to_n_times(1).mount(server).await;
    }
    let success = ResponseTemplate::new(202).set_body_json(json!({"response": "success"}));
    terminate().respond_with(success).mount(server).await;
}

/// Returns the ids of each cancel request.
async fn requested_ids(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    let posts = requests.iter().filter(|request| request.method.as_str() == "POST");
    posts.map(|request| request.body_json::<Value>().unwrap()["transferIds"].clone()).collect()
}

/// Returns a successful response with this status document.
fn json_response(status: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(status)
}

/// Returns the status of a transfer that was stopped on request.
fn canceled_transfer_response() -> ResponseTemplate {
    json_response(failed_transfer_status(40, "Terminated by request"))
}

#[tokio::test]
async fn cancel_sends_one_call_and_reports_the_state_of_each() {
    let server = MockServer::start().await;
    accept_cancel_requests(&server, None).await;
    serve_transfer_status(&server, "runs", transfer_status_responses(&[40])).await;
    serve_transfer_status(&server, "done", transfer_status_responses(&[100])).await;
    serve_transfer_status(&server, "gone", vec![canceled_transfer_response()]).await;
    let output =
        run_docferry(&api_url(&server), PASSWORD, &["cancel", "runs", "done", "gone"]).await;
    assert_eq!(
        stdout(&output),
        "runs  cancel requested; a document that is already complete stays\n\
         done  already completed; the document stays\n\
         gone  stopped on request\n"
    );
    assert_exit_code(&output, 0);
    assert_eq!(requested_ids(&server).await, [json!(["runs", "done", "gone"])]);
}

#[tokio::test]
async fn cancel_with_watch_exits_0_for_a_stopped_transfer() {
    let server = MockServer::start().await;
    accept_cancel_requests(&server, None).await;
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
async fn cancel_with_watch_exits_0_when_delivery_was_faster() {
    let server = MockServer::start().await;
    accept_cancel_requests(&server, None).await;
    serve_transfer_status(&server, "t1", transfer_status_responses(&[99, 100])).await;
    let output =
        run_docferry(&api_url(&server), PASSWORD, &["--json", "cancel", "t1", "--watch"]).await;
    assert_exit_code(&output, 0);
    let expected = [json!({"transferId": "t1", "outcome": "asked"}), transfer_status(100)];
    assert_eq!(json_lines(&output), expected);
}

#[tokio::test]
async fn cancel_exits_2_for_a_transfer_that_failed_otherwise() {
    let server = MockServer::start().await;
    accept_cancel_requests(&server, None).await;
    let message = "The recipient's OneDrive is full.";
    serve_transfer_status(
        &server,
        "before",
        vec![json_response(failed_transfer_status(40, message))],
    )
    .await;
    serve_transfer_status(
        &server,
        "after",
        vec![
            json_response(transfer_status(40)),
            json_response(failed_transfer_status(40, message)),
        ],
    )
    .await;
    for args in [&["cancel", "before"][..], &["cancel", "after", "--watch"]] {
        let output = run_docferry(&api_url(&server), PASSWORD, args).await;
        assert_exit_code(&output, 2);
        assert!(stdout(&output).contains(message), "{}", stdout(&output));
    }
}

#[tokio::test]
async fn cancel_with_watch_exits_3_after_the_timeout() {
    let server = MockServer::start().await;
    accept_cancel_requests(&server, None).await;
    serve_transfer_status(&server, "t1", transfer_status_responses(&[40])).await;
    let args = ["cancel", "t1", "--watch", "--timeout", "1"];
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;
    assert_exit_code(&output, 3);
}

#[tokio::test]
async fn cancel_exits_1_for_an_unknown_transfer_and_cancels_others() {
    let server = MockServer::start().await;
    accept_cancel_requests(&server, None).await;
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
async fn cancel_is_retried_when_busy_but_not_when_refused() {
    let server = MockServer::start().await;
    accept_cancel_requests(&server, Some(ResponseTemplate::new(503))).await;
    serve_transfer_status(&server, "t1", transfer_status_responses(&[40])).await;
    let output = run_docferry(&api_url(&server), PASSWORD, &["cancel", "t1"]).await;
    assert_exit_code(&output, 0);
    assert_eq!(requested_ids(&server).await.len(), 2);

    let server = MockServer::start().await;
    accept_cancel_requests(&server, Some(problem_response(401, &json!({"title": "Unauthorized"}))))
        .await;
    let output = run_docferry(&api_url(&server), PASSWORD, &["cancel", "t1"]).await;
    assert_exit_code(&output, 4);
    assert_eq!(requested_ids(&server).await.len(), 1);

    let output =
        run_docferry(&unreachable_address(), PASSWORD, &["cancel", "t1", "--retries", "0"]).await;
    assert_exit_code(&output, 5);
}

#[tokio::test]
async fn cancel_response_outside_the_contract_is_an_error() {
    let server = MockServer::start().await;
    let unknown = ResponseTemplate::new(200).set_body_json(json!({"response": "maybe"}));
    accept_cancel_requests(&server, Some(unknown)).await;
    let output = run_docferry(&api_url(&server), PASSWORD, &["cancel", "t1"]).await;
    assert_exit_code(&output, 1);
}

#[tokio::test]
async fn cancel_splits_many_ids_into_several_calls() {
    let server = MockServer::start().await;
    accept_cancel_requests(&server, None).await;
    let ids: Vec<String> = (0..101).map(|at| format!("t{at}")).collect();
    for id in &ids {
        serve_transfer_status(&server, id, transfer_status_responses(&[100])).await;
    }
    let args: Vec<&str> = ["cancel"].into_iter().chain(ids.iter().map(String::as_str)).collect();
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;
    assert_exit_code(&output, 0);
    let calls = requested_ids(&server).await;
    assert_eq!(calls.iter().map(|ids| ids.as_array().unwrap().len()).collect::<Vec<_>>(), [100, 1]);
}

#[tokio::test]
async fn cancel_help_explains_that_delivered_documents_stay() {
    let output = run_docferry("http://localhost/", PASSWORD, &["cancel", "--help"]).await;
    let help = stdout(&output);
    for part in ["A document that is already complete stays", "Exit codes:"] {
        assert!(help.contains(part), "{help}");
    }
}

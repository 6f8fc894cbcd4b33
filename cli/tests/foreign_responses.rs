//! Tests of foreign responses: responses that come from another server, such as a proxy, and not
//! from the service. The command must not mistake them for responses of the service.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::json;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use support::{
    PASSWORD, api_url, assert_exit_code, assert_stderr_contains, assert_stderr_lacks, run_docferry,
    serve_transfer_status, stderr, transfer_status_responses,
};

/// Returns a response with an HTML page.
fn web_page(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw("<html>hello</html>", "text/html")
}

#[tokio::test]
async fn responses_of_another_host_are_recognized() {
    let foreign_responses = [
        web_page(404),
        web_page(403),
        ResponseTemplate::new(404).set_body_json(json!({ "message": "Not Found" })),
        // API Gateway's response for a wrong stage.
        ResponseTemplate::new(403)
            .set_body_json(json!({ "message": "Missing Authentication Token" })),
        ResponseTemplate::new(404),
    ];
    for (position, foreign_response) in foreign_responses.into_iter().enumerate() {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(foreign_response).mount(&server).await;
        for args in [
            &["watch", "t1", "--retries=0"][..],
            &["cancel", "t1", "--retries=0"],
            &["list", "--retries=0"],
            &["get", "--job=j1", "--retries=0"],
            &["send", "QQ==", "--email=judge@example.test", "--retries=0"],
        ] {
            let output = run_docferry(&api_url(&server), PASSWORD, args).await;
            let shown = stderr(&output);
            assert_eq!(output.status.code(), Some(1), "{position} {args:?}: {shown}");
            assert!(shown.contains("--api"), "{position} {args:?}: {shown}");
            assert!(!shown.contains("forgotten"), "{position} {args:?}: {shown}");
        }
    }
}

#[tokio::test]
async fn unknown_host_name_is_reported() {
    let args = ["watch", "t1", "--retries=0"];
    let output = run_docferry("http://no-such-host.invalid/local", PASSWORD, &args).await;

    assert_exit_code(&output, 5);
    assert_stderr_contains(&output, "could not be reached");
    assert_stderr_contains(&output, "host name");
    assert_stderr_lacks(&output, "forgotten");
}

#[tokio::test]
async fn foreign_responses_do_not_end_a_watch() {
    let server = MockServer::start().await;
    let mut responses = transfer_status_responses(&[10]);
    responses.extend([web_page(200), web_page(403), ResponseTemplate::new(404)]);
    responses.extend(transfer_status_responses(&[100]));
    serve_transfer_status(&server, "t1", responses).await;

    let output = run_docferry(&api_url(&server), PASSWORD, &["watch", "t1"]).await;

    assert_exit_code(&output, 0);
}

#[tokio::test]
async fn persistent_foreign_responses_end_a_watch_after_retries() {
    let server = MockServer::start().await;
    serve_transfer_status(&server, "t1", vec![web_page(200)]).await;

    let output = run_docferry(&api_url(&server), PASSWORD, &["watch", "t1", "--retries=2"]).await;

    assert_exit_code(&output, 1);
    let requests = server.received_requests().await.unwrap();
    let polls = requests.iter().filter(|request| request.url.path().contains("/document/status"));
    assert_eq!(polls.count(), 3);
}

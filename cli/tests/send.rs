//! Tests of `docferry send` when the response is lost, is a refusal, or comes from a proxy. Each
//! request has an idempotency key, so that repeating it creates no second transfer.
#![allow(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use support::{
    PASSWORD, api_url, assert_exit_code, assert_stderr_contains, assert_stderr_lacks,
    docferry_command, json_lines, problem_response, run_docferry, run_printed_command,
    serve_in_sequence, stderr, stdout, unreachable_address, upload_request,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wiremock::matchers::body_partial_json;
use wiremock::{MockServer, ResponseTemplate};

/// Arguments that send the document `QQ==`.
const SEND: [&str; 4] = ["send", "QQ==", "--email", "judge@example.test"];

/// Returns the response of a service that accepted the document `QQ==` as the transfer `t1`.
fn accepted() -> ResponseTemplate {
    ResponseTemplate::new(202).set_body_json(json!({ "objGuid": "QQ==", "transferId": "t1" }))
}

/// Starts a service that sends each of `responses` to one upload request, and the last of them to
/// all further requests.
async fn start_server(responses: Vec<ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    serve_in_sequence(&server, upload_request, responses).await;
    server
}

/// Returns the idempotency key of each request that the service received.
async fn received_keys(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let key_of = |request: &wiremock::Request| {
        request.headers["idempotency-key"].to_str().unwrap().to_owned()
    };
    requests.iter().map(key_of).collect()
}

/// Returns the response of a draining service, which accepts no new work. Its `Retry-After` header
/// asks the client to wait for this number of seconds.
fn draining(retry_after_seconds: &str) -> ResponseTemplate {
    let body = json!({ "title": "No new work is taken", "status": 503, "code": "DRAINING" });
    problem_response(503, &body).insert_header("retry-after", retry_after_seconds)
}

#[tokio::test]
async fn lost_response_is_retried_with_the_same_key() {
    let web_page = ResponseTemplate::new(200).set_body_raw("<html>hello</html>", "text/html");
    let lost_responses = [ResponseTemplate::new(502), ResponseTemplate::new(504), web_page];
    for lost_response in lost_responses {
        let server = start_server(vec![lost_response, accepted()]).await;
        let output = run_docferry(&api_url(&server), PASSWORD, &SEND).await;

        assert_exit_code(&output, 0);
        assert_eq!(stdout(&output), "t1  QQ==\n");
        let keys = received_keys(&server).await;
        assert!(keys.len() == 2 && keys[0] == keys[1] && keys[0].len() >= 32, "{keys:?}");
    }
}

#[tokio::test]
async fn each_document_gets_its_own_idempotency_key() {
    let server = start_server(vec![accepted()]).await;
    let args = ["send", "QQ==", "QQ==", "--email", "judge@example.test"];

    // Each of the two runs sends the same document twice.
    run_docferry(&api_url(&server), PASSWORD, &args).await;
    run_docferry(&api_url(&server), PASSWORD, &args).await;

    let mut keys = received_keys(&server).await;
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4);
}

#[tokio::test]
async fn broken_connection_is_retried_with_the_same_key() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let received_requests = tokio::spawn(async move {
        let (mut first_connection, _) = listener.accept().await.unwrap();
        let first_request = read_upload_request(&mut first_connection).await;
        drop(first_connection);
        let (mut second_connection, _) = listener.accept().await.unwrap();
        let second_request = read_upload_request(&mut second_connection).await;
        send_acceptance(&mut second_connection).await;
        [first_request, second_request]
    });

    let output = run_docferry(&address, PASSWORD, &SEND).await;

    assert_exit_code(&output, 0);
    let key_header = |request: &str| {
        let is_key = |line: &&str| line.to_lowercase().starts_with("idempotency-key");
        request.lines().find(is_key).unwrap().to_owned()
    };
    let [first_request, second_request] = received_requests.await.unwrap();
    assert_eq!(key_header(&first_request), key_header(&second_request));
}

/// Reads a request up to the end of its JSON body.
async fn read_upload_request(connection: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        let mut buffer = [0; 4096];
        let length = connection.read(&mut buffer).await.unwrap();
        request.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8(request).unwrap()
}

/// Sends the response of a service that accepted the document `QQ==`.
async fn send_acceptance(connection: &mut TcpStream) {
    let body = r#"{"objGuid":"QQ==","transferId":"t1"}"#;
    let head = "HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\n";
    let response = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    connection.write_all(response.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn unknown_outcome_is_reported_with_a_command_to_retry() {
    let server = start_server(vec![ResponseTemplate::new(503), accepted()]).await;
    let args = [&SEND[..], &["--path", "Lists/It's", "--retries=0"]].concat();
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;
    assert_exit_code(&output, 5);
    assert_stderr_contains(&output, "it is not known whether QQ== was accepted");
    assert_stderr_lacks(&output, "QQ== was not accepted");

    // The printed command repeats the request with the same key.
    let output = run_printed_command(&api_url(&server), &stderr(&output)).await;
    assert_exit_code(&output, 0);

    let keys = received_keys(&server).await;
    assert_eq!(keys[0], keys[1]);
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[0].body, requests[1].body);
}

#[tokio::test]
async fn unknown_outcome_is_a_json_line_with_the_key() {
    let unauthorized = problem_response(401, &json!({ "title": "Unauthorized", "status": 401 }));
    // The first request may have been accepted. The refusal of its retry says nothing about it.
    let server = start_server(vec![ResponseTemplate::new(504), unauthorized]).await;
    let args = ["--json", "send", "QQ==", "Qg==", "--email", "judge@example.test"];
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;
    assert_exit_code(&output, 4);

    let lines = json_lines(&output);
    assert_eq!(lines[0]["objGuid"], "QQ==");
    assert_eq!(lines[0]["mayBeAccepted"], true);
    assert_eq!(lines[0]["idempotencyKey"], received_keys(&server).await[0]);
    // The second document was not sent, and the command reports that.
    assert_eq!((lines.len(), &lines[1]["objGuid"]), (2, &json!("Qg==")));
    assert_eq!(lines[1]["mayBeAccepted"], Value::Null);
    assert_stderr_contains(&output, "Qg== was not sent");
}

#[tokio::test]
async fn refusal_after_a_lost_response_is_reported_as_refusal() {
    let refused = problem_response(400, &json!({ "title": "Wrong", "code": "INVALID_REQUEST" }));
    let server = start_server(vec![ResponseTemplate::new(502), refused]).await;
    let output = run_docferry(&api_url(&server), PASSWORD, &SEND).await;
    assert_exit_code(&output, 1);
    assert_stderr_contains(&output, "QQ== was not accepted");
}

#[tokio::test]
async fn draining_service_is_retried_within_limits() {
    // `send` waits for the two pauses of one second, and then the document is accepted.
    let server = start_server(vec![draining("1"), draining("1"), accepted()]).await;
    let start = std::time::Instant::now();
    let output = run_docferry(&api_url(&server), PASSWORD, &SEND).await;
    assert_exit_code(&output, 0);
    assert!(start.elapsed() >= Duration::from_secs(2));

    // `send` gives up after the maximum number of retries. A draining service accepts nothing,
    // so the outcome is known.
    let server = start_server(vec![draining("1")]).await;
    let args = [&SEND[..], &["--retries=1"]].concat();
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;
    assert_exit_code(&output, 5);
    assert_stderr_contains(&output, "QQ== was not accepted");
    assert_eq!(received_keys(&server).await.len(), 2);

    // `send` gives up when the pause of an hour exceeds its timeout.
    let server = start_server(vec![draining("3600")]).await;
    let args = [&SEND[..], &["--timeout=5"]].concat();
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;
    assert_exit_code(&output, 5);
}

#[tokio::test]
async fn send_retries_while_the_service_is_still_recording_the_request() {
    let pending =
        problem_response(409, &json!({ "title": "Recording", "code": "REQUEST_PENDING" }));
    let server = start_server(vec![pending, accepted()]).await;
    let output = run_docferry(&api_url(&server), PASSWORD, &SEND).await;
    assert_exit_code(&output, 0);
}

#[tokio::test]
async fn refused_connection_is_reported_as_not_accepted() {
    let args = [&SEND[..], &["--retries=0"]].concat();
    let output = run_docferry(&unreachable_address(), PASSWORD, &args).await;
    assert_exit_code(&output, 5);
    assert_stderr_contains(&output, "QQ== was not accepted");
}

#[tokio::test]
async fn one_idempotency_key_for_several_documents_is_refused() {
    let server = start_server(vec![accepted()]).await;
    let args = ["send", "QQ==", "Qg==", "--email", "judge@example.test", "--idempotency-key", "k"];
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;
    assert_exit_code(&output, 1);
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_reports_that_the_pending_request_may_be_accepted() {
    let server = MockServer::start().await;
    let slow_response = accepted().set_delay(Duration::from_secs(30));
    upload_request()
        .and(body_partial_json(json!({ "objGuid": "QQ==" })))
        .respond_with(slow_response)
        .mount(&server)
        .await;
    let mut command = docferry_command(&api_url(&server), PASSWORD, &SEND);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = std::time::Instant::now();
    while server.received_requests().await.unwrap().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(20), "no request was sent");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());

    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    assert_exit_code(&output, 130);
    assert_stderr_contains(&output, "it is not known whether QQ== was accepted");
    assert_stderr_contains(&output, &received_keys(&server).await[0]);
}

//! Tests of `docferry send` when responses are lost, are refusals, or come from another
//! server.
#![allow(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use support::{
    PASSWORD, api_url, assert_exit_code, assert_stderr_contains, assert_stderr_lacks,
    docferry_command, json_lines, problem_response, run_command, run_docferry, stderr, stdout,
    unreachable_address, upload_request,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wiremock::matchers::body_partial_json;
use wiremock::{MockServer, ResponseTemplate};

const SEND: [&str; 4] = ["send", "QQ==", "--email", "judge@example.test"];

fn accepted(guid: &str, id: &str) -> ResponseTemplate {
    ResponseTemplate::new(202).set_body_json(json!({ "objGuid": guid, "transferId": id }))
}

/// Starts a service that sends each response once, then the last one forever.
async fn server_with(responses: Vec<ResponseTemplate>) -> MockServer {
    let server = MockServer::start().await;
    let last = responses.len() - 1;
    for (at, response) in responses.into_iter().enumerate() {
        let mock = upload_request().respond_with(response);
        let mock = if at == last { mock } else { mock.up_to_n_times(1) };
        mock.mount(&server).await;
    }
    server
}

/// Returns the idempotency keys of all requests.
async fn keys(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let key = |request: &wiremock::Request| {
        request.headers["idempotency-key"].to_str().unwrap().to_owned()
    };
    requests.iter().map(key).collect()
}

/// Response of a service that accepts no new work, with this `Retry-After`.
fn draining(seconds: &str) -> ResponseTemplate {
    let body = json!({ "title": "No new work is taken", "status": 503, "code": "DRAINING" });
    problem_response(503, &body).insert_header("retry-after", seconds)
}

#[tokio::test]
async fn lost_response_is_retried_with_the_same_key() {
    let web_page = ResponseTemplate::new(200).set_body_raw("<html>hello</html>", "text/html");
    let lost_responses = [ResponseTemplate::new(502), ResponseTemplate::new(504), web_page];
    for lost in lost_responses {
        let server = server_with(vec![lost, accepted("QQ==", "t1")]).await;
        let output = run_docferry(&api_url(&server), PASSWORD, &SEND).await;
        assert_exit_code(&output, 0);
        assert_eq!(stdout(&output), "t1  QQ==\n");
        let keys = keys(&server).await;
        assert!(keys.len() == 2 && keys[0] == keys[1] && keys[0].len() >= 32, "{keys:?}");
    }
}

#[tokio::test]
async fn each_document_gets_its_own_idempotency_key() {
    let server = server_with(vec![accepted("QQ==", "t1")]).await;
    let args = ["send", "QQ==", "QQ==", "--email", "judge@example.test"];
    run_docferry(&api_url(&server), PASSWORD, &args).await;
    run_docferry(&api_url(&server), PASSWORD, &args).await;
    let mut keys = keys(&server).await;
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4);
}

#[tokio::test]
async fn broken_connection_is_retried_with_the_same_key() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let mut heads = Vec::new();
        for sends_response in [false, true] {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            while !seen.ends_with(b"}") {
                let mut buffer = [0; 4096];
                let read = socket.read(&mut buffer).await.unwrap();
                seen.extend_from_slice(&buffer[..read]);
            }
            heads.push(String::from_utf8(seen).unwrap());
            if sends_response {
                let body = r#"{"objGuid":"QQ==","transferId":"t1"}"#;
                let head = "HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\n";
                let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        }
        heads
    });
    let output = run_docferry(&address, PASSWORD, &SEND).await;
    assert_exit_code(&output, 0);

    let heads = serving.await.unwrap();
    let key = |head: &str| {
        let line = head.lines().find(|line| line.to_lowercase().starts_with("idempotency-key"));
        line.unwrap().to_owned()
    };
    assert_eq!(key(&heads[0]), key(&heads[1]));
}

#[tokio::test]
async fn unknown_outcome_is_reported_with_a_command_to_retry() {
    let server = server_with(vec![ResponseTemplate::new(503), accepted("QQ==", "t1")]).await;
    let args = [&SEND[..], &["--path", "Lists/It's", "--retries=0"]].concat();
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;
    assert_exit_code(&output, 5);
    assert_stderr_contains(&output, "it is not known whether QQ== was accepted");
    assert_stderr_lacks(&output, "QQ== was not accepted");

    let shown = stderr(&output);
    let line = shown.lines().find_map(|line| line.trim().strip_prefix("docferry ")).unwrap();
    let plain = docferry_command(&api_url(&server), PASSWORD, &[]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!("\"$0\" {line}")]).arg(plain.get_program());
    shell.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = run_command(shell).await;
    assert_exit_code(&output, 0);

    let keys = keys(&server).await;
    assert_eq!(keys[0], keys[1]);
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[0].body, requests[1].body);
}

#[tokio::test]
async fn unknown_outcome_is_a_json_line_with_the_key() {
    let unauthorized = problem_response(401, &json!({ "title": "Unauthorized", "status": 401 }));
    // The first request may have been accepted; the refusal of its retry does not change
    // that.
    let server = server_with(vec![ResponseTemplate::new(504), unauthorized]).await;
    let args = ["--json", "send", "QQ==", "Qg==", "--email", "judge@example.test"];
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;
    assert_exit_code(&output, 4);

    let lines = json_lines(&output);
    assert_eq!(lines[0]["objGuid"], "QQ==");
    assert_eq!(lines[0]["mayBeAccepted"], true);
    assert_eq!(lines[0]["idempotencyKey"], keys(&server).await[0]);
    // The second document was not sent, and the command reports that.
    assert_eq!((lines.len(), &lines[1]["objGuid"]), (2, &json!("Qg==")));
    assert_eq!(lines[1]["mayBeAccepted"], Value::Null);
    assert_stderr_contains(&output, "Qg== was not sent");
}

#[tokio::test]
async fn refusal_after_a_lost_response_is_reported_as_refusal() {
    let refused = problem_response(400, &json!({ "title": "Wrong", "code": "INVALID_REQUEST" }));
    let server = server_with(vec![ResponseTemplate::new(502), refused]).await;
    let output = run_docferry(&api_url(&server), PASSWORD, &SEND).await;
    assert_exit_code(&output, 1);
    assert_stderr_contains(&output, "QQ== was not accepted");
}

#[tokio::test]
async fn draining_service_is_retried_within_limits() {
    let server = server_with(vec![draining("1"), draining("1"), accepted("QQ==", "t1")]).await;
    let start = std::time::Instant::now();
    let output = run_docferry(&api_url(&server), PASSWORD, &SEND).await;
    assert_exit_code(&output, 0);
    assert!(start.elapsed() >= Duration::from_secs(2));

    let server = server_with(vec![draining("1")]).await;
    let args = [&SEND[..], &["--retries=1"]].concat();
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;
    assert_exit_code(&output, 5);
    // A draining service accepts nothing, so the outcome is known.
    assert_stderr_contains(&output, "QQ== was not accepted");
    assert_eq!(keys(&server).await.len(), 2);

    let server = server_with(vec![draining("3600")]).await;
    let args = [&SEND[..], &["--timeout=5"]].concat();
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;
    assert_exit_code(&output, 5);
}

#[tokio::test]
async fn request_that_is_being_recorded_is_retried() {
    let pending =
        problem_response(409, &json!({ "title": "Recording", "code": "REQUEST_PENDING" }));
    let server = server_with(vec![pending, accepted("QQ==", "t1")]).await;
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
    let server = server_with(vec![accepted("QQ==", "t1")]).await;
    let args = ["send", "QQ==", "Qg==", "--email", "judge@example.test", "--idempotency-key", "k"];
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;
    assert_exit_code(&output, 1);
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_reports_that_the_pending_request_may_be_accepted() {
    let server = MockServer::start().await;
    let slow = accepted("QQ==", "t1").set_delay(Duration::from_secs(30));
    upload_request()
        .and(body_partial_json(json!({ "objGuid": "QQ==" })))
        .respond_with(slow)
        .mount(&server)
        .await;
    let mut sending = docferry_command(&api_url(&server), PASSWORD, &SEND);
    let child = sending.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
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
    assert_stderr_contains(&output, &keys(&server).await[0]);
}

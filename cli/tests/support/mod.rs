//! Mock of the service that follows the contract, for tests of the client.

#![allow(dead_code, reason = "each test binary uses only a part")]
#![allow(clippy::unwrap_used, reason = "test support")]

pub(crate) mod bucket;
pub(crate) mod jobs;

use std::process::{Command, Output, Stdio};

use docferry_cli::{Client, Credentials};
use serde_json::{Value, json};
use wiremock::matchers::{basic_auth, method, path};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

pub(crate) const USERNAME: &str = "scv";
pub(crate) const PASSWORD: &str = "correct-horse-7";
/// Path of the stage in the address of an emulated API.
pub(crate) const STAGE: &str = "/_aws/execute-api/a1b2/local";

/// Returns the address of the mock API, with its stage.
pub(crate) fn api_url(server: &MockServer) -> String {
    format!("{}{STAGE}", server.uri())
}

/// Returns a client of the mock API.
pub(crate) fn client(server: &MockServer) -> Client {
    client_for_url(&api_url(server))
}

/// Returns a client of the API at this address.
pub(crate) fn client_for_url(api_url: &str) -> Client {
    let credentials = Credentials::Account { username: USERNAME.into(), password: PASSWORD.into() };
    Client::new(api_url, credentials).unwrap()
}

/// Size of the document of a transfer in bytes.
pub(crate) const TRANSFER_SIZE: u64 = 9_000_000;

/// A complete status document of a transfer, written by hand from the contract.
pub(crate) fn transfer_status(percent: u8) -> Value {
    // The service learns name and size when the document has been pushed, at 10 %.
    let is_size_known = percent >= 10;
    json!({
        "transferId": "t1",
        "percentTransfered": percent,
        "startDeliveryDtm": "2026-11-23T09:00:00+00:00",
        "endDeliveryDtm": (percent == 100).then_some("2026-11-23T09:01:00+00:00"),
        "error": false,
        "lastErrorMessage": null,
        "fileSize": if is_size_known { TRANSFER_SIZE } else { 0 },
        "fileName": is_size_known.then_some("Ōtāhuhu #3.pdf"),
        "filePath": "Court Lists/2026-11-23",
        "mime": is_size_known.then_some("application/pdf"),
    })
}

/// A status document of a transfer that failed with this message.
pub(crate) fn failed_transfer_status(percent: u8, message: &str) -> Value {
    let mut status = transfer_status(percent);
    status["error"] = json!(true);
    status["lastErrorMessage"] = json!(message);
    status["endDeliveryDtm"] = json!("2026-11-23T09:01:00+00:00");
    status
}

/// A response with a problem document.
pub(crate) fn problem_response(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status)
        .set_body_raw(serde_json::to_vec(body).unwrap(), "application/problem+json")
}

/// Matches a poll of a transfer's status by the service account.
pub(crate) fn transfer_status_request(transfer_id: &str) -> MockBuilder {
    Mock::given(method("GET"))
        .and(path(format!("{STAGE}/document/status/{transfer_id}")))
        .and(basic_auth(USERNAME, PASSWORD))
}

/// Matches an upload request of the service account.
pub(crate) fn upload_request() -> MockBuilder {
    Mock::given(method("POST"))
        .and(path(format!("{STAGE}/document/upload")))
        .and(basic_auth(USERNAME, PASSWORD))
}

/// Serves the status of a transfer: each of `responses` once, then the last one forever.
pub(crate) async fn serve_transfer_status(
    server: &MockServer,
    transfer_id: &str,
    responses: Vec<ResponseTemplate>,
) {
    let last = responses.len() - 1;
    for (at, response) in responses.into_iter().enumerate() {
        let mock = transfer_status_request(transfer_id).respond_with(response);
        let mock = if at == last { mock } else { mock.up_to_n_times(1) };
        mock.mount(server).await;
    }
}

/// Responses with the status of a transfer at these percentages.
pub(crate) fn transfer_status_responses(percents: &[u8]) -> Vec<ResponseTemplate> {
    let response =
        |percent: &u8| ResponseTemplate::new(200).set_body_json(transfer_status(*percent));
    percents.iter().map(response).collect()
}

/// An address on which no process listens. (A dropped `MockServer` stays alive in a pool,
/// and another process may take a port that was released.)
pub(crate) fn unreachable_address() -> String {
    "http://127.0.0.1:1".to_owned()
}

/// Command that runs the real binary with the service account's credentials.
pub(crate) fn docferry_command(api_url: &str, password: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_docferry"));
    for variable in ["TOKEN", "TOKEN_URL", "TOKEN_SCOPE", "CLIENT_ID", "CLIENT_SECRET"] {
        command.env_remove(format!("DOCFERRY_{variable}"));
    }
    command
        .args(args)
        .env("DOCFERRY_API", api_url)
        .env("DOCFERRY_USERNAME", USERNAME)
        .env("DOCFERRY_PASSWORD", password)
        .stdin(Stdio::null());
    command
}

/// Runs a command and waits for its end.
pub(crate) async fn run_command(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// Runs the real binary and waits for its end.
pub(crate) async fn run_docferry(api_url: &str, password: &str, args: &[&str]) -> Output {
    run_command(docferry_command(api_url, password, args)).await
}

/// Returns the standard output of a command.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Returns the standard error of a command.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Fails with the standard error unless the command exited with this code.
#[track_caller]
pub(crate) fn assert_exit_code(output: &Output, expected: i32) {
    assert_eq!(output.status.code(), Some(expected), "{}", stderr(output));
}

/// Fails with the standard error unless it contains the text.
#[track_caller]
pub(crate) fn assert_stderr_contains(output: &Output, text: &str) {
    assert!(stderr(output).contains(text), "{}", stderr(output));
}

/// Fails with the standard error if it contains the text.
#[track_caller]
pub(crate) fn assert_stderr_lacks(output: &Output, text: &str) {
    assert!(!stderr(output).contains(text), "{}", stderr(output));
}

/// Parses the JSON lines of the standard output.
pub(crate) fn json_lines(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

//! Mock of the service that follows the contract, for tests of the client.

#![allow(dead_code, reason = "each test binary uses only a part")]
#![allow(clippy::unwrap_used, reason = "test support")]

pub(crate) mod jobs;
pub(crate) mod store;

use std::process::{Command, Output, Stdio};

use docferry_cli::{Client, Credentials};
use serde_json::{Value, json};
use wiremock::matchers::{basic_auth, method, path};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

pub(crate) const USERNAME: &str = "scv";
pub(crate) const PASSWORD: &str = "correct-horse-7";
pub(crate) const STAGE: &str = "/_aws/execute-api/a1b2/local";

pub(crate) fn api(server: &MockServer) -> String {
    format!("{}{STAGE}", server.uri())
}

pub(crate) fn client(server: &MockServer) -> Client {
    client_of(&api(server))
}

pub(crate) fn client_of(api: &str) -> Client {
    let credentials = Credentials::Account { username: USERNAME.into(), password: PASSWORD.into() };
    Client::new(api, credentials).unwrap()
}

/// A complete status document of a transfer, written by hand from the contract.
pub(crate) fn status(percent: u8) -> Value {
    json!({
        "transferId": "t1",
        "percentTransfered": percent,
        "startDeliveryDtm": "2026-11-23T09:00:00+00:00",
        "endDeliveryDtm": (percent == 100).then_some("2026-11-23T09:01:00+00:00"),
        "error": false,
        "lastErrorMessage": null,
        "fileSize": if percent >= 10 { 9_000_000 } else { 0 },
        "fileName": (percent >= 10).then_some("Ōtāhuhu #3.pdf"),
        "filePath": "Court Lists/2026-11-23",
        "mime": (percent >= 10).then_some("application/pdf"),
    })
}

/// A status document of a transfer that failed with this message.
pub(crate) fn failed(percent: u8, message: &str) -> Value {
    let mut status = status(percent);
    status["error"] = json!(true);
    status["lastErrorMessage"] = json!(message);
    status["endDeliveryDtm"] = json!("2026-11-23T09:01:00+00:00");
    status
}

/// A response with a problem document.
pub(crate) fn problem(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status)
        .set_body_raw(serde_json::to_vec(body).unwrap(), "application/problem+json")
}

/// Matches a poll of a transfer's status by the service account.
pub(crate) fn asked_for(transfer_id: &str) -> MockBuilder {
    Mock::given(method("GET"))
        .and(path(format!("{STAGE}/document/status/{transfer_id}")))
        .and(basic_auth(USERNAME, PASSWORD))
}

/// Matches an upload request of the service account.
pub(crate) fn sent() -> MockBuilder {
    Mock::given(method("POST"))
        .and(path(format!("{STAGE}/document/upload")))
        .and(basic_auth(USERNAME, PASSWORD))
}

/// Serves the status of a transfer: each of `answers` once, then the last one forever.
pub(crate) async fn serves_transfer_status(
    server: &MockServer,
    transfer_id: &str,
    answers: Vec<ResponseTemplate>,
) {
    let last = answers.len() - 1;
    for (at, answer) in answers.into_iter().enumerate() {
        let mock = asked_for(transfer_id).respond_with(answer);
        let mock = if at == last { mock } else { mock.up_to_n_times(1) };
        mock.mount(server).await;
    }
}

/// Responses with the status of a transfer at these percentages.
pub(crate) fn answers(percents: &[u8]) -> Vec<ResponseTemplate> {
    percents.iter().map(|p| ResponseTemplate::new(200).set_body_json(status(*p))).collect()
}

/// An address on which no process listens. (A dropped `MockServer` stays alive in a pool,
/// and another process may take a port that was released.)
pub(crate) fn unreachable_address() -> String {
    "http://127.0.0.1:1".to_owned()
}

/// Command that runs the real binary with the service account's credentials.
pub(crate) fn command(api: &str, password: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_docferry"));
    for variable in ["TOKEN", "TOKEN_URL", "TOKEN_SCOPE", "CLIENT_ID", "CLIENT_SECRET"] {
        command.env_remove(format!("DOCFERRY_{variable}"));
    }
    command
        .args(args)
        .env("DOCFERRY_API", api)
        .env("DOCFERRY_USERNAME", USERNAME)
        .env("DOCFERRY_PASSWORD", password)
        .stdin(Stdio::null());
    command
}

/// Runs a command and waits for its end.
pub(crate) async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// Runs the real binary and waits for its end.
pub(crate) async fn docferry(api: &str, password: &str, args: &[&str]) -> Output {
    run(command(api, password, args)).await
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn json_lines(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

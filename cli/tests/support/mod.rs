//! Helpers of the command line's tests: a mock of the service's API, whose responses are written
//! by hand from the contract, and runs of the `docferry` binary against it.
//!
//! This file has the older API, with its transfers. A transfer delivers one document to one
//! person's drive. The submodules have the downloads API and the delivery bucket.

#![allow(dead_code, reason = "each test binary uses only a part")]
#![allow(clippy::unwrap_used, reason = "test support")]

pub(crate) mod bucket;
pub(crate) mod jobs;

use std::process::{Command, Output, Stdio};

use docferry_cli::{Client, Credentials};
use serde_json::{Value, json};
use wiremock::matchers::{basic_auth, method, path};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

/// Name of the service account that the mock accepts.
pub(crate) const USERNAME: &str = "scv";
/// Password of the service account that the mock accepts.
pub(crate) const PASSWORD: &str = "correct-horse-7";
/// Path of the API's stage in the mock, as in the address of an API of the AWS emulator.
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

/// Size in bytes of the document of each transfer in the mock.
pub(crate) const TRANSFER_SIZE: u64 = 9_000_000;

/// Returns the complete status document of the transfer `t1` at this percentage.
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

/// Returns the status document of the transfer `t1` after a failure with this message.
pub(crate) fn failed_transfer_status(percent: u8, message: &str) -> Value {
    let mut status = transfer_status(percent);
    status["error"] = json!(true);
    status["lastErrorMessage"] = json!(message);
    status["endDeliveryDtm"] = json!("2026-11-23T09:01:00+00:00");
    status
}

/// Returns a response with a problem document (RFC 9457), which describes an error.
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

/// Serves requests that `request` matches: each of `responses` once, and the last of them to all
/// further requests.
pub(crate) async fn serve_in_sequence(
    server: &MockServer,
    request: impl Fn() -> MockBuilder,
    responses: Vec<ResponseTemplate>,
) {
    let last_position = responses.len() - 1;
    for (position, response) in responses.into_iter().enumerate() {
        let mock = request().respond_with(response);
        let mock = if position == last_position { mock } else { mock.up_to_n_times(1) };
        mock.mount(server).await;
    }
}

/// Serves the status of a transfer: each of `responses` once, and the last of them to all
/// further requests.
pub(crate) async fn serve_transfer_status(
    server: &MockServer,
    transfer_id: &str,
    responses: Vec<ResponseTemplate>,
) {
    serve_in_sequence(server, || transfer_status_request(transfer_id), responses).await;
}

/// Returns successful responses with the status of the transfer `t1`, one for each percentage.
pub(crate) fn transfer_status_responses(percents: &[u8]) -> Vec<ResponseTemplate> {
    let to_response =
        |percent: &u8| ResponseTemplate::new(200).set_body_json(transfer_status(*percent));
    percents.iter().map(to_response).collect()
}

/// Returns an address on which no process listens.
///
/// The address of a stopped mock would not do: a dropped `MockServer` stays alive in a pool, and
/// another process may take a port that was released.
pub(crate) fn unreachable_address() -> String {
    "http://127.0.0.1:1".to_owned()
}

/// Returns a command that runs the real binary with the service account's name and this password.
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

/// Runs the real binary with these arguments and waits for its end.
pub(crate) async fn run_docferry(api_url: &str, password: &str, args: &[&str]) -> Output {
    run_command(docferry_command(api_url, password, args)).await
}

/// Finds the line of `shown` with a command that begins with `docferry`, and runs it in a shell.
/// The command uses the service account's credentials.
pub(crate) async fn run_printed_command(api_url: &str, shown: &str) -> Output {
    let arguments = shown.lines().find_map(|line| line.trim().strip_prefix("docferry ")).unwrap();
    let docferry = docferry_command(api_url, PASSWORD, &[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("\"$0\" {arguments}")]).arg(docferry.get_program());
    shell.envs(docferry.get_envs().filter_map(|(name, value)| Some((name, value?))));
    run_command(shell).await
}

/// Returns the standard output of a command.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Returns the standard error of a command.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Panics with the standard error unless the command exited with this code.
#[track_caller]
pub(crate) fn assert_exit_code(output: &Output, expected: i32) {
    assert_eq!(output.status.code(), Some(expected), "{}", stderr(output));
}

/// Panics with the standard error unless it contains the text.
#[track_caller]
pub(crate) fn assert_stderr_contains(output: &Output, text: &str) {
    assert!(stderr(output).contains(text), "{}", stderr(output));
}

/// Panics with the standard error if it contains the text.
#[track_caller]
pub(crate) fn assert_stderr_lacks(output: &Output, text: &str) {
    assert!(!stderr(output).contains(text), "{}", stderr(output));
}

/// Parses each line of the standard output as JSON.
pub(crate) fn json_lines(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

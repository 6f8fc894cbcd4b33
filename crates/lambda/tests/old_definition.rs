//! Tests that workflow steps of this version work in executions that version 0.1.0 has started.
//!
//! Such executions still run after a deployment. They use the workflow definition of version 0.1.0,
//! so they send its payloads and understand only the results that it knows.
//!
//! The Lambda runtime reads its address from the environment. Each case therefore runs a step in a
//! separate process, whose program is an ignored test of this file.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use docferry_app::delivery::upload::Progress;
use docferry_app::source::poll::Arrival;
use docferry_app::{RetryReason, StepOutcome};
use docferry_contract::task::{FinalizeInput, FinalizeOutput, RETRY_LATER, TaskInput};
use docferry_lambda::{Invocation, poll_output, push_output, run_step, upload_output};
use serde_json::{Value, json};

/// Definition of the workflow in version 0.1.0.
const OLD_DEFINITION: &str = include_str!("fixtures/transfer-v0.1.0.asl.json");

#[tokio::test]
#[ignore = "the program of a process that the tests below start"]
async fn process_push() {
    let handler = async |step: Invocation<TaskInput>| {
        let held = StepOutcome::RetryLater { reason: RetryReason::ExchangeKeyHeld };
        Ok(push_output(held, step.input.definition))
    };
    run_step("push", handler).await.unwrap();
}

#[tokio::test]
#[ignore = "the program of a process that the tests below start"]
async fn process_poll() {
    let handler =
        async |step: Invocation<TaskInput>| poll_output(Arrival::PushAgain, step.input.definition);
    run_step("poll", handler).await.unwrap();
}

#[tokio::test]
#[ignore = "the program of a process that the tests below start"]
async fn process_upload() {
    let handler = async |step: Invocation<TaskInput>| {
        upload_output(Progress::SourceLost, step.input.definition)
    };
    run_step("upload", handler).await.unwrap();
}

#[tokio::test]
#[ignore = "the program of a process that the tests below start"]
async fn process_finalize() {
    let handler = async |step: Invocation<FinalizeInput>| {
        assert_eq!(step.input.failure.as_deref(), Some("States.Timeout"));
        let reason = RetryReason::CleanupUnfinished;
        Ok(StepOutcome::<FinalizeOutput>::RetryLater { reason })
    };
    run_step("finalize", handler).await.unwrap();
}

/// Process of a step, which is killed at the end of a case.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _may_have_ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// Result that a step sends to the Lambda runtime API.
struct StepResult {
    /// Last segment of the path: `response` or `error`.
    kind: String,
    body: Value,
}

impl StepResult {
    /// Returns the name of the error, if the step has failed.
    fn error_name(&self) -> Option<&str> {
        if self.kind == "error" { self.body["errorType"].as_str() } else { None }
    }
}

/// Invokes a step with a payload through a simulated Lambda runtime API.
fn invoke(step: &str, payload: &Value) -> StepResult {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("process_{step}"), "--ignored"])
        .env("AWS_LAMBDA_RUNTIME_API", address)
        .env("AWS_LAMBDA_FUNCTION_NAME", step)
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _process = Process(process);
    loop {
        let (stream, _) = listener.accept().unwrap();
        let (path, body) = read_request(&stream);
        let kind = path.rsplit('/').next().unwrap().to_owned();
        if kind != "next" {
            return StepResult { kind, body: serde_json::from_slice(&body).unwrap() };
        }
        let event = payload.to_string();
        // The deadline of the invocation is in the year 2100.
        let head = format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\nlambda-runtime-aws-request-id: 1\r\n\
             lambda-runtime-deadline-ms: 4102444800000\r\n\
             lambda-runtime-invoked-function-arn: arn:aws:lambda:ca-central-1:0:function:f\r\n\
             content-length: {}\r\n\r\n",
            event.len()
        );
        (&stream).write_all((head + &event).as_bytes()).unwrap();
    }
}

/// Reads a request. Returns its path and its body.
fn read_request(stream: &TcpStream) -> (String, Vec<u8>) {
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let path = line().split(' ').nth(1).unwrap().to_owned();
    let mut headers = HashMap::new();
    while let Some((name, value)) = line().split_once(':') {
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (path, body)
}

/// Returns the payload that version 0.1.0 sends to a step.
fn old_payload(step: &str) -> Value {
    let mut payload = json!({"transferId": "00000000000000000000000000000001", "attempt": 1});
    if step == "finalize" {
        payload["failure"] = json!("States.Timeout");
    }
    payload
}

/// Returns a state of the workflow definition of version 0.1.0.
fn old_state(name: &str) -> Value {
    let definition: Value = serde_json::from_str(OLD_DEFINITION).unwrap();
    definition["States"][name].clone()
}

/// Returns whether a retrier of the state or its catcher for all errors handles the error.
fn is_handled(state: &Value, error: &str) -> bool {
    let names = |clause: &Value| clause["ErrorEquals"].as_array().unwrap().clone();
    let clauses = |name: &str| state[name].as_array().unwrap().clone();
    let mut retried = clauses("Retry").iter().flat_map(names).collect::<Vec<_>>().into_iter();
    retried.any(|name| name == error)
        || clauses("Catch").iter().flat_map(names).any(|name| name == "States.ALL")
}

#[test]
fn executions_of_version_0_1_0_get_results_that_they_know() {
    for (state_name, step, code, is_retried) in [
        ("Push", "push", "EXCHANGE_UNAVAILABLE", true),
        ("Poll", "poll", "SOURCE_CHANGED", false),
        ("Upload", "upload", "SOURCE_CHANGED", false),
        ("Finalize", "finalize", "STORE_UNAVAILABLE", true),
    ] {
        let result = invoke(step, &old_payload(step));
        assert_eq!(result.error_name(), Some(code), "{step}");

        let state = old_state(state_name);
        assert!(is_handled(&state, code), "{state_name} handles {code}");
        let retriers = state["Retry"].to_string();
        assert_eq!(retriers.contains(&format!("\"{code}\"")), is_retried, "{state_name}: {code}");
        assert!(!retriers.contains(RETRY_LATER), "{state_name} does not know {RETRY_LATER}");
        let sent = state["Arguments"]["Payload"].to_string();
        assert!(
            sent.contains("transferId") && !sent.contains("definition"),
            "{state_name}: {sent}"
        );
    }
}

#[test]
fn executions_of_the_current_definition_go_back_or_wait() {
    let invoke_with_current_definition = |step| {
        let mut payload = old_payload(step);
        payload["definition"] = json!(docferry_contract::task::DEFINITION);
        invoke(step, &payload)
    };

    let push = invoke_with_current_definition("push");
    assert_eq!((push.kind.as_str(), push.body), ("response", json!({})));
    assert_eq!(invoke_with_current_definition("poll").body["pushAgain"], true);
    assert_eq!(invoke_with_current_definition("upload").body["sourceLost"], true);
    let finalize = invoke_with_current_definition("finalize");
    assert_eq!(finalize.error_name(), Some(RETRY_LATER));
}

//! Executions of version 0.1.0 that still run after a deployment: their payloads and the results
//! that their definition knows.
//!
//! Each case runs a step in a process of its own, an ignored test of this file, because the Lambda
//! runtime reads its address from the environment.

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
const DEFINITION: &str = include_str!("fixtures/transfer-v0.1.0.asl.json");

#[tokio::test]
#[ignore = "a process of the tests below"]
async fn process_push() {
    let handler = async |step: Invocation<TaskInput>| {
        let held = StepOutcome::RetryLater { reason: RetryReason::ExchangeKeyHeld };
        Ok(push_output(held, step.input.definition))
    };
    run_step("push", handler).await.unwrap();
}

#[tokio::test]
#[ignore = "a process of the tests below"]
async fn process_poll() {
    let handler =
        async |step: Invocation<TaskInput>| poll_output(Arrival::PushAgain, step.input.definition);
    run_step("poll", handler).await.unwrap();
}

#[tokio::test]
#[ignore = "a process of the tests below"]
async fn process_upload() {
    let handler = async |step: Invocation<TaskInput>| {
        upload_output(Progress::SourceLost, step.input.definition)
    };
    run_step("upload", handler).await.unwrap();
}

#[tokio::test]
#[ignore = "a process of the tests below"]
async fn process_finalize() {
    let handler = async |step: Invocation<FinalizeInput>| {
        assert_eq!(step.input.failure.as_deref(), Some("States.Timeout"));
        let reason = RetryReason::CleanupUnfinished;
        Ok(StepOutcome::<FinalizeOutput>::RetryLater { reason })
    };
    run_step("finalize", handler).await.unwrap();
}

/// Ends the process of a step at the end of a case.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _may_have_ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// Invokes a step with a payload through a simulated Lambda runtime API. Returns the last segment
/// of the path of its answer (`response` or `error`), and the body.
fn invoke(step: &str, payload: &Value) -> (String, Value) {
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
        let answered = path.rsplit('/').next().unwrap();
        if answered != "next" {
            return (answered.to_owned(), serde_json::from_slice(&body).unwrap());
        }
        let event = payload.to_string();
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

/// Returns the payload of a step in version 0.1.0.
fn payload(step: &str) -> Value {
    let mut payload = json!({"transferId": "00000000000000000000000000000001", "attempt": 1});
    if step == "finalize" {
        payload["failure"] = json!("States.Timeout");
    }
    payload
}

/// Returns a state of the workflow in version 0.1.0.
fn state(name: &str) -> Value {
    let definition: Value = serde_json::from_str(DEFINITION).unwrap();
    definition["States"][name].clone()
}

/// Returns whether a retrier of the state or its catcher for all errors handles the error.
fn is_handled(state: &Value, error: &str) -> bool {
    let names = |clause: &Value| clause["ErrorEquals"].as_array().unwrap().clone();
    let clauses = |kind: &str| state[kind].as_array().unwrap().clone();
    let mut retried = clauses("Retry").iter().flat_map(names).collect::<Vec<_>>().into_iter();
    retried.any(|name| name == error)
        || clauses("Catch").iter().flat_map(names).any(|name| name == "States.ALL")
}

#[test]
fn executions_of_version_0_1_0_get_results_that_they_know() {
    for (name, step, code, is_retried) in [
        ("Push", "push", "EXCHANGE_UNAVAILABLE", true),
        ("Poll", "poll", "SOURCE_CHANGED", false),
        ("Upload", "upload", "SOURCE_CHANGED", false),
        ("Finalize", "finalize", "STORE_UNAVAILABLE", true),
    ] {
        let (answered, error) = invoke(step, &payload(step));
        assert_eq!((answered.as_str(), &error["errorType"]), ("error", &json!(code)), "{step}");
        let state = state(name);
        assert!(is_handled(&state, code), "{name} handles {code}");
        let retriers = state["Retry"].to_string();
        assert_eq!(retriers.contains(&format!("\"{code}\"")), is_retried, "{name}: {code}");
        assert!(!retriers.contains(RETRY_LATER), "{name} does not know it");
        let sent = state["Arguments"]["Payload"].to_string();
        assert!(sent.contains("transferId") && !sent.contains("definition"), "{name}: {sent}");
    }
}

#[test]
fn executions_of_the_present_definition_go_back_or_wait() {
    let present = |step| {
        let mut payload = payload(step);
        payload["definition"] = json!(2);
        invoke(step, &payload)
    };
    assert_eq!(present("push"), ("response".into(), json!({})));
    assert_eq!(present("poll").1["pushAgain"], true);
    assert_eq!(present("upload").1["sourceLost"], true);
    let (answered, error) = present("finalize");
    assert_eq!((answered.as_str(), &error["errorType"]), ("error", &json!(RETRY_LATER)));
}

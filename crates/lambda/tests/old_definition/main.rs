//! Tests that workflow steps of this version work in executions that version 0.1.0 has started.
//!
//! A workflow execution keeps the definition with which it started, also when a deployment replaces
//! the functions that run its steps. So a function of this version may be called with a payload of
//! version 0.1.0, and must return a result that the definition of version 0.1.0 can handle. That
//! definition is stored in `fixtures/transfer-v0.1.0.asl.json`.
//!
//! Each test invokes steps whose work cannot be done yet, or has to start over. The current
//! definition has results for these cases. Version 0.1.0 only knows failure codes.
//!
//! The Lambda runtime reads the address of its API from the environment. Each step therefore runs
//! in a process of its own, which [`runtime_api`] starts. The program of that process is one of the
//! ignored tests `process_…` below.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod runtime_api;

use docferry_app::delivery::upload::Progress;
use docferry_app::source::poll::Arrival;
use docferry_app::{RetryReason, StepOutcome};
use docferry_contract::task::{DEFINITION, FinalizeInput, FinalizeOutput, RETRY_LATER, TaskInput};
use docferry_lambda::{Invocation, poll_output, push_output, run_step, upload_output};
use serde_json::{Value, json};

use runtime_api::{StepResult, invoke};

/// Definition of the workflow in version 0.1.0.
const OLD_DEFINITION: &str = include_str!("../fixtures/transfer-v0.1.0.asl.json");

/// Error name that the workflow passes to the step `finalize` when an execution has timed out.
const TIMEOUT: &str = "States.Timeout";

/// The step `push`, whose exchange key is used by another document.
#[tokio::test]
#[ignore = "the program of a process that the tests below start"]
async fn process_push() {
    let handler = async |step: Invocation<TaskInput>| {
        let held = StepOutcome::RetryLater { reason: RetryReason::ExchangeKeyHeld };
        Ok(push_output(held, step.input.definition))
    };
    run_step("push", handler).await.unwrap();
}

/// The step `poll`, which finds that the document has to be requested again.
#[tokio::test]
#[ignore = "the program of a process that the tests below start"]
async fn process_poll() {
    let handler =
        async |step: Invocation<TaskInput>| poll_output(Arrival::PushAgain, step.input.definition);
    run_step("poll", handler).await.unwrap();
}

/// The step `upload`, whose source object is lost.
#[tokio::test]
#[ignore = "the program of a process that the tests below start"]
async fn process_upload() {
    let handler = async |step: Invocation<TaskInput>| {
        upload_output(Progress::SourceLost, step.input.definition)
    };
    run_step("upload", handler).await.unwrap();
}

/// The step `finalize`, which cannot finish the clean-up yet.
#[tokio::test]
#[ignore = "the program of a process that the tests below start"]
async fn process_finalize() {
    let handler = async |step: Invocation<FinalizeInput>| {
        assert_eq!(step.input.failure.as_deref(), Some(TIMEOUT));
        let reason = RetryReason::CleanupUnfinished;
        Ok(StepOutcome::<FinalizeOutput>::RetryLater { reason })
    };
    run_step("finalize", handler).await.unwrap();
}

/// Returns the payload that version 0.1.0 sends to a step. It does not name a definition.
fn old_payload(step: &str) -> Value {
    let mut payload = json!({"transferId": "00000000000000000000000000000001", "attempt": 1});
    if step == "finalize" {
        payload["failure"] = json!(TIMEOUT);
    }
    payload
}

/// Returns the payload that the current definition sends to a step.
fn current_payload(step: &str) -> Value {
    let mut payload = old_payload(step);
    payload["definition"] = json!(DEFINITION);
    payload
}

/// Returns a state of the workflow definition of version 0.1.0.
fn old_state(name: &str) -> Value {
    let definition: Value = serde_json::from_str(OLD_DEFINITION).unwrap();
    definition["States"][name].clone()
}

/// Result that an execution of version 0.1.0 must get from a step.
struct ExpectedFailure {
    /// Name of the step, which is also part of the name of its process.
    step: &'static str,
    /// Name of the step's state in the workflow definition.
    state: &'static str,
    /// Failure code that the step must return.
    code: &'static str,
    /// Whether the old definition repeats the step after this failure. Otherwise the transfer
    /// fails.
    is_retried: bool,
}

const EXPECTED_FAILURES: [ExpectedFailure; 4] = [
    ExpectedFailure { step: "push", state: "Push", code: "EXCHANGE_UNAVAILABLE", is_retried: true },
    ExpectedFailure { step: "poll", state: "Poll", code: "SOURCE_CHANGED", is_retried: false },
    ExpectedFailure { step: "upload", state: "Upload", code: "SOURCE_CHANGED", is_retried: false },
    ExpectedFailure {
        step: "finalize",
        state: "Finalize",
        code: "STORE_UNAVAILABLE",
        is_retried: true,
    },
];

#[test]
fn executions_of_version_0_1_0_get_results_that_they_know() {
    for expected in EXPECTED_FAILURES {
        let result = invoke(expected.step, &old_payload(expected.step));
        assert_eq!(result.error_name(), Some(expected.code), "{}", expected.step);

        assert_old_state_repeats(&expected);
        assert_old_state_sends_no_definition(expected.state);
    }
}

/// Asserts that the old definition repeats the step after this failure code, as expected, and that
/// it does not know `RETRY_LATER`.
fn assert_old_state_repeats(expected: &ExpectedFailure) {
    let ExpectedFailure { state: name, code, is_retried, .. } = *expected;
    let state = old_state(name);
    let retriers = state["Retry"].to_string();
    assert_eq!(retriers.contains(&format!("\"{code}\"")), is_retried, "{name}: {code}");
    assert!(!retriers.contains(RETRY_LATER), "{name} does not know {RETRY_LATER}");
}

/// Asserts that the old definition sends payloads like those of [`old_payload`].
fn assert_old_state_sends_no_definition(name: &str) {
    let sent = old_state(name)["Arguments"]["Payload"].to_string();
    assert!(sent.contains("transferId") && !sent.contains("definition"), "{name}: {sent}");
}

#[test]
fn executions_of_the_current_definition_go_back_or_wait() {
    let invoke_step = |step| invoke(step, &current_payload(step));

    // The workflow goes on to `poll`, which waits until the exchange key is free.
    let StepResult { kind, body } = invoke_step("push");
    assert_eq!((kind.as_str(), body), ("response", json!({})));

    // The workflow goes back to an earlier step.
    assert_eq!(invoke_step("poll").body["pushAgain"], true);
    assert_eq!(invoke_step("upload").body["sourceLost"], true);

    // The workflow runs the same step again later.
    assert_eq!(invoke_step("finalize").error_name(), Some(RETRY_LATER));
}

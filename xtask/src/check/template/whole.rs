//! Checks that the definition of a Step Functions state machine is complete.
//!
//! The AWS emulator does not verify these rules:
//!
//! - Every state has a comment and valid transitions.
//! - Every state that can fail has a *catcher*, which names the next state after an error.
//! - Every *task* (a state that calls a function or starts a state machine) has *retriers* for
//!   exactly the temporary errors. A retrier repeats the task after an error.

use std::collections::BTreeSet;

use docferry_contract::task::RETRY_LATER;
use docferry_domain::failure::FailureCode;

use super::machine::{Definition, Machine, RetryOrCatch, State, TaskAction};
use super::retriers;

/// Errors that AWS reports if the call of a function fails. Step Functions compares names as text,
/// so a retrier with a misspelled name would never apply.
const LAMBDA_ERRORS: [&str; 11] = [
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "Runtime.Unknown",
    "Sandbox.Timedout",
    "States.Timeout",
];

/// Errors that can occur in any state.
const STATE_ERRORS: [&str; 3] = ["States.ALL", "States.TaskFailed", "States.Timeout"];

/// Types of states that can fail and that can catch errors.
const FALLIBLE: [&str; 3] = ["Task", "Map", "Parallel"];

/// Returns the violations, one sentence each.
pub(super) fn violations(definition: &Definition) -> Vec<String> {
    let levels = definition.machine.levels();
    let violations = levels.into_iter().flat_map(level_violations);
    violations.map(|violation| format!("{}: {violation}", definition.path)).collect()
}

/// Checks the states of one machine. Transitions may lead only to states of the same machine.
fn level_violations(machine: &Machine) -> Vec<String> {
    let mut violations = Vec::new();
    let mut reached = BTreeSet::from([machine.start_at.as_str()]);
    if !machine.states.contains_key(&machine.start_at) {
        violations.push(format!("StartAt is {}, which does not exist", machine.start_at));
    }
    for (name, state) in &machine.states {
        let next_states = next_states(state);
        if next_states.is_empty()
            && !state.end
            && !["Fail", "Succeed"].contains(&state.r#type.as_str())
        {
            violations.push(format!("{name} has no next state and is not an end"));
        }
        for target in next_states {
            if !machine.states.contains_key(target) {
                violations.push(format!("{name} leads to {target}, which does not exist"));
            }
            reached.insert(target);
        }
        if state.comment.is_none() {
            violations.push(format!("{name} has no Comment"));
        }
        let mut state_violations = Vec::new();
        if FALLIBLE.contains(&state.r#type.as_str()) && !catches_all(state) {
            state_violations.push("does not catch States.ALL".to_owned());
        }
        if state.r#type == "Task" {
            state_violations.extend(error_violations(state));
        }
        violations
            .extend(state_violations.into_iter().map(|violation| format!("{name} {violation}")));
    }
    for name in machine.states.keys().filter(|name| !reached.contains(name.as_str())) {
        violations.push(format!("{name} is unreachable"));
    }
    violations
}

/// Returns the names of the states to which a state can lead.
fn next_states(state: &State) -> Vec<&str> {
    let single = state.next.iter().chain(&state.default);
    let caught = state.catch.iter().filter_map(|catcher| catcher.next.as_ref());
    let chosen = state.choices.iter().map(|choice| &choice.next);
    single.chain(caught).chain(chosen).map(String::as_str).collect()
}

/// Returns whether a state has a catcher for all errors.
fn catches_all(state: &State) -> bool {
    state.catch.iter().any(|catcher| catcher.error_equals == ["States.ALL"])
}

/// Checks the errors in the retriers of a task. Each named error must exist, and the task must
/// retry exactly the temporary errors.
fn error_violations(state: &State) -> Vec<String> {
    let mut violations = Vec::new();
    let named = |matchers: &[RetryOrCatch]| -> BTreeSet<String> {
        matchers.iter().flat_map(|matcher| matcher.error_equals.clone()).collect()
    };
    let retried = named(&state.retry);
    let calls_function = matches!(state.action(), TaskAction::InvokeFunction(_));
    for name in retried.union(&named(&state.catch)) {
        let exists = STATE_ERRORS.contains(&name.as_str())
            || if calls_function {
                is_function_error(name)
            } else {
                name.starts_with("StepFunctions.")
            };
        if !exists {
            violations.push(format!("names the error {name}, which does not exist"));
        }
    }
    // A task that starts another state machine cannot fail with the errors of a function.
    if !calls_function {
        return violations;
    }
    for code in FailureCode::ALL {
        let name = code.as_str();
        match (code.is_retryable(), retried.contains(name)) {
            (true, false) => violations.push(format!("does not retry {name}")),
            (false, true) => violations.push(format!("retries {name}, which is permanent")),
            _ => {}
        }
    }
    let function_errors = LAMBDA_ERRORS.iter().chain([&RETRY_LATER]);
    for name in function_errors.filter(|name| !retried.contains(**name)) {
        violations.push(format!("does not retry {name}"));
    }
    violations.extend(retriers::task_violations(state));
    violations
}

/// Returns whether the call of a function can fail with this error.
fn is_function_error(name: &str) -> bool {
    LAMBDA_ERRORS.contains(&name) || name == RETRY_LATER || name.parse::<FailureCode>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::template::tests::TRANSFER;

    /// Returns the violations in a definition with the path `x`.
    fn violations_in(text: &str) -> Vec<String> {
        violations(&Definition::parse("x", text).unwrap())
    }

    #[test]
    fn unknown_next_states_and_unreachable_states_are_reported() {
        let broken = TRANSFER.replace(r#""Default": "WaitForArrival""#, r#""Default": "Nowhere""#);
        assert_eq!(
            violations_in(&broken),
            [
                "x: HasArrived leads to Nowhere, which does not exist",
                "x: WaitForArrival is unreachable"
            ]
        );
    }

    #[test]
    fn misspelled_error_name_is_reported_as_unknown_and_not_retried() {
        let broken = TRANSFER.replacen("SOURCE_UNAVAILABLE", "SOURCE_UNAVAILBLE", 1);
        assert_eq!(
            violations_in(&broken),
            [
                "x: Push names the error SOURCE_UNAVAILBLE, which does not exist",
                "x: Push does not retry SOURCE_UNAVAILABLE"
            ]
        );
    }

    #[test]
    fn task_without_a_catch_all_is_reported() {
        let broken = TRANSFER.replacen(r#"["States.ALL"]"#, r#"["States.TaskFailed"]"#, 1);
        assert_eq!(violations_in(&broken), ["x: Push does not catch States.ALL"]);
    }

    #[test]
    fn inner_and_outer_states_of_a_map_are_checked() {
        let inner = r#"{ "StartAt": "One", "States": { "One": { "Type": "Task", "Comment": "c",
            "Resource": "arn:aws:states:::states:startExecution.sync:2",
            "Retry": [{ "ErrorEquals": ["StepFunctions.SdkClientException"] }],
            "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "Gone" }], "End": true } } }"#;
        let outer = format!(
            r#"{{ "StartAt": "Each", "States": {{ "Each": {{ "Type": "Map", "Comment": "c",
            "ItemProcessor": {inner}, "End": true }} }} }}"#
        );
        assert_eq!(
            violations_in(&outer),
            ["x: Each does not catch States.ALL", "x: One leads to Gone, which does not exist"]
        );
    }
}

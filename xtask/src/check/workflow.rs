//! What no emulator checks of the state machine: that it is whole.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use docferry_domain::FailureCode;
use serde::Deserialize;

/// Error names that AWS gives. Step Functions matches text: a typing error here
/// would be a retry that never happens.
const AWS: [&str; 9] = [
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Sandbox.Timedout",
    "States.ALL",
    "States.Timeout",
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Machine {
    start_at: String,
    states: BTreeMap<String, State>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    r#type: String,
    comment: Option<String>,
    next: Option<String>,
    default: Option<String>,
    #[serde(default)]
    end: bool,
    timeout_seconds: Option<u32>,
    #[serde(default)]
    choices: Vec<Target>,
    #[serde(default)]
    retry: Vec<Matcher>,
    #[serde(default)]
    catch: Vec<Matcher>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    next: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Matcher {
    error_equals: Vec<String>,
    next: Option<String>,
}

/// What is wrong, a sentence each.
pub(crate) fn complaints(definition: &str) -> Result<Vec<String>> {
    let machine: Machine = serde_json::from_str(definition).context("the state machine")?;
    let mut found = Vec::new();
    let mut reached = BTreeSet::from([machine.start_at.as_str()]);
    for (name, state) in &machine.states {
        let targets = targets(state);
        if targets.is_empty() && !state.end && !["Fail", "Succeed"].contains(&state.r#type.as_str())
        {
            found.push(format!("{name} leads nowhere and is no end"));
        }
        for target in targets {
            if !machine.states.contains_key(target) {
                found.push(format!("{name} leads to {target}, which does not exist"));
            }
            reached.insert(target);
        }
        if state.comment.is_none() {
            found.push(format!("{name} has no Comment"));
        }
        if state.r#type == "Task" {
            found.extend(task(state).into_iter().map(|wrong| format!("{name} {wrong}")));
        }
    }
    for name in machine.states.keys().filter(|name| !reached.contains(name.as_str())) {
        found.push(format!("nothing leads to {name}"));
    }
    Ok(found)
}

fn targets(state: &State) -> Vec<&str> {
    let single = state.next.iter().chain(&state.default);
    let caught = state.catch.iter().filter_map(|matcher| matcher.next.as_ref());
    let chosen = state.choices.iter().map(|choice| &choice.next);
    single.chain(caught).chain(chosen).map(String::as_str).collect()
}

fn task(state: &State) -> Vec<String> {
    let mut found = Vec::new();
    if state.timeout_seconds.is_none() {
        found.push("has no TimeoutSeconds".to_owned());
    }
    if !state.catch.iter().any(|matcher| matcher.error_equals == ["States.ALL"]) {
        found.push("does not catch States.ALL".to_owned());
    }
    let named = |matchers: &[Matcher]| -> BTreeSet<String> {
        matchers.iter().flat_map(|matcher| matcher.error_equals.clone()).collect()
    };
    let retried = named(&state.retry);
    for name in retried.union(&named(&state.catch)) {
        if !AWS.contains(&name.as_str()) && name.parse::<FailureCode>().is_err() {
            found.push(format!("names the error {name}, which does not exist"));
        }
    }
    for code in FailureCode::ALL {
        let name = code.as_str();
        match (code.is_retryable(), retried.contains(name)) {
            (true, false) => found.push(format!("does not retry {name}")),
            (false, true) => found.push(format!("retries {name}, which cannot help")),
            _ => {}
        }
    }
    for name in AWS.iter().filter(|name| **name != "States.ALL" && !retried.contains(**name)) {
        found.push(format!("does not retry {name}"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFINITION: &str = include_str!("../../../statemachine/transfer.asl.json");

    #[test]
    fn the_definition_in_the_project_is_whole() {
        assert_eq!(complaints(DEFINITION).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_target_that_does_not_exist_and_a_state_that_nothing_leads_to_are_told() {
        let broken =
            DEFINITION.replace(r#""Default": "WaitForArrival""#, r#""Default": "Nowhere""#);
        assert_eq!(
            complaints(&broken).unwrap(),
            [
                "HasArrived leads to Nowhere, which does not exist",
                "nothing leads to WaitForArrival"
            ]
        );
    }

    #[test]
    fn an_error_name_with_a_typing_error_is_told_as_unknown_and_as_not_retried() {
        let broken = DEFINITION.replacen("SOURCE_UNAVAILABLE", "SOURCE_UNAVAILBLE", 1);
        assert_eq!(
            complaints(&broken).unwrap(),
            [
                "Push names the error SOURCE_UNAVAILBLE, which does not exist",
                "Push does not retry SOURCE_UNAVAILABLE"
            ]
        );
    }
}

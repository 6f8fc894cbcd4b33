//! Checks the retriers of the tasks in the state machines.
//!
//! A *task* is a state that calls a function or starts a state machine. A *retrier* is an entry in
//! the `Retry` list of a task. It names errors, and how often Step Functions repeats the task after
//! such an error. A task with two retries has three *tries*, because the first try is not a retry.
//! The number of tries must come from a parameter of the template.

use std::collections::BTreeSet;

use docferry_domain::failure::FailureCode;
use serde_json::{Value, json};

use super::machine::{Definition, RetryOrCatch, State, TaskAction};
use crate::template::{Resource, Template};

/// Error that Step Functions reports if Lambda has no free concurrency. The condition is temporary,
/// so a task retries for 50 minutes, or until the deadline of the transfer.
const THROTTLING: &str = "Lambda.TooManyRequestsException";
/// Number of retries after [`THROTTLING`].
const THROTTLING_RETRIES: u64 = 100;
/// Seconds between two retries after [`THROTTLING`].
const THROTTLING_INTERVAL_SECONDS: u64 = 30;

/// Errors that Lambda reports if the process of a function dies or times out.
const PROCESS_FAILURES: [&str; 6] = [
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "Runtime.Unknown",
    "Sandbox.Timedout",
    "States.Timeout",
];
/// Number of retries after each of the [`PROCESS_FAILURES`].
const PROCESS_FAILURE_RETRIES: u64 = 5;

/// Failure with a retrier of its own. That retrier has a fixed number of retries, which do not
/// count as tries of the step.
const LOCKED: FailureCode = FailureCode::DestinationLocked;

/// Placeholder of the function `finalize` in a definition. This function must have more tries than
/// the other steps.
const FINALIZE: &str = "FinalizeFunctionArn";

/// Number of tries of a workflow step, as the contract of the downloads API states it. It must be
/// the default in the template.
const STEP_TRIES: u64 = 3;

/// Returns the violations in the retriers of a task that calls a function.
pub(super) fn task_violations(task: &State) -> Vec<String> {
    let mut violations = Vec::new();
    let mut seen_errors = BTreeSet::new();
    for retrier in &task.retry {
        // Step Functions applies only the first retrier that names an error.
        for name in retrier.error_equals.iter().filter(|name| !seen_errors.insert(name.as_str())) {
            violations.push(format!("names {name} in two retriers"));
        }
    }
    let retrier_of = |name: &str| task.retry.iter().find(|retrier| retrier.names(name));
    let waits_for_concurrency = |retrier: &RetryOrCatch| {
        retrier.error_equals == [THROTTLING]
            && retrier.max_attempts == json!(THROTTLING_RETRIES)
            && retrier.interval_seconds == Some(THROTTLING_INTERVAL_SECONDS)
            && retrier.backoff_rate == Some(1.0)
    };
    if !retrier_of(THROTTLING).is_some_and(waits_for_concurrency) {
        violations.push(format!(
            "does not retry {THROTTLING} in a retrier of its own, {THROTTLING_RETRIES} times, \
             {THROTTLING_INTERVAL_SECONDS} s apart"
        ));
    }
    for name in PROCESS_FAILURES {
        if !retrier_of(name)
            .is_some_and(|retrier| retrier.max_attempts == json!(PROCESS_FAILURE_RETRIES))
        {
            violations.push(format!("does not retry {name} {PROCESS_FAILURE_RETRIES} times"));
        }
    }
    for retrier in &task.retry {
        let mut failure_codes = retrier.error_equals.iter().filter_map(|name| name.parse().ok());
        let has_parameter = retrier.placeholder().is_some();
        if !has_parameter && failure_codes.any(|code: FailureCode| code != LOCKED) {
            let names = retrier.error_equals.join(", ");
            violations.push(format!("retries {names} without a parameter for the number of tries"));
        }
    }
    violations
}

/// Checks the numbers of retries that the template substitutes for placeholders in a definition.
pub(super) fn machine_violations(
    template: &Template,
    machine: Resource<'_>,
    definition: &Definition,
) -> Vec<String> {
    let mut violations = Vec::new();
    let substitutions = machine.substitutions();
    let (mut step_retries, mut finalize_retries) = (0, None);
    for (name, task) in definition.machine.tasks() {
        for placeholder in task.retry.iter().filter_map(RetryOrCatch::placeholder) {
            let Some(value) = substitutions.get(placeholder) else { continue };
            match default_retries(template, value) {
                Ok(count) if task.action() == TaskAction::InvokeFunction(Some(FINALIZE)) => {
                    finalize_retries = Some(count);
                }
                Ok(count) => step_retries = step_retries.max(count),
                Err(violation) => {
                    violations.push(format!("{}: {name}: {violation}", definition.path));
                }
            }
        }
    }
    if step_retries > 0 && step_retries + 1 != STEP_TRIES {
        violations.push(format!(
            "{}: steps have {} tries, not {STEP_TRIES}",
            definition.path,
            step_retries + 1
        ));
    }
    if finalize_retries.is_some_and(|count| count <= step_retries) {
        violations.push(format!(
            "{}: finalize must have more tries than the other steps",
            definition.path
        ));
    }
    // The same violation may occur for several retriers of a task.
    violations.dedup();
    violations
}

/// Returns the default number of retries that a substitution sets.
///
/// The substitution must be a lookup in a mapping from tries to retries. Its key is a parameter
/// with the number of tries. For each key, the mapped number must be one less, because the first
/// try is not a retry.
fn default_retries(template: &Template, value: &Value) -> Result<u64, String> {
    let invalid = || format!("{value} is not a parameter's number of tries");
    let path = value["Fn::FindInMap"].as_array().ok_or_else(invalid)?;
    let [mapping, key, member] = path.as_slice() else { return Err(invalid()) };
    let parameter = key["Ref"].as_str().ok_or_else(invalid)?;
    let retries_for = |tries: &Value| {
        let (mapping, member) = (mapping.as_str()?, member.as_str()?);
        template.mapping(mapping)[tries.to_string()][member].as_u64()
    };
    let definition = template.parameter(parameter);
    for tries in definition["AllowedValues"].as_array().ok_or_else(invalid)? {
        if retries_for(tries).map(|retries| retries + 1) != tries.as_u64() {
            return Err(format!("{parameter} of {tries} does not map to one retry less"));
        }
    }
    retries_for(&definition["Default"]).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use crate::check::template::tests::{Project, assert_violations};

    const THROTTLING_RETRIER: &str = "\"ErrorEquals\": [\"Lambda.TooManyRequestsException\"],\n          \"IntervalSeconds\": 30,";

    #[test]
    fn throttling_without_a_separate_long_retrier_is_reported() {
        let violation = "statemachine/transfer.asl.json: Push does not retry \
                         Lambda.TooManyRequestsException in a retrier of its own, 100 times, 30 s apart";
        assert_violations(
            &Project::unmodified()
                .workflow(THROTTLING_RETRIER, &THROTTLING_RETRIER.replace("30,", "1,")),
            &[violation],
        );

        let with_second_error =
            THROTTLING_RETRIER.replace("ion\"]", "ion\", \"Lambda.ServiceException\"]");
        assert_violations(
            &Project::unmodified().workflow(THROTTLING_RETRIER, &with_second_error),
            &[
                "statemachine/transfer.asl.json: Push names Lambda.ServiceException in two retriers",
                violation,
            ],
        );
    }

    #[test]
    fn process_failure_without_a_retrier_is_reported() {
        assert_violations(
            &Project::unmodified().workflow("\"Runtime.OutOfMemory\", ", ""),
            &[
                "statemachine/transfer.asl.json: Push does not retry Runtime.OutOfMemory",
                "statemachine/transfer.asl.json: Push does not retry Runtime.OutOfMemory 5 times",
            ],
        );
        assert_violations(
            &Project::unmodified().workflow(", \"Lambda.ClientExecutionTimeoutException\"", ""),
            &[
                "statemachine/transfer.asl.json: Push does not retry Lambda.ClientExecutionTimeoutException",
            ],
        );
    }

    #[test]
    fn number_of_tries_without_a_parameter_is_reported() {
        let violations = Project::unmodified().workflow("${StepRetries}", "2").violations();
        assert_eq!(violations.len(), 1, "{violations:?}");
        assert!(violations[0].contains("Push retries SOURCE_UNAVAILABLE"), "{violations:?}");
        assert!(
            violations[0].ends_with("without a parameter for the number of tries"),
            "{violations:?}"
        );
    }

    #[test]
    fn number_of_tries_that_differs_from_its_parameter_is_reported() {
        let substitution = "StepRetries: !FindInMap [Tries, !Ref StepTries, Retries]";
        let fixed = Project::unmodified().template(substitution, "StepRetries: 2").violations();
        assert!(
            fixed.contains(
                &"statemachine/transfer.asl.json: Push: 2 is not a parameter's number of tries"
                    .to_owned()
            ),
            "{fixed:?}"
        );

        let wrong_mapping =
            Project::unmodified().template("\"3\": { Retries: 2 }", "\"3\": { Retries: 3 }");
        let violation = "StepTries of 3 does not map to one retry less";
        assert!(wrong_mapping.violations().iter().any(|reported| reported.ends_with(violation)));
    }

    #[test]
    fn default_tries_match_the_contract_and_finalize_has_more() {
        assert_violations(
            &Project::unmodified().template(
                "  StepTries:\n    Description: Tries of a step of the workflow while its failure may pass, the first one included. A step whose process dies has six.\n    Type: Number\n    Default: 3",
                "  StepTries:\n    Type: Number\n    Default: 11",
            ),
            &[
                "statemachine/transfer.asl.json: steps have 11 tries, not 3",
                "statemachine/transfer.asl.json: finalize must have more tries than the other steps",
            ],
        );
    }
}

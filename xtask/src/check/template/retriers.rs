//! How often tasks are tried again, and that each number is one that was chosen.

use docferry_domain::FailureCode;
use serde_json::{Value, json};

use super::machine::{Definition, Matcher, State, Work};
use crate::template::{Resource, Template};

/// What Step Functions reports when Lambda has no concurrency left. That passes, so a task
/// waits for most of an hour; the deadline is in the record.
const THROTTLED: &str = "Lambda.TooManyRequestsException";

/// What is reported when the process of a function dies or takes too long.
const DEATHS: [&str; 6] = [
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "Runtime.Unknown",
    "Sandbox.Timedout",
    "States.Timeout",
];

/// Waits for a lock have a rhythm of their own, which is not a number of tries.
const LOCKED: FailureCode = FailureCode::DestinationLocked;

/// Tries of a step by default, as the contract of the downloads API has them.
const STEP_TRIES: u64 = 3;

/// What is wrong with the retriers of a task that calls a function.
pub(super) fn of_task(task: &State) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for retrier in &task.retry {
        // Only the first retrier that names an error counts.
        for name in retrier.error_equals.iter().filter(|name| !seen.insert(name.as_str())) {
            found.push(format!("names {name} in two retriers"));
        }
    }
    let of = |name: &str| task.retry.iter().find(|retrier| retrier.names(name));
    let waits_for_room = |retrier: &Matcher| {
        retrier.error_equals == [THROTTLED]
            && retrier.max_attempts == json!(100)
            && retrier.interval_seconds == Some(30)
            && retrier.backoff_rate == Some(1.0)
    };
    if !of(THROTTLED).is_some_and(waits_for_room) {
        found.push(format!("does not retry {THROTTLED} by itself, 100 times, 30 s apart"));
    }
    for name in DEATHS {
        if !of(name).is_some_and(|retrier| retrier.max_attempts == json!(5)) {
            found.push(format!("does not retry {name} 5 times"));
        }
    }
    for retrier in &task.retry {
        let codes = retrier.error_equals.iter().filter_map(|name| name.parse().ok());
        let by_parameter = retrier.placeholder().is_some();
        if !by_parameter && codes.clone().any(|code: FailureCode| code != LOCKED) {
            let names = retrier.error_equals.join(", ");
            found.push(format!("retries {names} as often as no parameter says"));
        }
    }
    found
}

/// What is wrong with the numbers that the template puts in.
pub(super) fn of_machine(
    template: &Template,
    machine: Resource<'_>,
    definition: &Definition,
) -> Vec<String> {
    let mut found = Vec::new();
    let substitutions = machine.substitutions();
    let (mut most, mut of_finalize) = (0, None);
    for (name, task) in definition.machine.tasks() {
        for placeholder in task.retry.iter().filter_map(Matcher::placeholder) {
            let Some(value) = substitutions.get(placeholder) else { continue };
            match retries(template, value) {
                Ok(count) if task.work() == Work::Invoke(Some("FinalizeFunctionArn")) => {
                    of_finalize = Some(count);
                }
                Ok(count) => most = most.max(count),
                Err(wrong) => found.push(format!("{}: {name}: {wrong}", definition.path)),
            }
        }
    }
    if most > 0 && most + 1 != STEP_TRIES {
        found.push(format!("{}: steps have {} tries, not {STEP_TRIES}", definition.path, most + 1));
    }
    if of_finalize.is_some_and(|count| count <= most) {
        found.push(format!("{}: finalize has no more tries than the others", definition.path));
    }
    found.dedup();
    found
}

/// The retries that a substitution puts in by default. It must be what a parameter says,
/// less one for the first try.
fn retries(template: &Template, value: &Value) -> Result<u64, String> {
    let unclear = || format!("{value} is not a parameter's number of tries");
    let path = value["Fn::FindInMap"].as_array().ok_or_else(unclear)?;
    let [map, chosen, member] = path.as_slice() else { return Err(unclear()) };
    let parameter = chosen["Ref"].as_str().ok_or_else(unclear)?;
    let retries_by = |tries: &Value| {
        let (map, member) = (map.as_str()?, member.as_str()?);
        template.mapping(map)[tries.to_string()][member].as_u64()
    };
    let described = template.parameter(parameter);
    for tries in described["AllowedValues"].as_array().ok_or_else(unclear)? {
        if retries_by(tries).map(|retries| retries + 1) != tries.as_u64() {
            return Err(format!("{parameter} of {tries} does not mean one retry less"));
        }
    }
    retries_by(&described["Default"]).ok_or_else(unclear)
}

#[cfg(test)]
mod tests {
    use crate::check::template::tests::{Project, told};

    const ROOM: &str = "\"ErrorEquals\": [\"Lambda.TooManyRequestsException\"],\n          \"IntervalSeconds\": 30,";

    #[test]
    fn throttling_without_a_long_retrier_of_its_own_is_reported() {
        let complaint = "statemachine/transfer.asl.json: Push does not retry \
                         Lambda.TooManyRequestsException by itself, 100 times, 30 s apart";
        told(&Project::as_it_is().workflow(ROOM, &ROOM.replace("30,", "1,")), &[complaint]);
        let shared = ROOM.replace("ion\"]", "ion\", \"Lambda.ServiceException\"]");
        told(
            &Project::as_it_is().workflow(ROOM, &shared),
            &[
                "statemachine/transfer.asl.json: Push names Lambda.ServiceException in two retriers",
                complaint,
            ],
        );
    }

    #[test]
    fn death_of_a_process_that_is_not_retried_is_reported() {
        told(
            &Project::as_it_is().workflow("\"Runtime.OutOfMemory\", ", ""),
            &[
                "statemachine/transfer.asl.json: Push does not retry Runtime.OutOfMemory",
                "statemachine/transfer.asl.json: Push does not retry Runtime.OutOfMemory 5 times",
            ],
        );
        told(
            &Project::as_it_is().workflow(", \"Lambda.ClientExecutionTimeoutException\"", ""),
            &[
                "statemachine/transfer.asl.json: Push does not retry Lambda.ClientExecutionTimeoutException",
            ],
        );
    }

    #[test]
    fn number_of_tries_that_no_parameter_sets_is_reported() {
        let complaints = Project::as_it_is().workflow("${StepRetries}", "2").complaints();
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        assert!(complaints[0].contains("Push retries SOURCE_UNAVAILABLE"), "{complaints:?}");
        assert!(complaints[0].ends_with("as often as no parameter says"), "{complaints:?}");
    }

    #[test]
    fn number_of_tries_that_is_not_the_parameters_is_reported() {
        let by_step = "StepRetries: !FindInMap [Tries, !Ref StepTries, Retries]";
        let fixed = Project::as_it_is().template(by_step, "StepRetries: 2").complaints();
        assert!(
            fixed.contains(
                &"statemachine/transfer.asl.json: Push: 2 is not a parameter's number of tries"
                    .to_owned()
            ),
            "{fixed:?}"
        );
        let more = Project::as_it_is().template("\"3\": { Retries: 2 }", "\"3\": { Retries: 3 }");
        let complaint = "StepTries of 3 does not mean one retry less";
        assert!(more.complaints().iter().any(|told| told.ends_with(complaint)));
    }

    #[test]
    fn default_tries_are_those_of_the_contract_and_more_for_finalize() {
        told(
            &Project::as_it_is().template(
                "  StepTries:\n    Description: Tries of a step of the workflow while its failure may pass, the first one included. A step whose process dies has six.\n    Type: Number\n    Default: 3",
                "  StepTries:\n    Type: Number\n    Default: 11",
            ),
            &[
                "statemachine/transfer.asl.json: steps have 11 tries, not 3",
                "statemachine/transfer.asl.json: finalize has no more tries than the others",
            ],
        );
    }
}

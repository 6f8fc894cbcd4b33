//! Numbers of the template that no parameter sets, held against the largest that
//! parameters may be.

use super::machine::Definition;
use crate::template::{Resource, Template, each, referred};

/// Hours in which a download is given to others who ask for the same document
/// (`docferry_app::push`).
const REUSE_HOURS: u64 = 12;

/// Seconds that the longest pause between two tries of a receiver of webhooks lasts
/// (`docferry_app::webhook`).
const LONGEST_PAUSE_SECONDS: u64 = 3 * 3600;

/// Seconds before its time limit at which `publish` hands over (its `main`).
const PUBLISH_MARGIN_SECONDS: u64 = 15;

/// Seconds that API Gateway waits for a function.
const GATEWAY_SECONDS: u64 = 29;

/// Executions that a run may have before it is given up (`docferry_app::sweep`).
const EXECUTIONS_OF_A_RUN: u64 = 3;

/// The largest number of an execution that the roles have a pattern for: two digits.
const LAST_EXECUTION: u64 = 99;

const DAY: u64 = 24;

/// What is wrong, a sentence each.
pub(super) fn complaints(template: &Template, definitions: &[Definition]) -> Vec<String> {
    let mut found = Vec::new();
    let most = |name: &str| template.parameter(name)["MaxValue"].as_u64().unwrap_or(u64::MAX);
    let least = |name: &str| template.parameter(name)["MinValue"].as_u64().unwrap_or(0);
    let longest_run = most("TransferDeadlineSeconds");
    found.extend(bucket(template, most("JobTtlHours"), longest_run.div_ceil(3600)));
    // No Catch runs after a state machine's own time limit.
    for Definition { path, machine, .. } in definitions {
        if machine.timeout_seconds.is_some_and(|limit| limit <= longest_run) {
            found.push(format!("{path} may end before TransferDeadlineSeconds"));
        }
    }
    found.extend(queues(template, most("WebhookMaxTries")));
    if least("PublishTimeoutSeconds") <= PUBLISH_MARGIN_SECONDS {
        found.push("PublishTimeoutSeconds may be no more than the margin of publish".to_owned());
    }
    // `push` asks a second time when its credentials have changed.
    for (id, calls) in [("PushFunction", 2), ("PingFunction", 1)] {
        let limit = template.resource(id).and_then(|function| limit(template, function));
        if limit.is_none_or(|limit| limit <= most("OrdsTimeoutSeconds").saturating_mul(calls)) {
            found.push(format!("{id} may end before {calls} calls of ORDS do"));
        }
    }
    for function in template.functions() {
        let behind_api = function
            .events()
            .any(|event| event["Type"] == "Api" && event["Properties"]["Method"] != "options");
        if behind_api && limit(template, function) > Some(GATEWAY_SECONDS) {
            found.push(format!("{} may take longer than API Gateway waits", function.id));
        }
    }
    if (most("MaxRetries").saturating_add(1)).saturating_mul(EXECUTIONS_OF_A_RUN) > LAST_EXECUTION {
        found.push("MaxRetries allows more executions than roles may describe".to_owned());
    }
    let streams = template.parameter("MaxStreams")["Default"].as_u64();
    if streams.is_none_or(|count| count == 0) {
        found.push("MaxStreams sets no limit by default".to_owned());
    }
    found
}

/// The rules of the delivery bucket come after everything that is still wanted.
fn bucket(template: &Template, job_hours: u64, run_hours: u64) -> Vec<String> {
    let mut found = Vec::new();
    let longest_retention = REUSE_HOURS.saturating_add(job_hours.max(run_hours));
    let Some(bucket) = template.resource("DeliveryBucket") else { return found };
    for rule in each(&bucket.property("LifecycleConfiguration")["Rules"]) {
        let hours = |days: &serde_json::Value| days.as_u64().map(|days| days * DAY);
        if hours(&rule["ExpirationInDays"]).is_some_and(|hours| hours <= longest_retention) {
            found.push(format!(
                "DeliveryBucket removes objects that may be kept for {longest_retention} h"
            ));
        }
        let uploads = &rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"];
        if hours(uploads).is_some_and(|hours| hours <= run_hours) {
            found.push(format!("DeliveryBucket ends uploads that may take {run_hours} h"));
        }
    }
    found
}

/// A queue keeps a message hidden as long as its function may need, and keeps it at all
/// until it was tried as often as it may be.
fn queues(template: &Template, webhook_tries: u64) -> Vec<String> {
    let mut found = Vec::new();
    for function in template.functions() {
        for event in function.events().filter(|event| event["Type"] == "SQS") {
            let queue = referred(&event["Properties"]["Queue"]);
            let Some(queue) = queue.and_then(|(id, _)| template.resource(id)) else { continue };
            let hidden = queue.property("VisibilityTimeout").as_u64().unwrap_or(30);
            // Six times, as Lambda wants it.
            if limit(template, function).is_none_or(|limit| hidden < 6 * limit) {
                found
                    .push(format!("{} hides a message for {hidden} s, too short a time", queue.id));
            }
            let kept = queue.property("MessageRetentionPeriod").as_u64().unwrap_or(345_600);
            let tried = webhook_tries.saturating_mul(LONGEST_PAUSE_SECONDS);
            if queue.id == "WebhookQueue" && kept <= tried {
                found.push(format!(
                    "{} keeps a message for {kept} s, tries take {tried} s",
                    queue.id
                ));
            }
        }
    }
    found
}

fn limit(template: &Template, function: Resource<'_>) -> Option<u64> {
    template.at_most(function.property_or_global("Timeout"))
}

#[cfg(test)]
mod tests {
    use crate::check::template::tests::{Project, told};

    #[test]
    fn bucket_rule_that_removes_what_is_still_kept_is_reported() {
        told(
            &Project::as_it_is().template(
                "ExpirationInDays: 7, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 }",
                "ExpirationInDays: 3, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 }",
            ),
            &[
                "DeliveryBucket removes objects that may be kept for 84 h",
                "DeliveryBucket ends uploads that may take 24 h",
            ],
        );
    }

    #[test]
    fn workflow_that_ends_before_its_transfers_is_reported() {
        told(
            &Project::as_it_is()
                .workflow("\"TimeoutSeconds\": 172800", "\"TimeoutSeconds\": 86400"),
            &["statemachine/transfer.asl.json may end before TransferDeadlineSeconds"],
        );
    }

    #[test]
    fn queue_that_shows_or_forgets_a_message_too_early_is_reported() {
        told(
            &Project::as_it_is().template(
                "VisibilityTimeout: 180\n      RedrivePolicy:\n        deadLetterTargetArn: !GetAtt WebhookDeadLetterQueue.Arn",
                "VisibilityTimeout: 60\n      RedrivePolicy:\n        deadLetterTargetArn: !GetAtt WebhookDeadLetterQueue.Arn",
            ),
            &["WebhookQueue hides a message for 60 s, too short a time"],
        );
        told(
            &Project::as_it_is()
                .template("MessageRetentionPeriod: 345600", "MessageRetentionPeriod: 86400"),
            &["WebhookQueue keeps a message for 86400 s, tries take 324000 s"],
        );
    }

    #[test]
    fn function_that_cannot_wait_for_ords_or_outlasts_the_gateway_is_reported() {
        let timeout = "Role: !GetAtt PingRole.Arn\n      Timeout: 29";
        told(
            &Project::as_it_is().template(timeout, &timeout.replace("29", "28")),
            &["PingFunction may end before 1 calls of ORDS do"],
        );
        told(
            &Project::as_it_is().template(timeout, &timeout.replace("29", "30")),
            &["PingFunction may take longer than API Gateway waits"],
        );
    }

    #[test]
    fn margin_longer_than_a_publish_invocation_is_reported() {
        let least = "    Default: 300\n    MinValue: 20";
        told(
            &Project::as_it_is().template(least, &least.replace("20", "15")),
            &["PublishTimeoutSeconds may be no more than the margin of publish"],
        );
    }

    #[test]
    fn more_runs_than_execution_names_have_digits_for_are_reported() {
        let most = "    Default: 3\n    MinValue: 0\n    MaxValue: 20";
        told(
            &Project::as_it_is().template(most, &most.replace("20", "33")),
            &["MaxRetries allows more executions than roles may describe"],
        );
    }

    #[test]
    fn unbounded_streams_by_default_are_reported() {
        let streams = "    Default: 100\n    MinValue: 0\n\nRules:";
        told(
            &Project::as_it_is().template(streams, &streams.replace("100", "0")),
            &["MaxStreams sets no limit by default"],
        );
    }
}

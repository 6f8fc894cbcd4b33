//! Checks the fixed numbers of `template.yaml` against the largest and smallest values of its
//! parameters.
//!
//! For example, a bucket expires an object after a fixed number of days. This number must be large
//! enough for the longest retention that the parameter for the retention allows.

use super::machine::Definition;
use crate::template::{Resource, Template, as_list, referenced_id};

/// Hours during which a later request for the same document can reuse a download
/// (`docferry_app::delivery::artifact`).
const REUSE_HOURS: u64 = 12;

/// Longest pause between two tries of a webhook request, in seconds
/// (`docferry_app::notification::webhook`).
const LONGEST_PAUSE_SECONDS: u64 = 3 * SECONDS_PER_HOUR;

/// Time before its timeout at which the function `publish` stops and returns, in seconds (`main` of
/// `publish`).
const PUBLISH_MARGIN_SECONDS: u64 = 15;

/// Longest time that API Gateway waits for the response of a function, in seconds.
const GATEWAY_SECONDS: u64 = 29;

/// Maximum number of executions of one run of a transfer (`docferry_app::recovery`).
const EXECUTIONS_OF_A_RUN: u64 = 3;

/// Largest execution number. The patterns for execution names in the roles allow two digits.
const LAST_EXECUTION: u64 = 99;

/// Maximum length of a record, in bytes (`docferry_domain::document::MAX_LINE_BYTES`).
const RECORD_BYTES: u64 = 64 * 1024;

/// `VisibilityTimeout` of a queue whose template entry does not set it.
const DEFAULT_VISIBILITY_SECONDS: u64 = 30;

/// `MessageRetentionPeriod` of a queue whose template entry does not set it: 4 days.
const DEFAULT_RETENTION_SECONDS: u64 = 345_600;

/// Factor by which the visibility timeout of a queue must exceed the timeout of its function, as
/// AWS recommends.
const VISIBILITY_FACTOR: u64 = 6;

const HOURS_PER_DAY: u64 = 24;
const SECONDS_PER_HOUR: u64 = 3600;

/// Returns the violations, one sentence each.
pub(super) fn violations(template: &Template, definitions: &[Definition]) -> Vec<String> {
    let mut violations = Vec::new();
    let longest_run_seconds = maximum(template, "TransferDeadlineSeconds");
    let longest_run_hours = longest_run_seconds.div_ceil(SECONDS_PER_HOUR);
    let longest_job_hours = maximum(template, "JobTtlHours");
    violations.extend(bucket_violations(template, longest_job_hours, longest_run_hours));
    // If a state machine reaches its own timeout, none of its `Catch` fields applies. So the
    // deadline of the transfer must come first.
    for Definition { path, machine, .. } in definitions {
        if machine.timeout_seconds.is_some_and(|limit| limit <= longest_run_seconds) {
            violations.push(format!("{path} may end before TransferDeadlineSeconds"));
        }
    }
    violations.extend(queue_violations(template, maximum(template, "WebhookMaxTries")));
    // A message of the dead-letter queue is a record and the reason for its rejection, so that
    // queue must not have a limit of its own.
    let size_limits = ["RegistryQueue", "RegistryDeadLetterQueue"].map(|id| {
        template.resource(id).and_then(|queue| queue.property("MaximumMessageSize").as_u64())
    });
    if size_limits != [Some(RECORD_BYTES), None] {
        violations
            .push(format!("RegistryQueue does not limit its messages to {RECORD_BYTES} bytes"));
    }
    violations.extend(timeout_violations(template));
    let most_runs = maximum(template, "MaxRetries").saturating_add(1);
    if most_runs.saturating_mul(EXECUTIONS_OF_A_RUN) > LAST_EXECUTION {
        violations.push("MaxRetries allows more executions than roles may describe".to_owned());
    }
    let streams = template.parameter("MaxStreams")["Default"].as_u64();
    if streams.is_none_or(|count| count == 0) {
        violations.push("MaxStreams sets no limit by default".to_owned());
    }
    violations
}

/// Returns the largest value of a parameter.
fn maximum(template: &Template, parameter: &str) -> u64 {
    template.parameter(parameter)["MaxValue"].as_u64().unwrap_or(u64::MAX)
}

/// Returns the smallest value of a parameter.
fn minimum(template: &Template, parameter: &str) -> u64 {
    template.parameter(parameter)["MinValue"].as_u64().unwrap_or(0)
}

/// Checks the timeouts of the functions. A timeout must be long enough for the calls of the
/// function. If the function responds to requests, it must also be short enough for API Gateway.
fn timeout_violations(template: &Template) -> Vec<String> {
    let mut violations = Vec::new();
    if minimum(template, "PublishTimeoutSeconds") <= PUBLISH_MARGIN_SECONDS {
        violations
            .push("PublishTimeoutSeconds does not always exceed the margin of publish".to_owned());
    }
    // `push` calls ORDS a second time when its credentials have changed.
    for (id, calls) in [("PushFunction", 2), ("PingFunction", 1)] {
        let limit = template.resource(id).and_then(|function| timeout(template, function));
        let calls_seconds = maximum(template, "OrdsTimeoutSeconds").saturating_mul(calls);
        if limit.is_none_or(|limit| limit <= calls_seconds) {
            violations.push(format!("{id} may time out before {calls} calls of ORDS"));
        }
    }
    for function in template.functions() {
        let is_behind_api = function
            .events()
            .any(|event| event["Type"] == "Api" && event["Properties"]["Method"] != "options");
        let is_too_long = timeout(template, function).is_none_or(|limit| limit > GATEWAY_SECONDS);
        if is_behind_api && is_too_long {
            violations.push(format!("{} may take longer than API Gateway waits", function.id));
        }
    }
    violations
}

/// Checks the lifecycle rules of the delivery bucket. They may expire an object only after its
/// retention, and abort a multipart upload only after the longest run.
fn bucket_violations(template: &Template, job_hours: u64, run_hours: u64) -> Vec<String> {
    let mut violations = Vec::new();
    let retention_hours = REUSE_HOURS.saturating_add(job_hours.max(run_hours));
    let Some(bucket) = template.resource("DeliveryBucket") else { return violations };
    for rule in as_list(&bucket.property("LifecycleConfiguration")["Rules"]) {
        let hours_of = |days: &serde_json::Value| days.as_u64().map(|days| days * HOURS_PER_DAY);
        if hours_of(&rule["ExpirationInDays"]).is_some_and(|hours| hours <= retention_hours) {
            violations.push(format!(
                "DeliveryBucket expires objects that may be retained for {retention_hours} h"
            ));
        }
        let upload_days = &rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"];
        if hours_of(upload_days).is_some_and(|hours| hours <= run_hours) {
            violations.push(format!("DeliveryBucket aborts uploads that may take {run_hours} h"));
        }
    }
    violations
}

/// Checks the queues. A queue must hide a received message for as long as its function may need.
/// The webhook queue must retain a message until its last try.
fn queue_violations(template: &Template, webhook_tries: u64) -> Vec<String> {
    let mut violations = Vec::new();
    for function in template.functions() {
        for event in function.events().filter(|event| event["Type"] == "SQS") {
            let queue = referenced_id(&event["Properties"]["Queue"]);
            let Some(queue) = queue.and_then(|id| template.resource(id)) else { continue };
            let hidden_seconds =
                queue.property("VisibilityTimeout").as_u64().unwrap_or(DEFAULT_VISIBILITY_SECONDS);
            if timeout(template, function)
                .is_none_or(|limit| hidden_seconds < VISIBILITY_FACTOR * limit)
            {
                violations
                    .push(format!("{} hides a message for only {hidden_seconds} s", queue.id));
            }
            let retention_seconds = queue
                .property("MessageRetentionPeriod")
                .as_u64()
                .unwrap_or(DEFAULT_RETENTION_SECONDS);
            let tries_seconds = webhook_tries.saturating_mul(LONGEST_PAUSE_SECONDS);
            if queue.id == "WebhookQueue" && retention_seconds <= tries_seconds {
                violations.push(format!(
                    "{} retains a message for {retention_seconds} s, but its tries take {tries_seconds} s",
                    queue.id
                ));
            }
        }
    }
    violations
}

/// Returns the largest timeout that a function can have, in seconds.
fn timeout(template: &Template, function: Resource<'_>) -> Option<u64> {
    template.maximum_of(function.property_or_global("Timeout"))
}

#[cfg(test)]
mod tests {
    use crate::check::template::tests::{Project, assert_violations};

    #[test]
    fn lifecycle_rule_that_expires_retained_objects_is_reported() {
        // A job may be retained for 72 h, and a download may be reused for 12 h. A run may take
        // 24 h.
        assert_violations(
            &Project::unmodified().template(
                "ExpirationInDays: 7, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 }",
                "ExpirationInDays: 3, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 }",
            ),
            &[
                "DeliveryBucket expires objects that may be retained for 84 h",
                "DeliveryBucket aborts uploads that may take 24 h",
            ],
        );
    }

    #[test]
    fn workflow_timeout_below_the_transfer_deadline_is_reported() {
        assert_violations(
            &Project::unmodified()
                .workflow("\"TimeoutSeconds\": 172800", "\"TimeoutSeconds\": 86400"),
            &["statemachine/transfer.asl.json may end before TransferDeadlineSeconds"],
        );
    }

    #[test]
    fn too_short_visibility_or_retention_of_a_queue_is_reported() {
        assert_violations(
            &Project::unmodified().template(
                "VisibilityTimeout: 180\n      RedrivePolicy:\n        deadLetterTargetArn: !GetAtt WebhookDeadLetterQueue.Arn",
                "VisibilityTimeout: 60\n      RedrivePolicy:\n        deadLetterTargetArn: !GetAtt WebhookDeadLetterQueue.Arn",
            ),
            &["WebhookQueue hides a message for only 60 s"],
        );
        // A webhook request may have 30 tries, with pauses of 3 h.
        assert_violations(
            &Project::unmodified()
                .template("MessageRetentionPeriod: 345600", "MessageRetentionPeriod: 86400"),
            &["WebhookQueue retains a message for 86400 s, but its tries take 324000 s"],
        );
    }

    #[test]
    fn registry_queue_with_another_limit_than_records_is_reported() {
        let limit = "MaximumMessageSize: 65536";
        for changed in ["MaximumMessageSize: 262144", "DelaySeconds: 0"] {
            assert_violations(
                &Project::unmodified().template(limit, changed),
                &["RegistryQueue does not limit its messages to 65536 bytes"],
            );
        }
    }

    #[test]
    fn function_timeout_too_short_for_ords_or_too_long_for_the_gateway_is_reported() {
        // A call of ORDS may take 28 s, and API Gateway waits 29 s.
        let timeout = "Role: !GetAtt PingRole.Arn\n      Timeout: 29";
        assert_violations(
            &Project::unmodified().template(timeout, &timeout.replace("29", "28")),
            &["PingFunction may time out before 1 calls of ORDS"],
        );
        assert_violations(
            &Project::unmodified().template(timeout, &timeout.replace("29", "30")),
            &["PingFunction may take longer than API Gateway waits"],
        );
    }

    #[test]
    fn margin_longer_than_a_publish_invocation_is_reported() {
        let minimum = "    Default: 300\n    MinValue: 20";
        assert_violations(
            &Project::unmodified().template(minimum, &minimum.replace("20", "15")),
            &["PublishTimeoutSeconds does not always exceed the margin of publish"],
        );
    }

    #[test]
    fn more_executions_than_the_name_pattern_covers_are_reported() {
        let maximum = "    Default: 3\n    MinValue: 0\n    MaxValue: 20";
        // 33 retries and the first run may have 3 executions each, together 102.
        assert_violations(
            &Project::unmodified().template(maximum, &maximum.replace("20", "33")),
            &["MaxRetries allows more executions than roles may describe"],
        );
    }

    #[test]
    fn unbounded_streams_by_default_are_reported() {
        let streams = "    Default: 100\n    MinValue: 0\n\nRules:";
        assert_violations(
            &Project::unmodified().template(streams, &streams.replace("100", "0")),
            &["MaxStreams sets no limit by default"],
        );
    }
}

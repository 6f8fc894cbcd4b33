//! Checks that every resource of `template.yaml` has the project's tags, and that every Lambda
//! function has its own log group.
//!
//! Operators use the tags `project` and `environment` to find the resources of a stack.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::template::{Resource, Template, referenced_id};

/// Types of resources that support tags.
const TAGGED: [&str; 12] = [
    "AWS::CloudWatch::Alarm",
    "AWS::DynamoDB::Table",
    "AWS::IAM::Role",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
    "AWS::Serverless::Api",
    "AWS::Serverless::Function",
    "AWS::Serverless::StateMachine",
];

/// Types of resources that do not support tags.
const UNTAGGED: [&str; 6] = [
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::GatewayResponse",
    "AWS::KMS::Alias",
    "AWS::Lambda::Permission",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::QueuePolicy",
];

/// Returns the violations, one sentence each.
pub(super) fn violations(template: &Template) -> Vec<String> {
    let mut violations = tag_violations(template);
    violations.extend(log_group_violations(template));
    violations
}

/// Checks that every resource that supports tags has the tags `project` and `environment`.
fn tag_violations(template: &Template) -> Vec<String> {
    let mut violations = Vec::new();
    for resource in template.resources() {
        if TAGGED.contains(&resource.resource_type) {
            let tag_value = tag_lookup(resource);
            for (name, expected) in
                [("project", json!("docferry")), ("environment", json!({ "Ref": "Environment" }))]
            {
                if tag_value(name) != Some(&expected) {
                    violations.push(format!("{} lacks the tag {name}", resource.id));
                }
            }
        } else if !UNTAGGED.contains(&resource.resource_type) {
            let violation = format!(
                "{} is neither in TAGGED nor in UNTAGGED: {}",
                resource.resource_type, resource.id
            );
            violations.push(violation);
        }
    }
    violations
}

/// Checks that every function has a log group with the expected name and a retention, and that
/// every log group has a function.
///
/// State machines have no log group, for two reasons: their logs would contain inputs and outputs,
/// and the permissions to write them can only be granted with a wildcard.
fn log_group_violations(template: &Template) -> Vec<String> {
    let mut violations = Vec::new();
    let mut used_groups = BTreeSet::new();
    for function in template.functions() {
        let group = referenced_id(&function.property("LoggingConfig")["LogGroup"])
            .and_then(|id| template.resource(id))
            .filter(|group| group.resource_type == "AWS::Logs::LogGroup");
        let Some(group) = group else {
            violations.push(format!("{} has no log group of its own", function.id));
            continue;
        };
        used_groups.insert(group.id);
        if group.property("RetentionInDays").is_null() {
            violations.push(format!("{} retains logs forever", group.id));
        }
        let substituted_name =
            |value: &Value| value["Fn::Sub"].as_str().unwrap_or_default().to_owned();
        let expected =
            format!("/aws/lambda/{}", substituted_name(function.property("FunctionName")));
        if substituted_name(group.property("LogGroupName")) != expected {
            violations.push(format!("{} must be named {expected}", group.id));
        }
    }
    let groups = template.of_type("AWS::Logs::LogGroup");
    for group in groups.filter(|group| !used_groups.contains(group.id)) {
        violations.push(format!("{} is the log group of no function", group.id));
    }
    violations
}

/// Returns a function that looks up a tag of a resource by name. In the template, the tags of some
/// resource types are an object, and those of others are a list.
fn tag_lookup<'a>(resource: Resource<'a>) -> impl Fn(&str) -> Option<&'a Value> {
    let is_function = resource.resource_type == "AWS::Serverless::Function";
    let tags =
        if is_function { resource.property_or_global("Tags") } else { resource.property("Tags") };
    move |name| match tags {
        Value::Object(tags) => tags.get(name),
        Value::Array(tags) => tags.iter().find(|tag| tag["Key"] == name).map(|tag| &tag["Value"]),
        _ => None,
    }
}

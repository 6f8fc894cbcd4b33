//! Checks that every resource has its tags, and that every function has a log group.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::template::{Resource, Template, referred};

/// Resource kinds that support tags.
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

/// Resource kinds that do not support tags.
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
    let mut found = Vec::new();
    for resource in template.resources() {
        if TAGGED.contains(&resource.kind) {
            let tags = tags(resource);
            for (name, value) in
                [("project", json!("docferry")), ("environment", json!({ "Ref": "Environment" }))]
            {
                if tags(name) != Some(&value) {
                    found.push(format!("{} lacks the tag {name}", resource.id));
                }
            }
        } else if !UNTAGGED.contains(&resource.kind) {
            let text = format!(
                "{} is in no list of kinds with or without tags: {}",
                resource.kind, resource.id
            );
            found.push(text);
        }
    }
    // Only functions need a log group. Logs of state machines would contain inputs and outputs, and
    // writing them needs permissions that can only be granted with a wildcard.
    let mut used = BTreeSet::new();
    for function in template.functions() {
        let group = referred(&function.property("LoggingConfig")["LogGroup"])
            .and_then(|(id, _)| template.resource(id))
            .filter(|group| group.kind == "AWS::Logs::LogGroup");
        let Some(group) = group else {
            found.push(format!("{} has no log group of its own", function.id));
            continue;
        };
        used.insert(group.id);
        if group.property("RetentionInDays").is_null() {
            found.push(format!("{} retains logs forever", group.id));
        }
        let name = |value: &Value| value["Fn::Sub"].as_str().unwrap_or_default().to_owned();
        let expected = format!("/aws/lambda/{}", name(function.property("FunctionName")));
        if name(group.property("LogGroupName")) != expected {
            found.push(format!("{} must be named {expected}", group.id));
        }
    }
    for group in template.of_kind("AWS::Logs::LogGroup").filter(|group| !used.contains(group.id)) {
        found.push(format!("{} is the log group of no function", group.id));
    }
    found
}

/// Returns a lookup of a resource's tags, which are an object for some kinds and a list for others.
fn tags<'a>(resource: Resource<'a>) -> impl Fn(&str) -> Option<&'a Value> {
    let is_function = resource.kind == "AWS::Serverless::Function";
    let tags =
        if is_function { resource.property_or_global("Tags") } else { resource.property("Tags") };
    move |name| match tags {
        Value::Object(tags) => tags.get(name),
        Value::Array(tags) => tags.iter().find(|tag| tag["Key"] == name).map(|tag| &tag["Value"]),
        _ => None,
    }
}

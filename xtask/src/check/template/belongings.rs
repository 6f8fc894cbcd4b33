//! What every resource has to have: tags, and a log group where there is a log.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::template::{Resource, Template, referred};

/// Kinds that take tags.
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

/// Kinds that take none.
const UNTAGGED: [&str; 6] = [
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::GatewayResponse",
    "AWS::KMS::Alias",
    "AWS::Lambda::Permission",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::QueuePolicy",
];

/// What is wrong, a sentence each.
pub(super) fn complaints(template: &Template) -> Vec<String> {
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
            let text =
                format!("whether {} takes tags stands in no list: {}", resource.kind, resource.id);
            found.push(text);
        }
    }
    // State machines have none: what they would write holds inputs and outputs, and
    // writing it takes rights that cannot be given without a wildcard.
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
            found.push(format!("{} keeps logs for ever", group.id));
        }
        let name = |value: &Value| value["Fn::Sub"].as_str().unwrap_or_default().to_owned();
        let wanted = format!("/aws/lambda/{}", name(function.property("FunctionName")));
        if name(group.property("LogGroupName")) != wanted {
            found.push(format!("{} is not called {wanted}", group.id));
        }
    }
    for group in template.of_kind("AWS::Logs::LogGroup").filter(|group| !used.contains(group.id)) {
        found.push(format!("{} is the log group of no function", group.id));
    }
    found
}

/// A resource's tags, which are an object for some kinds and a list for others.
fn tags<'a>(resource: Resource<'a>) -> impl Fn(&str) -> Option<&'a Value> {
    let of_function = resource.kind == "AWS::Serverless::Function";
    let tags =
        if of_function { resource.property_or_global("Tags") } else { resource.property("Tags") };
    move |name| match tags {
        Value::Object(tags) => tags.get(name),
        Value::Array(tags) => tags.iter().find(|tag| tag["Key"] == name).map(|tag| &tag["Value"]),
        _ => None,
    }
}

//! Checks the IAM roles of the Lambda functions.
//!
//! The role of a function must allow exactly two kinds of calls: the calls that `calls.txt`
//! declares for the function, and the calls by which Lambda writes the log and reads the event
//! sources. Each role must have exactly one user, which is a function or a state machine.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::policies::{Permission, RolePermissions, permission_differences};
use crate::template::{Resource, Template, as_list, referenced_id};

/// Compares the permissions of a function's role with the permissions that the function needs.
/// `declared` are the permissions that the calls of its code need.
pub(super) fn violations(
    template: &Template,
    roles: &BTreeMap<&str, RolePermissions>,
    function: Resource<'_>,
    declared: &BTreeSet<Permission>,
) -> Vec<String> {
    let role = referenced_id(function.property("Role")).unwrap_or_default();
    let Some(role_permissions) = roles.get(role) else {
        return vec![format!("{} has no role of its own", function.id)];
    };
    let mut needed = declared.clone();
    needed.extend(log_permissions(function));
    needed.extend(event_source_permissions(template, function));
    permission_differences(role, &role_permissions.permissions, &needed)
}

/// Returns the permissions to write the function's own log.
fn log_permissions(function: Resource<'_>) -> BTreeSet<Permission> {
    let group = referenced_id(&function.property("LoggingConfig")["LogGroup"]);
    let actions = ["logs:CreateLogStream", "logs:PutLogEvents"];
    group.into_iter().flat_map(|id| actions.map(|action| Permission::new(action, id))).collect()
}

/// Returns the permissions that Lambda needs to read the event sources of a function and to send
/// failed events to their destination. Lambda uses the function's role for both.
fn event_source_permissions(template: &Template, function: Resource<'_>) -> BTreeSet<Permission> {
    let mut needed = BTreeSet::new();
    for event in function.events() {
        let properties = &event["Properties"];
        // `source_suffix` follows the logical id in the name of the resource.
        let (source, source_suffix, read_actions): (_, _, &[&str]) = match event["Type"].as_str() {
            Some("SQS") => (
                &properties["Queue"],
                "",
                &["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            ),
            Some("DynamoDB") => (
                &properties["Stream"],
                "/stream",
                &[
                    "dynamodb:DescribeStream",
                    "dynamodb:GetRecords",
                    "dynamodb:GetShardIterator",
                    "dynamodb:ListStreams",
                ],
            ),
            _ => continue,
        };
        let on_failure = &properties["DestinationConfig"]["OnFailure"]["Destination"];
        for (target, suffix, actions) in
            [(source, source_suffix, read_actions), (on_failure, "", &["sqs:SendMessage"])]
        {
            if let Some(id) = referenced_id(target).filter(|id| template.resource(id).is_some()) {
                let resource = format!("{id}{suffix}");
                needed.extend(actions.iter().map(|action| Permission::new(action, &resource)));
            }
        }
    }
    needed
}

/// Checks that exactly one function or state machine uses each role, and that only the AWS service
/// of this user can assume the role. An unused role grants unnecessary permissions. A role with two
/// users gives each user the permissions of the other.
pub(super) fn role_use_violations(template: &Template) -> Vec<String> {
    let users = template.functions().chain(template.machines());
    let mut uses: BTreeMap<&str, usize> =
        template.of_type("AWS::IAM::Role").map(|role| (role.id, 0)).collect();
    let mut violations = Vec::new();
    for user in users {
        let service = if user.binary().is_empty() { "states" } else { "lambda" };
        let role = referenced_id(user.property("Role")).and_then(|id| template.resource(id));
        let Some(role) = role else { continue };
        uses.entry(role.id).and_modify(|count| *count += 1);
        let trusted = &role.property("AssumeRolePolicyDocument")["Statement"];
        let expected = Value::from(format!("{service}.amazonaws.com"));
        if as_list(trusted).iter().any(|statement| statement["Principal"]["Service"] != expected) {
            violations.push(format!("{} can be assumed by other services than {service}", role.id));
        }
    }
    for (role, count) in uses.into_iter().filter(|(_, count)| *count != 1) {
        violations
            .push(format!("{role} is the role of {count} functions or state machines, not of one"));
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_sources_and_failure_destinations_require_permissions_of_the_function_role() {
        let template = Template::parse(
            r"
Resources:
  NotifyFunction:
    Type: AWS::Serverless::Function
    Properties:
      LoggingConfig: { LogGroup: !Ref NotifyLogGroup }
      Events:
        Outbox:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt Table.StreamArn
            DestinationConfig: { OnFailure: { Destination: !GetAtt LostQueue.Arn } }
        Jobs: { Type: SQS, Properties: { Queue: !GetAtt JobQueue.Arn } }
  Table: { Type: AWS::DynamoDB::Table }
  LostQueue: { Type: AWS::SQS::Queue }
  JobQueue: { Type: AWS::SQS::Queue }
",
        )
        .unwrap();
        let function = template.resource("NotifyFunction").unwrap();

        let needed: Vec<_> = event_source_permissions(&template, function)
            .iter()
            .map(Permission::to_string)
            .collect();

        assert_eq!(
            needed,
            [
                "dynamodb:DescribeStream on Table/stream",
                "dynamodb:GetRecords on Table/stream",
                "dynamodb:GetShardIterator on Table/stream",
                "dynamodb:ListStreams on Table/stream",
                "sqs:DeleteMessage on JobQueue",
                "sqs:GetQueueAttributes on JobQueue",
                "sqs:ReceiveMessage on JobQueue",
                "sqs:SendMessage on LostQueue",
            ]
        );
    }
}

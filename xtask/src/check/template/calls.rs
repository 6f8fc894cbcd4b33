//! Compares `calls.txt`, the table of what each function calls, with the code, the environment
//! variables and the roles, each in both directions.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::code::Code;
use super::policies::{Granted, Right};
use crate::template::{Resource, Template, each, referred};

/// Text of the project's table.
pub(super) const DECLARED: &str = include_str!("calls.txt");

/// Declared calls by function.
pub(super) type Calls<'a> = BTreeMap<&'a str, BTreeSet<Right>>;

/// Parses the table. Each row has a function, a service, a resource and the calls.
pub(super) fn read(table: &str) -> Result<Calls<'_>> {
    let mut calls = Calls::new();
    let rows = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for row in rows {
        let mut words = row.split_whitespace();
        let mut word = || words.next().with_context(|| format!("calls.txt: {row}"));
        let (function, service, resource) = (word()?, word()?, word()?);
        let rights = calls.entry(function).or_default();
        rights.extend(words.map(|call| Right::new(&format!("{service}:{call}"), resource)));
    }
    Ok(calls)
}

/// Returns the violations, one sentence each.
pub(super) fn violations(
    template: &Template,
    roles: &BTreeMap<&str, Granted>,
    calls: &Calls<'_>,
    code: &Code,
) -> Vec<String> {
    let mut found = Vec::new();
    let none = BTreeSet::new();
    for function in template.functions() {
        let declared = calls.get(function.binary()).unwrap_or(&none);
        found.extend(compare_with_code(function.binary(), declared, code));
        found.extend(compare_with_variables(template, function, declared, code));
        found.extend(compare_with_role(template, roles, function, declared));
    }
    let binaries: BTreeSet<_> = template.functions().map(|function| function.binary()).collect();
    for function in calls.keys().filter(|function| !binaries.contains(**function)) {
        found.push(format!("calls.txt lists {function}, which is not a function of the template"));
    }
    found
}

fn compare_with_code(function: &str, declared: &BTreeSet<Right>, code: &Code) -> Vec<String> {
    let declared: BTreeSet<_> = declared.iter().map(|right| right.action.clone()).collect();
    let in_code = code.calls(function);
    let missing = in_code
        .difference(&declared)
        .map(|action| format!("{function} calls {action}, which calls.txt does not list"));
    let surplus = declared.difference(&in_code).map(|action| {
        format!("calls.txt lists {function} calling {action}, but its code does not call it")
    });
    missing.chain(surplus).collect()
}

/// Compares with the variables. A function finds the resources that it calls by its variables, and
/// must have no others.
fn compare_with_variables(
    template: &Template,
    function: Resource<'_>,
    declared: &BTreeSet<Right>,
    code: &Code,
) -> Vec<String> {
    let mut found = Vec::new();
    let name = function.binary();
    let environment = function.variables();
    let variables = code.variables(name);
    for variable in environment.keys().filter(|variable| !variables.read.contains(**variable)) {
        found.push(format!("{name} has the variable {variable}, which its code does not read"));
    }
    for variable in variables.required.iter().filter(|v| !environment.contains_key(v.as_str())) {
        found.push(format!("{name} needs the variable {variable}, which is not set"));
    }
    let called: BTreeSet<_> = declared
        .iter()
        .map(|right| right.resource.split('/').next().unwrap_or(&right.resource))
        .collect();
    let mut named = BTreeSet::new();
    for (variable, value) in &environment {
        let Some(id) = template.owner(value) else { continue };
        named.insert(id);
        if !called.contains(id) {
            found.push(format!("{name} gets {id} by {variable}, but calls nothing on it"));
        }
    }
    for id in called.difference(&named) {
        found.push(format!("{name} calls {id}, but no variable names it"));
    }
    found
}

/// Compares with the permissions of the function's role.
fn compare_with_role(
    template: &Template,
    roles: &BTreeMap<&str, Granted>,
    function: Resource<'_>,
    declared: &BTreeSet<Right>,
) -> Vec<String> {
    let role = referred(function.property("Role")).map(|(id, _)| id).unwrap_or_default();
    let Some(granted) = roles.get(role) else {
        return vec![format!("{} has no role of its own", function.id)];
    };
    let mut needed = declared.clone();
    needed.extend(log_rights(function));
    needed.extend(event_source_rights(template, function));
    differences(role, &granted.rights, &needed)
}

/// Returns the permissions that a role lacks, and those that it does not need.
pub(super) fn differences(
    role: &str,
    granted: &BTreeSet<Right>,
    needed: &BTreeSet<Right>,
) -> Vec<String> {
    let lacking = needed.difference(granted).map(|right| format!("{role} lacks {right}"));
    let surplus = granted.difference(needed);
    let surplus = surplus.map(|right| format!("{role} needlessly allows {right}"));
    lacking.chain(surplus).collect()
}

/// Returns the permissions to write the function's own log.
fn log_rights(function: Resource<'_>) -> BTreeSet<Right> {
    let group = referred(&function.property("LoggingConfig")["LogGroup"]).map(|(id, _)| id);
    let actions = ["logs:CreateLogStream", "logs:PutLogEvents"];
    group.into_iter().flat_map(|id| actions.map(|action| Right::new(action, id))).collect()
}

/// Returns the permissions that Lambda uses, with the function's role, to read its event sources
/// and to send failed events to their destination.
fn event_source_rights(template: &Template, function: Resource<'_>) -> BTreeSet<Right> {
    let mut needed = BTreeSet::new();
    for event in function.events() {
        let properties = &event["Properties"];
        let (source, part, actions): (_, _, &[&str]) = match event["Type"].as_str() {
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
        for (target, part, actions) in
            [(source, part, actions), (on_failure, "", &["sqs:SendMessage"])]
        {
            if let Some((id, _)) =
                referred(target).filter(|(id, _)| template.resource(id).is_some())
            {
                let resource = format!("{id}{part}");
                needed.extend(actions.iter().map(|action| Right::new(action, &resource)));
            }
        }
    }
    needed
}

/// Checks that each role is used exactly once. An unused role has permissions without need, and a
/// shared role gives one of its users permissions of another.
pub(super) fn shared(template: &Template) -> Vec<String> {
    let users = template.functions().chain(template.machines());
    let mut uses: BTreeMap<&str, usize> =
        template.of_kind("AWS::IAM::Role").map(|role| (role.id, 0)).collect();
    let mut found = Vec::new();
    for user in users {
        let service = if user.binary().is_empty() { "states" } else { "lambda" };
        let role = referred(user.property("Role")).and_then(|(id, _)| template.resource(id));
        let Some(role) = role else { continue };
        uses.entry(role.id).and_modify(|count| *count += 1);
        let trusted = &role.property("AssumeRolePolicyDocument")["Statement"];
        let expected = Value::from(format!("{service}.amazonaws.com"));
        if each(trusted).iter().any(|statement| statement["Principal"]["Service"] != expected) {
            found.push(format!("{} can be assumed by other services than {service}", role.id));
        }
    }
    for (role, count) in uses.into_iter().filter(|(_, count)| *count != 1) {
        found
            .push(format!("{role} is the role of {count} functions or state machines, not of one"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_sources_require_permissions_of_the_function_role() {
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
        let needed: Vec<_> =
            event_source_rights(&template, function).iter().map(Right::to_string).collect();
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

//! The table of what each function calls, compared with the code, with the
//! variables and with the roles: both ways each.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::code::Code;
use super::policies::{Granted, Right};
use crate::template::{Resource, Template, each, referred};

/// The table of the project.
pub(super) const DECLARED: &str = include_str!("calls.txt");

/// What each function is said to call.
pub(super) type Calls<'a> = BTreeMap<&'a str, BTreeSet<Right>>;

/// Reads the table: function, service, resource, calls.
pub(super) fn read(table: &str) -> Result<Calls<'_>> {
    let mut calls = Calls::new();
    let rows = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for row in rows {
        let mut words = row.split_whitespace();
        let mut word = || words.next().with_context(|| format!("calls.txt: {row}"));
        let (function, service, resource) = (word()?, word()?, word()?);
        let of_function = calls.entry(function).or_default();
        of_function.extend(words.map(|call| Right::new(&format!("{service}:{call}"), resource)));
    }
    Ok(calls)
}

/// What is wrong, a sentence each.
pub(super) fn complaints(
    template: &Template,
    roles: &BTreeMap<&str, Granted>,
    calls: &Calls<'_>,
    code: &Code,
) -> Vec<String> {
    let mut found = Vec::new();
    let none = BTreeSet::new();
    for function in template.functions() {
        let declared = calls.get(function.binary()).unwrap_or(&none);
        found.extend(with_code(function.binary(), declared, code));
        found.extend(with_variables(template, function, declared, code));
        found.extend(with_role(template, roles, function, declared));
    }
    let binaries: BTreeSet<_> = template.functions().map(|function| function.binary()).collect();
    for function in calls.keys().filter(|function| !binaries.contains(**function)) {
        found.push(format!("calls.txt tells of {function}, which is no function of the template"));
    }
    found
}

fn with_code(function: &str, declared: &BTreeSet<Right>, code: &Code) -> Vec<String> {
    let declared: BTreeSet<_> = declared.iter().map(|right| right.action.clone()).collect();
    let made = code.calls(function);
    let missing = made
        .difference(&declared)
        .map(|action| format!("{function} calls {action}, which calls.txt does not tell"));
    let surplus = declared.difference(&made).map(|action| {
        format!("calls.txt tells that {function} calls {action}, which its code does not")
    });
    missing.chain(surplus).collect()
}

/// A function finds what it calls through its variables, and is given no others.
fn with_variables(
    template: &Template,
    function: Resource<'_>,
    declared: &BTreeSet<Right>,
    code: &Code,
) -> Vec<String> {
    let mut found = Vec::new();
    let name = function.binary();
    let given = function.variables();
    let variables = code.variables(name);
    for variable in given.keys().filter(|variable| !variables.read.contains(**variable)) {
        found.push(format!("{name} is given {variable}, which its code does not read"));
    }
    for variable in variables.required.iter().filter(|v| !given.contains_key(v.as_str())) {
        found.push(format!("{name} needs {variable}, which it is not given"));
    }
    let called: BTreeSet<_> = declared
        .iter()
        .map(|right| right.resource.split('/').next().unwrap_or(&right.resource))
        .collect();
    let mut told = BTreeSet::new();
    for (variable, value) in &given {
        let Some(id) = template.owner(value) else { continue };
        told.insert(id);
        if !called.contains(id) {
            found.push(format!("{name} is told of {id} by {variable} and calls nothing on it"));
        }
    }
    for id in called.difference(&told) {
        found.push(format!("{name} calls something on {id}, but no variable tells it where"));
    }
    found
}

fn with_role(
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
    needed.extend(of_log(function));
    needed.extend(of_events(template, function));
    differences(role, &granted.rights, &needed)
}

/// What a role lacks, and what it has without need.
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

/// Every function writes its own log.
fn of_log(function: Resource<'_>) -> BTreeSet<Right> {
    let group = referred(&function.property("LoggingConfig")["LogGroup"]).map(|(id, _)| id);
    let actions = ["logs:CreateLogStream", "logs:PutLogEvents"];
    group.into_iter().flat_map(|id| actions.map(|action| Right::new(action, id))).collect()
}

/// What Lambda calls with the function's role to read what it hands to it, and to
/// put away what the function does not take.
fn of_events(template: &Template, function: Resource<'_>) -> BTreeSet<Right> {
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
        let away = &properties["DestinationConfig"]["OnFailure"]["Destination"];
        for (place, part, actions) in [(source, part, actions), (away, "", &["sqs:SendMessage"])] {
            if let Some((id, _)) = referred(place).filter(|(id, _)| template.resource(id).is_some())
            {
                let resource = format!("{id}{part}");
                needed.extend(actions.iter().map(|action| Right::new(action, &resource)));
            }
        }
    }
    needed
}

/// Roles that nobody takes, or that several take: rights that nobody needs, or
/// that one of them does not need.
pub(super) fn shared(template: &Template) -> Vec<String> {
    let takers = template.functions().chain(template.machines());
    let mut uses: BTreeMap<&str, usize> =
        template.of_kind("AWS::IAM::Role").map(|role| (role.id, 0)).collect();
    let mut found = Vec::new();
    for taker in takers {
        let service = if taker.binary().is_empty() { "states" } else { "lambda" };
        let role = referred(taker.property("Role")).and_then(|(id, _)| template.resource(id));
        let Some(role) = role else { continue };
        uses.entry(role.id).and_modify(|count| *count += 1);
        let trusted = &role.property("AssumeRolePolicyDocument")["Statement"];
        let wanted = Value::from(format!("{service}.amazonaws.com"));
        if each(trusted).iter().any(|statement| statement["Principal"]["Service"] != wanted) {
            found.push(format!("{} may be taken by others than {service}", role.id));
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
    fn reading_a_stream_and_a_queue_for_a_function_takes_rights_of_its_role() {
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
        Wishes: { Type: SQS, Properties: { Queue: !GetAtt WishQueue.Arn } }
  Table: { Type: AWS::DynamoDB::Table }
  LostQueue: { Type: AWS::SQS::Queue }
  WishQueue: { Type: AWS::SQS::Queue }
",
        )
        .unwrap();
        let function = template.resource("NotifyFunction").unwrap();
        let needed: Vec<_> = of_events(&template, function).iter().map(Right::to_string).collect();
        assert_eq!(
            needed,
            [
                "dynamodb:DescribeStream on Table/stream",
                "dynamodb:GetRecords on Table/stream",
                "dynamodb:GetShardIterator on Table/stream",
                "dynamodb:ListStreams on Table/stream",
                "sqs:DeleteMessage on WishQueue",
                "sqs:GetQueueAttributes on WishQueue",
                "sqs:ReceiveMessage on WishQueue",
                "sqs:SendMessage on LostQueue",
            ]
        );
    }
}

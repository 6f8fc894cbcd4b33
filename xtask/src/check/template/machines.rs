//! Checks the template's state machines: definitions, timeouts of tasks, and roles, which the
//! emulator does not enforce.

use std::collections::{BTreeMap, BTreeSet};

use super::calls::differences;
use super::machine::{Definition, Work};
use super::policies::{Granted, Right};
use super::retriers;
use crate::template::{Resource, Template, referred};

/// EventBridge rule that notifies Step Functions of the end of an execution for which another one
/// waits. AWS defines its name.
const RULE: &str = "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule";

/// Returns the violations, one sentence each.
pub(super) fn violations(
    template: &Template,
    definitions: &[Definition],
    roles: &BTreeMap<&str, Granted>,
) -> Vec<String> {
    let mut found = Vec::new();
    for machine in template.machines() {
        let uri = machine.property("DefinitionUri").as_str().unwrap_or_default();
        match definitions.iter().find(|definition| definition.path == uri) {
            Some(definition) => {
                found.extend(machine_violations(template, machine, definition, roles));
            }
            None => {
                found.push(format!("{} is defined by {uri:?}, which does not exist", machine.id));
            }
        }
    }
    for Definition { path, .. } in definitions {
        if template.machines().filter(|machine| machine.property("DefinitionUri") == path).count()
            != 1
        {
            found.push(format!("{path} is not the definition of exactly one state machine"));
        }
    }
    found
}

fn machine_violations(
    template: &Template,
    machine: Resource<'_>,
    definition: &Definition,
    roles: &BTreeMap<&str, Granted>,
) -> Vec<String> {
    let mut found = Vec::new();
    let path = &definition.path;
    let substitutions = machine.substitutions();
    let placeholders: BTreeSet<_> = definition.placeholders().collect();
    for name in placeholders.iter().filter(|name| !substitutions.contains_key(**name)) {
        found.push(format!("{path}: {} does not substitute ${{{name}}}", machine.id));
    }
    for name in substitutions.keys().filter(|name| !placeholders.contains(**name)) {
        found.push(format!("{path}: {} substitutes {name}, which is not used", machine.id));
    }
    found.extend(retriers::machine_violations(template, machine, definition));
    let mut needed = BTreeSet::new();
    for (name, task) in definition.machine.tasks() {
        let Some(timeout) = task.timeout_seconds else {
            found.push(format!("{path}: {name} has no TimeoutSeconds"));
            continue;
        };
        let called = |placeholder: Option<&str>, kind: &str| {
            let value = substitutions.get(placeholder?)?;
            let (id, _) = referred(value)?;
            template.resource(id).filter(|resource| resource.kind == kind)
        };
        match task.work() {
            Work::Invoke(placeholder) => {
                let Some(function) = called(placeholder, "AWS::Serverless::Function") else {
                    found.push(format!("{path}: {name} calls no function of the template"));
                    continue;
                };
                needed.insert(Right::new("lambda:InvokeFunction", function.id));
                match template.at_most(function.property_or_global("Timeout")) {
                    Some(limit) if timeout > limit => {}
                    Some(limit) => found.push(format!(
                        "{path}: {name} waits {timeout} s, not longer than the {limit} s of {}",
                        function.id
                    )),
                    None => {
                        found.push(format!("{} has no Timeout with an upper bound", function.id));
                    }
                }
            }
            Work::Run(placeholder) => {
                let Some(child) = called(placeholder, "AWS::Serverless::StateMachine") else {
                    found.push(format!("{path}: {name} starts no state machine of the template"));
                    continue;
                };
                needed.extend(start_and_wait_rights(child.id));
            }
            Work::Unknown(resource) => {
                found.push(format!(
                    "{path}: {name} uses {resource:?}, whose required permissions are unknown"
                ));
            }
        }
    }
    let role = referred(machine.property("Role")).map(|(id, _)| id).unwrap_or_default();
    match roles.get(role) {
        Some(granted) => found.extend(differences(role, &granted.rights, &needed)),
        None => found.push(format!("{} has no role of its own", machine.id)),
    }
    found
}

/// Returns the permissions that Step Functions needs to start an execution and wait for it.
fn start_and_wait_rights(machine: &str) -> [Right; 6] {
    let executions = format!("{machine}/executions");
    [
        Right::new("states:StartExecution", machine),
        Right::new("states:DescribeExecution", &executions),
        Right::new("states:StopExecution", &executions),
        Right::new("events:DescribeRule", RULE),
        Right::new("events:PutRule", RULE),
        Right::new("events:PutTargets", RULE),
    ]
}

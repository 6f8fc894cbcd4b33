//! Checks the state machines of `template.yaml` against their definitions in `statemachine/`.
//!
//! A *task* is a state that calls a function or starts another state machine. A *placeholder*
//! `${name}` in a definition stands for a value that the template substitutes.
//!
//! The rules are:
//!
//! - The template substitutes all placeholders of a definition.
//! - Each task waits longer than the timeout of the function that it calls.
//! - The role of a state machine allows exactly the calls of its tasks. The AWS emulator does not
//!   enforce the role.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::machine::{Definition, State, TaskAction};
use super::policies::{Permission, RolePermissions, permission_differences};
use super::retriers;
use crate::template::{Resource, Template, referenced_id};

/// EventBridge rule by which Step Functions learns that an execution has ended, so that another
/// execution can stop waiting for it. AWS defines the name of the rule.
const EXECUTION_END_RULE: &str = "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule";

/// Returns the violations, one sentence each.
pub(super) fn violations(
    template: &Template,
    definitions: &[Definition],
    roles: &BTreeMap<&str, RolePermissions>,
) -> Vec<String> {
    let mut violations = Vec::new();
    for machine in template.machines() {
        let uri = machine.property("DefinitionUri").as_str().unwrap_or_default();
        match definitions.iter().find(|definition| definition.path == uri) {
            Some(definition) => {
                violations.extend(machine_violations(template, machine, definition, roles));
            }
            None => {
                violations
                    .push(format!("{} is defined by {uri:?}, which does not exist", machine.id));
            }
        }
    }
    for Definition { path, .. } in definitions {
        let uses = template.machines().filter(|machine| machine.property("DefinitionUri") == path);
        if uses.count() != 1 {
            violations.push(format!("{path} is not the definition of exactly one state machine"));
        }
    }
    violations
}

/// Checks one state machine of the template against its definition and its role.
fn machine_violations(
    template: &Template,
    machine: Resource<'_>,
    definition: &Definition,
    roles: &BTreeMap<&str, RolePermissions>,
) -> Vec<String> {
    let mut violations = Vec::new();
    let path = &definition.path;
    let substitutions = machine.substitutions();
    let placeholders: BTreeSet<_> = definition.placeholders().collect();
    for name in placeholders.iter().filter(|name| !substitutions.contains_key(**name)) {
        violations.push(format!("{path}: {} does not substitute ${{{name}}}", machine.id));
    }
    for name in substitutions.keys().filter(|name| !placeholders.contains(**name)) {
        violations.push(format!("{path}: {} substitutes {name}, which is not used", machine.id));
    }
    violations.extend(retriers::machine_violations(template, machine, definition));
    let mut needed = BTreeSet::new();
    for (name, task) in definition.machine.tasks() {
        let prefix = format!("{path}: {name}");
        violations.extend(task_violation(template, &substitutions, &prefix, task, &mut needed));
    }
    let role = referenced_id(machine.property("Role")).unwrap_or_default();
    match roles.get(role) {
        Some(granted) => {
            violations.extend(permission_differences(role, &granted.permissions, &needed));
        }
        None => violations.push(format!("{} has no role of its own", machine.id)),
    }
    violations
}

/// Returns the violation in a task, if there is one. The violation begins with `prefix`, which
/// names the task. Adds the permissions that the task needs to `needed`.
fn task_violation(
    template: &Template,
    substitutions: &BTreeMap<&str, &Value>,
    prefix: &str,
    task: &State,
    needed: &mut BTreeSet<Permission>,
) -> Option<String> {
    let Some(timeout) = task.timeout_seconds else {
        return Some(format!("{prefix} has no TimeoutSeconds"));
    };
    let called_resource = |placeholder: Option<&str>, resource_type: &str| {
        let value = substitutions.get(placeholder?)?;
        template
            .resource(referenced_id(value)?)
            .filter(|resource| resource.resource_type == resource_type)
    };
    match task.action() {
        TaskAction::InvokeFunction(placeholder) => {
            let Some(function) = called_resource(placeholder, "AWS::Serverless::Function") else {
                return Some(format!("{prefix} calls no function of the template"));
            };
            needed.insert(Permission::new("lambda:InvokeFunction", function.id));
            match template.maximum_of(function.property_or_global("Timeout")) {
                Some(limit) if timeout > limit => None,
                Some(limit) => Some(format!(
                    "{prefix} waits {timeout} s, not longer than the {limit} s of {}",
                    function.id
                )),
                None => Some(format!("{} has no Timeout with an upper bound", function.id)),
            }
        }
        TaskAction::StartMachine(placeholder) => {
            let Some(child) = called_resource(placeholder, "AWS::Serverless::StateMachine") else {
                return Some(format!("{prefix} starts no state machine of the template"));
            };
            needed.extend(start_and_wait_permissions(child.id));
            None
        }
        TaskAction::Unknown(resource) => {
            Some(format!("{prefix} uses {resource:?}, whose required permissions are unknown"))
        }
    }
}

/// Returns the permissions that Step Functions needs to start an execution and wait for it.
fn start_and_wait_permissions(machine: &str) -> [Permission; 6] {
    let executions = format!("{machine}/executions");
    [
        Permission::new("states:StartExecution", machine),
        Permission::new("states:DescribeExecution", &executions),
        Permission::new("states:StopExecution", &executions),
        Permission::new("events:DescribeRule", EXECUTION_END_RULE),
        Permission::new("events:PutRule", EXECUTION_END_RULE),
        Permission::new("events:PutTargets", EXECUTION_END_RULE),
    ]
}

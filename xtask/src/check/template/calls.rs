//! Checks `calls.txt`, the table of the AWS actions that each Lambda function calls.
//!
//! For each function, the table must match three other sources:
//!
//! - the function's code: the AWS actions that it can call;
//! - its environment variables, which name the resources;
//! - its IAM role (see `function_roles`).
//!
//! Each comparison reports two kinds of violations: an entry of the table that the other source
//! lacks, and an entry of the other source that the table lacks.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};

use super::code::Code;
use super::function_roles;
use super::policies::{Permission, RolePermissions};
use crate::template::{Resource, Template};

/// Content of the project's `calls.txt`.
pub(super) const DECLARED: &str = include_str!("calls.txt");

/// Permissions for the calls in the table, by function.
pub(super) type Calls<'a> = BTreeMap<&'a str, BTreeSet<Permission>>;

/// Parses the table. Each row has a function, an AWS service, a resource and the called actions.
pub(super) fn read(table: &str) -> Result<Calls<'_>> {
    let mut calls = Calls::new();
    let rows = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for row in rows {
        let mut columns = row.split_whitespace();
        let mut next_column = || columns.next().with_context(|| format!("calls.txt: {row}"));
        let (function, service, resource) = (next_column()?, next_column()?, next_column()?);
        let permissions = calls.entry(function).or_default();
        permissions.extend(
            columns.map(|action| Permission::new(&format!("{service}:{action}"), resource)),
        );
    }
    Ok(calls)
}

/// Returns the violations, one sentence each.
pub(super) fn violations(
    template: &Template,
    roles: &BTreeMap<&str, RolePermissions>,
    calls: &Calls<'_>,
    code: &Code,
) -> Vec<String> {
    let mut violations = Vec::new();
    let no_permissions = BTreeSet::new();
    for function in template.functions() {
        let declared = calls.get(function.binary()).unwrap_or(&no_permissions);
        violations.extend(compare_with_code(function.binary(), declared, code));
        violations.extend(compare_with_variables(template, function, declared, code));
        violations.extend(function_roles::violations(template, roles, function, declared));
    }
    let binaries: BTreeSet<_> = template.functions().map(|function| function.binary()).collect();
    for function in calls.keys().filter(|function| !binaries.contains(**function)) {
        violations
            .push(format!("calls.txt lists {function}, which is not a function of the template"));
    }
    violations
}

/// Compares the table with the AWS actions that the function's code can call.
fn compare_with_code(function: &str, declared: &BTreeSet<Permission>, code: &Code) -> Vec<String> {
    let declared_actions: BTreeSet<_> =
        declared.iter().map(|permission| permission.action.clone()).collect();
    let called_actions = code.calls(function);
    let missing = called_actions
        .difference(&declared_actions)
        .map(|action| format!("{function} calls {action}, which calls.txt does not list"));
    let surplus = declared_actions.difference(&called_actions).map(|action| {
        format!("calls.txt lists {function} calling {action}, but its code does not call it")
    });
    missing.chain(surplus).collect()
}

/// Compares the table with the function's environment variables. A variable tells the function the
/// name of a resource. The function must have a variable for each called resource, and none for a
/// resource that it does not call.
fn compare_with_variables(
    template: &Template,
    function: Resource<'_>,
    declared: &BTreeSet<Permission>,
    code: &Code,
) -> Vec<String> {
    let mut violations = Vec::new();
    let name = function.binary();
    let environment = function.variables();
    let variables = code.variables(name);
    for variable in environment.keys().filter(|variable| !variables.read.contains(**variable)) {
        violations
            .push(format!("{name} has the variable {variable}, which its code does not read"));
    }
    for variable in
        variables.required.iter().filter(|variable| !environment.contains_key(variable.as_str()))
    {
        violations.push(format!("{name} needs the variable {variable}, which is not set"));
    }
    let called_resources: BTreeSet<_> = declared
        .iter()
        .map(|permission| permission.resource.split('/').next().unwrap_or(&permission.resource))
        .collect();
    let mut resources_in_variables = BTreeSet::new();
    for (variable, value) in &environment {
        let Some(id) = template.referenced_resource(value) else { continue };
        resources_in_variables.insert(id);
        if !called_resources.contains(id) {
            violations.push(format!("{name} gets {id} by {variable}, but calls nothing on it"));
        }
    }
    for id in called_resources.difference(&resources_in_variables) {
        violations.push(format!("{name} calls {id}, but no variable names it"));
    }
    violations
}

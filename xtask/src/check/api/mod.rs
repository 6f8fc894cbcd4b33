//! Checks that `openapi.yaml` is complete and matches the API in `template.yaml`.

mod examples;
mod generators;
mod values;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use docferry_openapi::{Description, Operation};
use serde_json::Value;

use crate::paths::Paths;
use crate::template::Template;
use values::members;

/// The only path that needs no credentials.
const PUBLIC_PATH: &str = "/health";

/// Returns the violations, one sentence each, grouped by topic.
pub(super) fn violations(paths: &Paths) -> Result<[(&'static str, Vec<String>); 3]> {
    let path = paths.root.join("openapi.yaml");
    let text = std::fs::read_to_string(&path).context("openapi.yaml is missing")?;
    let description = Description::parse(&text).context("openapi.yaml describes no API")?;
    let template = Template::of_project(&paths.root)?;
    Ok([
        (
            "openapi.yaml matches the routes of the template",
            route_violations(&description, &template.routes()),
        ),
        ("openapi.yaml is complete", completeness_violations(&description)),
        ("openapi.yaml suits client generators", generators::violations(&description)),
    ])
}

/// Returns the routes that are in only one of the two. `made` are the template's routes.
fn route_violations(description: &Description, in_template: &BTreeSet<String>) -> Vec<String> {
    let in_template: BTreeSet<_> =
        in_template.iter().filter(|route| !route.starts_with("OPTIONS ")).collect();
    let described: BTreeSet<_> =
        description.operations().map(|operation| operation.route()).collect();
    let mut found = Vec::new();
    for route in &in_template {
        if !described.contains(*route) {
            found.push(format!("{route} is not described"));
        }
    }
    for route in &described {
        if !in_template.contains(route) {
            found.push(format!("{route} is described but not in the template"));
        }
    }
    found
}

/// Checks each operation for completeness: ids, summaries, tags, security, parameters, examples and
/// references.
fn completeness_violations(description: &Description) -> Vec<String> {
    let mut found = Vec::new();
    let mut ids = BTreeSet::new();
    for operation in description.operations() {
        let route = operation.route();
        for name in ["operationId", "summary"] {
            if operation.body[name].as_str().is_none_or(str::is_empty) {
                found.push(format!("{route} has no {name}"));
            }
        }
        if let Some(id) = operation.body["operationId"].as_str()
            && !ids.insert(id)
        {
            found.push(format!("{route} has a duplicate operationId: {id}"));
        }
        found.extend(tag_violations(description, &operation));
        found.extend(security_violations(description, &operation));
        found.extend(name_violations(description, &operation));
    }
    found.extend(examples::violations(description));
    found.extend(broken_references(description, description.document()));
    found
}

fn tag_violations(description: &Description, operation: &Operation<'_>) -> Vec<String> {
    let known: Vec<_> = members(&description.document()["tags"]).map(|tag| &tag["name"]).collect();
    let tags: Vec<_> = members(&operation.body["tags"]).collect();
    if tags.is_empty() {
        return vec![format!("{} has no tags", operation.route())];
    }
    let unknown = tags.into_iter().filter(|tag| !known.contains(tag));
    unknown.map(|tag| format!("{} has the undeclared tag {tag}", operation.route())).collect()
}

/// Checks the security of an operation. Each one must state it, so that none is public by an
/// oversight.
fn security_violations(description: &Description, operation: &Operation<'_>) -> Vec<String> {
    let route = operation.route();
    let Some(alternatives) = operation.body["security"].as_array() else {
        return vec![format!("{route} states no security")];
    };
    if alternatives.is_empty() != (operation.path == PUBLIC_PATH) {
        return vec![format!(
            "{route}: credentials are required everywhere except at {PUBLIC_PATH}"
        )];
    }
    let known = &description.document()["components"]["securitySchemes"];
    let named = alternatives.iter().filter_map(Value::as_object).flatten();
    let unknown = named.filter(|(name, _)| known[name.as_str()].is_null());
    unknown.map(|(name, _)| format!("{route}: there is no security scheme {name}")).collect()
}

/// Checks that the parameters in the path and the described path parameters are the same.
fn name_violations(description: &Description, operation: &Operation<'_>) -> Vec<String> {
    let parameters =
        members(&operation.body["parameters"]).map(|parameter| description.resolve(parameter));
    let described: BTreeSet<_> = parameters
        .filter(|parameter| parameter["in"] == "path")
        .filter_map(|parameter| parameter["name"].as_str())
        .collect();
    let parts = operation.path.split('/');
    let named: BTreeSet<_> =
        parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
    let differ = named.symmetric_difference(&described);
    differ
        .map(|name| {
            format!(
                "{}: {name} is in the path or the parameters, but not in both",
                operation.route()
            )
        })
        .collect()
}

/// Returns the references without a target.
fn broken_references(description: &Description, value: &Value) -> Vec<String> {
    match value {
        Value::Array(members) => {
            members.iter().flat_map(|member| broken_references(description, member)).collect()
        }
        Value::Object(members) => {
            let broken = members.get("$ref").filter(|_| description.resolve(value).is_null());
            let broken = broken.map(|target| format!("the reference to {target} has no target"));
            let below = members.values().flat_map(|member| broken_references(description, member));
            broken.into_iter().chain(below).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;

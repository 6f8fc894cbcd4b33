//! Whether `openapi.yaml` tells of the API that `template.yaml` makes, and is whole.

mod examples;
mod generators;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use docferry_openapi::{Description, Operation};
use serde_json::Value;

use crate::paths::Paths;
use crate::template::Template;

/// The one path that needs no credentials.
const OPEN: &str = "/health";

/// What is wrong, a sentence each, by what it is about.
pub(super) fn complaints(paths: &Paths) -> Result<[(&'static str, Vec<String>); 3]> {
    let path = paths.root.join("openapi.yaml");
    let text = std::fs::read_to_string(&path).context("openapi.yaml is missing")?;
    let description = Description::parse(&text).context("openapi.yaml describes no API")?;
    let template = Template::of_project(&paths.root)?;
    Ok([
        (
            "openapi.yaml has the routes of the template",
            route_complaints(&description, &template.routes()),
        ),
        ("openapi.yaml is whole", whole_complaints(&description)),
        ("openapi.yaml makes clients that work", generators::complaints(&description)),
    ])
}

/// Routes that stand in one of the two only.
fn route_complaints(description: &Description, made: &BTreeSet<String>) -> Vec<String> {
    let made: BTreeSet<_> = made.iter().filter(|route| !route.starts_with("OPTIONS ")).collect();
    let described: BTreeSet<_> = description.operations().map(|of| of.route()).collect();
    let mut found = Vec::new();
    for route in &made {
        if !described.contains(*route) {
            found.push(format!("{route} is not described"));
        }
    }
    for route in &described {
        if !made.contains(route) {
            found.push(format!("{route} is described and not made"));
        }
    }
    found
}

/// What a reader, a generator of clients or a test needs of each call.
fn whole_complaints(description: &Description) -> Vec<String> {
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
            found.push(format!("{route} has the operationId of another: {id}"));
        }
        found.extend(tag_complaints(description, &operation));
        found.extend(security_complaints(description, &operation));
        found.extend(name_complaints(description, &operation));
    }
    found.extend(examples::complaints(description));
    found.extend(lost_references(description, description.document()));
    found
}

fn tag_complaints(description: &Description, operation: &Operation<'_>) -> Vec<String> {
    let known: Vec<_> = members(&description.document()["tags"]).map(|tag| &tag["name"]).collect();
    let tags: Vec<_> = members(&operation.body["tags"]).collect();
    if tags.is_empty() {
        return vec![format!("{} has no tags", operation.route())];
    }
    let unknown = tags.into_iter().filter(|tag| !known.contains(tag));
    unknown.map(|tag| format!("{} has the tag {tag}, which is none", operation.route())).collect()
}

/// Said at each call, so that none is open by an oversight.
fn security_complaints(description: &Description, operation: &Operation<'_>) -> Vec<String> {
    let route = operation.route();
    let Some(alternatives) = operation.body["security"].as_array() else {
        return vec![format!("{route} says nothing of security")];
    };
    if alternatives.is_empty() != (operation.path == OPEN) {
        return vec![format!("{route}: credentials are needed everywhere but at {OPEN}")];
    }
    let known = &description.document()["components"]["securitySchemes"];
    let named = alternatives.iter().filter_map(Value::as_object).flatten();
    let unknown = named.filter(|(name, _)| known[name.as_str()].is_null());
    unknown.map(|(name, _)| format!("{route}: there is no security scheme {name}")).collect()
}

/// Names in the path are described as parameters, and no others are.
fn name_complaints(description: &Description, operation: &Operation<'_>) -> Vec<String> {
    let parameters = members(&operation.body["parameters"]).map(|of| description.resolve(of));
    let described: BTreeSet<_> = parameters
        .filter(|parameter| parameter["in"] == "path")
        .filter_map(|parameter| parameter["name"].as_str())
        .collect();
    let parts = operation.path.split('/');
    let named: BTreeSet<_> =
        parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
    let differ = named.symmetric_difference(&described);
    differ
        .map(|name| format!("{}: {name} stands in path or parameters only", operation.route()))
        .collect()
}

/// References that lead nowhere.
fn lost_references(description: &Description, value: &Value) -> Vec<String> {
    match value {
        Value::Array(members) => {
            members.iter().flat_map(|member| lost_references(description, member)).collect()
        }
        Value::Object(members) => {
            let lost = members.get("$ref").filter(|_| description.resolve(value).is_null());
            let lost = lost.map(|target| format!("the reference to {target} leads nowhere"));
            let below = members.values().flat_map(|member| lost_references(description, member));
            lost.into_iter().chain(below).collect()
        }
        _ => Vec::new(),
    }
}

fn members(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests;

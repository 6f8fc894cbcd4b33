//! Checks that `openapi.yaml`, the description of the API, is complete and matches the routes in
//! `template.yaml`.
//!
//! An *operation* is one method of one path. Its *route* is both as one text, such as
//! `GET /health`. A violation is a sentence that states which rule `openapi.yaml` breaks and where.

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

/// Paths that need no credentials.
const PUBLIC_PATHS: [&str; 2] = ["/health", "/metadata"];

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

/// Returns the routes that are only in the description or only in the template.
fn route_violations(description: &Description, template_routes: &BTreeSet<String>) -> Vec<String> {
    let template_routes: BTreeSet<_> =
        template_routes.iter().filter(|route| !route.starts_with("OPTIONS ")).collect();
    let described_routes: BTreeSet<_> =
        description.operations().map(|operation| operation.route()).collect();
    let mut violations = Vec::new();
    for route in &template_routes {
        if !described_routes.contains(*route) {
            violations.push(format!("{route} is not described"));
        }
    }
    for route in &described_routes {
        if !template_routes.contains(route) {
            violations.push(format!("{route} is described but not in the template"));
        }
    }
    violations
}

/// Checks that each operation has an id, a summary, tags, security, parameters and examples, and
/// that each reference in the description has a target.
fn completeness_violations(description: &Description) -> Vec<String> {
    let mut violations = Vec::new();
    let mut ids = BTreeSet::new();
    for operation in description.operations() {
        let route = operation.route();
        for name in ["operationId", "summary"] {
            if operation.body[name].as_str().is_none_or(str::is_empty) {
                violations.push(format!("{route} has no {name}"));
            }
        }
        if let Some(id) = operation.body["operationId"].as_str()
            && !ids.insert(id)
        {
            violations.push(format!("{route} has a duplicate operationId: {id}"));
        }
        violations.extend(tag_violations(description, &operation));
        violations.extend(security_violations(description, &operation));
        violations.extend(path_parameter_violations(description, &operation));
    }
    violations.extend(examples::violations(description));
    violations.extend(broken_references(description, description.document()));
    violations
}

/// Checks that an operation has tags and that the description declares them.
fn tag_violations(description: &Description, operation: &Operation<'_>) -> Vec<String> {
    let declared: Vec<_> =
        members(&description.document()["tags"]).map(|tag| &tag["name"]).collect();
    let tags: Vec<_> = members(&operation.body["tags"]).collect();
    if tags.is_empty() {
        return vec![format!("{} has no tags", operation.route())];
    }
    let unknown = tags.into_iter().filter(|tag| !declared.contains(tag));
    unknown.map(|tag| format!("{} has the undeclared tag {tag}", operation.route())).collect()
}

/// Checks the security of an operation. Each operation must state its security explicitly, so that
/// no operation becomes public by mistake.
fn security_violations(description: &Description, operation: &Operation<'_>) -> Vec<String> {
    let route = operation.route();
    let Some(alternatives) = operation.body["security"].as_array() else {
        return vec![format!("{route} states no security")];
    };
    if alternatives.is_empty() != PUBLIC_PATHS.contains(&operation.path) {
        let public = PUBLIC_PATHS.join(" and ");
        return vec![format!("{route}: credentials are required everywhere except at {public}")];
    }
    let schemes = &description.document()["components"]["securitySchemes"];
    let named = alternatives.iter().filter_map(Value::as_object).flatten();
    let unknown = named.filter(|(name, _)| schemes[name.as_str()].is_null());
    unknown.map(|(name, _)| format!("{route}: there is no security scheme {name}")).collect()
}

/// Checks that an operation describes exactly the parameters in its path.
fn path_parameter_violations(description: &Description, operation: &Operation<'_>) -> Vec<String> {
    let parameters =
        members(&operation.body["parameters"]).map(|parameter| description.resolve(parameter));
    let described: BTreeSet<_> = parameters
        .filter(|parameter| parameter["in"] == "path")
        .filter_map(|parameter| parameter["name"].as_str())
        .collect();
    let segments = operation.path.split('/');
    let in_path: BTreeSet<_> =
        segments.filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')).collect();
    let in_only_one = in_path.symmetric_difference(&described);
    in_only_one
        .map(|name| {
            format!(
                "{}: {name} is in the path or the parameters, but not in both",
                operation.route()
            )
        })
        .collect()
}

/// Returns a violation for each reference (`$ref`) in `value` that has no target.
fn broken_references(description: &Description, value: &Value) -> Vec<String> {
    match value {
        Value::Array(members) => {
            members.iter().flat_map(|member| broken_references(description, member)).collect()
        }
        Value::Object(members) => {
            let broken = members.get("$ref").filter(|_| description.resolve(value).is_null());
            let broken = broken.map(|target| format!("the reference to {target} has no target"));
            let nested = members.values().flat_map(|member| broken_references(description, member));
            broken.into_iter().chain(nested).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;

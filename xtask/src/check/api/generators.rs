//! Checks that client generators can generate working clients from `openapi.yaml`.
//!
//! A client generator writes the code of a client for a programming language. The generated clients
//! need four things:
//!
//! - named types,
//! - integers with a known width,
//! - responses that may get more members in a later version,
//! - the same format for all errors.

use std::collections::BTreeSet;

use docferry_openapi::Description;
use serde_json::Value;

use super::values::{members, object};

/// Media type of error responses.
const PROBLEM_TYPE: &str = "application/problem+json";

/// Largest value that an integer without a format may have. Generators use 32 bits for it.
const MAX_32_BIT: u64 = i32::MAX as u64;

/// Returns the violations, one sentence each.
pub(super) fn violations(description: &Description) -> Vec<String> {
    let document = description.document();
    let mut violations = Vec::new();
    if !document["openapi"].as_str().is_some_and(|version| version.starts_with("3.0.")) {
        violations.push("it is not OpenAPI 3.0".to_owned());
    }
    let is_word = |name: &str| name.chars().all(|letter| letter.is_ascii_alphanumeric());
    for (name, schema) in object(&document["components"]["schemas"]) {
        if !is_word(name) {
            violations.push(format!("the schema {name}: letters and digits only"));
        }
        violations.extend(type_violations(name, schema));
    }
    for (name, parameter) in object(&document["components"]["parameters"]) {
        violations.extend(type_violations(name, &parameter["schema"]));
    }
    for (path, item) in object(&document["paths"]) {
        if !path.split('/').all(is_segment) {
            violations.push(format!("the path {path}: a part is a name or letters, digits, - . _"));
        }
        for (method, operation) in object(item) {
            let route = format!("{method} {path}");
            violations.extend(response_violations(description, &route, &operation["responses"]));
        }
    }
    violations.extend(closed_responses(description));
    violations
}

/// Returns whether a path segment is a word, or the name of a parameter in braces.
fn is_segment(segment: &str) -> bool {
    let parameter = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
    let name = parameter.unwrap_or(segment);
    name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-._".contains(letter))
}

/// Returns a violation for each schema of one of these kinds:
///
/// - Some generators would create no type for it.
/// - Some generators would create an integer type that is too small for its values.
fn type_violations(place: &str, schema: &Value) -> Vec<String> {
    let mut violations = Vec::new();
    if !schema["properties"].is_null() && schema["type"] != "object" {
        violations.push(format!("{place} has properties but is not an object"));
    }
    if schema["type"] == "integer" && schema["format"].is_null() {
        let is_bounded = schema["maximum"].as_u64().is_some_and(|maximum| maximum <= MAX_32_BIT);
        if !is_bounded {
            violations.push(format!("{place} is an integer without a format or a small maximum"));
        }
    }
    for alternative in members(&schema["oneOf"]).filter(|schema| schema["$ref"].is_null()) {
        violations.push(format!("{place}: the alternative {alternative} has no name"));
    }
    for (name, member) in object(&schema["properties"]) {
        violations.extend(type_violations(&format!("{place}.{name}"), member));
    }
    if !schema["items"].is_null() {
        violations.extend(type_violations(&format!("{place}[]"), &schema["items"]));
    }
    violations
}

/// Returns a violation for each status that is not a number, and for each error response that is
/// not a problem document.
fn response_violations(description: &Description, route: &str, responses: &Value) -> Vec<String> {
    let mut violations = Vec::new();
    for (status, response) in object(responses) {
        let Ok(status) = status.parse::<u16>() else {
            violations.push(format!("{route}: statuses must be explicit, not {status}"));
            continue;
        };
        let content = &description.resolve(response)["content"][PROBLEM_TYPE];
        if status >= 400 && content["schema"].is_null() {
            violations
                .push(format!("{route}: the error response {status} is not a problem document"));
        }
    }
    violations
}

/// Returns a violation for each schema of a response without `additionalProperties: true`. Some
/// clients that are generated from such a schema fail when a later version of the API adds a
/// member.
fn closed_responses(description: &Description) -> Vec<String> {
    let mut schema_names = BTreeSet::new();
    for operation in description.operations() {
        for (_, response) in object(&operation.body["responses"]) {
            for (_, content) in object(&description.resolve(response)["content"]) {
                collect_references(description, &content["schema"], &mut schema_names);
            }
        }
    }
    let schemas = &description.document()["components"]["schemas"];
    let closed = schema_names.iter().filter(|name| {
        let schema = &schemas[name.as_str()];
        schema["type"] == "object" && schema["additionalProperties"] != true
    });
    closed
        .map(|name| format!("{name} is in responses and has no additionalProperties: true"))
        .collect()
}

/// Adds the names of all schemas to which a schema refers, directly or indirectly.
fn collect_references(description: &Description, schema: &Value, names: &mut BTreeSet<String>) {
    let name = schema["$ref"].as_str().and_then(|target| target.rsplit('/').next());
    if let Some(name) = name {
        if names.insert(name.to_owned()) {
            collect_references(description, description.resolve(schema), names);
        }
        return;
    }
    match schema {
        Value::Object(object) => {
            object.values().for_each(|member| collect_references(description, member, names));
        }
        Value::Array(array) => {
            array.iter().for_each(|member| collect_references(description, member, names));
        }
        _ => {}
    }
}

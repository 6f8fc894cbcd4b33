//! What API Gateway's import of OpenAPI refuses or cannot express, as its developer
//! guide lists it under important notes for REST APIs. What it merely passes over
//! (`additionalProperties`, examples, links) may stand.

use serde_json::Value;

/// Words of schemas that it does not take.
const REFUSED: [&str; 7] = [
    "oneOf",
    "anyOf",
    "discriminator",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "readOnly",
    "patternProperties",
];

pub(super) fn complaints(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if !document["openapi"].as_str().is_some_and(|version| version.starts_with("3.0.")) {
        found.push("it is not OpenAPI 3.0".to_owned());
    }
    let is_word = |name: &str| name.chars().all(|letter| letter.is_ascii_alphanumeric());
    let models = document["components"]["schemas"].as_object().into_iter().flatten();
    let named = models.filter(|(name, _)| !is_word(name));
    found.extend(named.map(|(name, _)| format!("the schema {name}: letters and digits only")));
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        if !path.split('/').all(is_segment) {
            found.push(format!("the path {path}: a part is a name or letters, digits, - . _"));
        }
        for (method, operation) in item.as_object().into_iter().flatten() {
            if !operation["responses"]["default"].is_null() {
                found.push(format!("{method} {path}: statuses are named, not default"));
            }
        }
    }
    found.extend(schema_complaints(document));
    found
}

/// A name in braces is a part of its own.
fn is_segment(part: &str) -> bool {
    let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')).unwrap_or(part);
    name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-._".contains(letter))
}

fn schema_complaints(value: &Value) -> Vec<String> {
    match value {
        Value::Array(members) => members.iter().flat_map(schema_complaints).collect(),
        Value::Object(members) => {
            let mut found: Vec<_> = members.values().flat_map(schema_complaints).collect();
            let refused = REFUSED.iter().filter(|word| members.contains_key(**word));
            found.extend(refused.map(|word| format!("{word} is not taken")));
            let pattern = members.get("pattern").and_then(Value::as_str);
            if let Some(pattern) = pattern.filter(|pattern| pattern.contains("(?")) {
                found.push(format!("the pattern {pattern} has more than plain groups"));
            }
            found
        }
        _ => Vec::new(),
    }
}

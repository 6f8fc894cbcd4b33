//! Checks that each JSON body in `openapi.yaml` has an example and that all examples match their
//! schemas.

use docferry_openapi::{Description, Operation};
use serde_json::Value;

use super::values::{members, object};

/// Returns the violations, one sentence each.
pub(super) fn violations(description: &Description) -> Vec<String> {
    let mut violations = Vec::new();
    for operation in description.operations() {
        for (place, content) in contents(description, &operation) {
            if place.ends_with("json") && examples(content).next().is_none() {
                violations.push(format!("{} has no example of {place}", operation.route()));
            }
            for example in examples(content) {
                let example_violations = description.value_violations(&content["schema"], example);
                let describe =
                    |violation| format!("{}, example of {place}: {violation}", operation.route());
                violations.extend(example_violations.into_iter().map(describe));
            }
        }
    }
    violations
}

/// Returns everything in an operation that has a schema: parameters, bodies and response headers.
/// The text with each of them names its place in the operation.
fn contents<'a>(
    description: &'a Description,
    operation: &Operation<'a>,
) -> Vec<(String, &'a Value)> {
    let mut contents = Vec::new();
    for parameter in members(&operation.body["parameters"]) {
        let parameter = description.resolve(parameter);
        contents.push((format!("the parameter {}", parameter["name"]), parameter));
    }
    let request = description.resolve(&operation.body["requestBody"]);
    for (media_type, content) in object(&request["content"]) {
        contents.push((format!("the request's {media_type}"), content));
    }
    for (status, response) in object(&operation.body["responses"]) {
        let response = description.resolve(response);
        for (media_type, content) in object(&response["content"]) {
            contents.push((format!("{status}, {media_type}"), content));
        }
        for (name, header) in object(&response["headers"]) {
            contents.push((format!("{status}, {name}"), description.resolve(header)));
        }
    }
    contents
}

/// Returns the values of all examples.
fn examples(content: &Value) -> impl Iterator<Item = &Value> {
    let named = object(&content["examples"]).map(|(_, example)| &example["value"]);
    content.get("example").into_iter().chain(named)
}

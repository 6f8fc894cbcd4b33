//! Validation of JSON values against the schemas of the API description.
//!
//! The description has schemas in the dialect of OpenAPI 3.0. This module converts them into JSON
//! Schema, so that the crate `jsonschema` can validate values against them. A *component* is a
//! schema with a name, to which other schemas refer by `$ref`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

/// Schemas of a description. The validator of each schema is built on first use and cached.
#[derive(Debug)]
pub(crate) struct Schemas {
    /// Schemas to which other schemas refer, converted into JSON Schema.
    components: Value,
    /// Cached validators. The key is the JSON text of the schema.
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

impl Schemas {
    pub(crate) fn new(components: &Value) -> Self {
        let components = to_json_schema(&json!({ "schemas": components["schemas"] }));
        Self { components, validators: Mutex::default() }
    }

    /// Checks a value against a schema. Returns one message for each violation. The value may be
    /// personal data, so no message repeats it.
    pub(crate) fn violations(&self, schema: &Value, value: &Value) -> Vec<String> {
        let validator = match self.validator(schema) {
            Ok(validator) => validator,
            Err(error) => return vec![error],
        };
        let violations = validator.iter_errors(value);
        violations
            .map(|error| {
                let pointer = error.instance_path().to_string();
                let place = if pointer.is_empty() { "all of it".to_owned() } else { pointer };
                format!("{place}: {}", error.masked_with("the value"))
            })
            .collect()
    }

    fn validator(&self, schema: &Value) -> Result<Arc<Validator>, String> {
        let schema_text = schema.to_string();
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = validators.get(&schema_text) {
            return Ok(Arc::clone(validator));
        }
        // The schema may be a `$ref` into `components`. A validator ignores all members beside a
        // `$ref`, so the schema is wrapped in `allOf`, and `components` stands beside `allOf`.
        let root = json!({ "allOf": [to_json_schema(schema)], "components": self.components });
        let validator = jsonschema::options()
            // Of all drafts of JSON Schema, OpenAPI 3.0 is closest to this one.
            .with_draft(Draft::Draft4)
            .should_validate_formats(true)
            .build(&root)
            .map_err(|error| format!("invalid schema {schema_text}: {error}"))?;
        let validator = Arc::new(validator);
        validators.insert(schema_text, Arc::clone(&validator));
        Ok(validator)
    }
}

/// Converts a schema of OpenAPI 3.0 into JSON Schema.
///
/// - JSON Schema has no `nullable`. The result for a nullable schema also allows `null`.
/// - `additionalProperties: true` becomes `false`. The description tells clients to ignore unknown
///   members, but the service itself must not send any member that is not described.
fn to_json_schema(schema: &Value) -> Value {
    let members = match schema {
        Value::Array(members) => return members.iter().map(to_json_schema).collect(),
        Value::Object(members) => members,
        other => return other.clone(),
    };
    let mut converted: Map<_, _> =
        members.iter().map(|(name, member)| (name.clone(), to_json_schema(member))).collect();
    if converted.get("additionalProperties") == Some(&json!(true)) {
        converted.insert("additionalProperties".to_owned(), json!(false));
    }
    if converted.get("nullable") != Some(&json!(true)) {
        return Value::Object(converted);
    }
    if let Some(Value::Array(values)) = converted.get_mut("enum") {
        values.push(Value::Null);
    }
    match converted.get("type") {
        Some(Value::String(type_name)) => {
            converted.insert("type".to_owned(), json!([type_name, "null"]));
            Value::Object(converted)
        }
        _ => json!({ "anyOf": [converted, { "type": "null" }] }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schemas() -> Schemas {
        Schemas::new(&json!({
            "schemas": {
                "Person": {
                    "type": "object",
                    "required": ["name"],
                    "additionalProperties": true,
                    "properties": {
                        "name": { "type": "string" },
                        "born": { "type": "string", "format": "date-time", "nullable": true },
                        "mood": { "type": "string", "enum": ["good"], "nullable": true },
                        "friend": {
                            "nullable": true,
                            "allOf": [{ "$ref": "#/components/schemas/Person" }]
                        },
                    }
                }
            }
        }))
    }

    #[test]
    fn nullable_members_accept_null_and_formats_are_checked() {
        let person = json!({ "$ref": "#/components/schemas/Person" });
        let violations = |value: Value| schemas().violations(&person, &value);
        assert!(violations(json!({ "name": "a", "born": null, "mood": null })).is_empty());
        assert!(violations(json!({ "name": "a", "born": "2026-11-23T17:00:00.1Z" })).is_empty());
        assert_eq!(violations(json!({ "name": null })).len(), 1);
        assert!(violations(json!({ "name": "a", "born": "yesterday" }))[0].starts_with("/born: "));
        assert_eq!(violations(json!({ "name": "a", "mood": "bad" })).len(), 1);
        assert_eq!(violations(json!({ "name": "a", "more": 1 })).len(), 1);
        assert!(violations(json!({ "name": "a", "friend": null })).is_empty());
        assert!(violations(json!({ "name": "a", "friend": { "name": "b" } })).is_empty());
        assert_eq!(violations(json!({ "name": "a", "friend": {} })).len(), 1);
    }

    #[test]
    fn violation_message_does_not_repeat_the_value() {
        let violations = schemas().violations(&json!({ "type": "integer" }), &json!("secret"));
        assert!(violations.len() == 1 && !violations[0].contains("secret"), "{violations:?}");
    }

    #[test]
    fn reference_without_target_is_reported() {
        let dangling_reference = json!({ "$ref": "#/components/schemas/Missing" });
        assert!(schemas().violations(&dangling_reference, &json!(1))[0].contains("invalid schema"));
    }
}

//! Schemas of OpenAPI 3.0 as JSON Schema, and whether a value fits one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

/// The schemas of a description, and validators for those that were asked for: each is
/// made once.
#[derive(Debug)]
pub(crate) struct Schemas {
    /// What references lead to, as JSON Schema.
    components: Value,
    made: Mutex<BTreeMap<String, Arc<Validator>>>,
}

impl Schemas {
    pub(crate) fn new(components: &Value) -> Self {
        let components = json_schema(&json!({ "schemas": components["schemas"] }));
        Self { components, made: Mutex::default() }
    }

    /// What is wrong with a value by a schema, a sentence each. The value is not
    /// repeated: it may be personal.
    pub(crate) fn complaints(&self, schema: &Value, value: &Value) -> Vec<String> {
        let validator = match self.validator(schema) {
            Ok(validator) => validator,
            Err(error) => return vec![error],
        };
        let wrong = validator.iter_errors(value);
        wrong
            .map(|error| {
                let at = error.instance_path().to_string();
                let at = if at.is_empty() { "all of it".to_owned() } else { at };
                format!("{at}: {}", error.masked_with("what it is"))
            })
            .collect()
    }

    fn validator(&self, schema: &Value) -> Result<Arc<Validator>, String> {
        let name = schema.to_string();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = made.get(&name) {
            return Ok(Arc::clone(validator));
        }
        // Wrapped, because members beside a reference do not count.
        let root = json!({ "allOf": [json_schema(schema)], "components": self.components });
        let validator = jsonschema::options()
            .with_draft(Draft::Draft4)
            .should_validate_formats(true)
            .build(&root)
            .map_err(|error| format!("{name} is no schema: {error}"))?;
        let validator = Arc::new(validator);
        made.insert(name, Arc::clone(&validator));
        Ok(validator)
    }
}

/// The same in JSON Schema, which has no `nullable`. Objects become closed: clients have to
/// ignore members that they do not know, but a member that is not described is our fault.
fn json_schema(schema: &Value) -> Value {
    let members = match schema {
        Value::Array(members) => return members.iter().map(json_schema).collect(),
        Value::Object(members) => members,
        other => return other.clone(),
    };
    let mut object: Map<_, _> =
        members.iter().map(|(name, member)| (name.clone(), json_schema(member))).collect();
    if object.get("additionalProperties") == Some(&json!(true)) {
        object.insert("additionalProperties".to_owned(), json!(false));
    }
    if object.get("nullable") != Some(&json!(true)) {
        return Value::Object(object);
    }
    if let Some(Value::Array(words)) = object.get_mut("enum") {
        words.push(Value::Null);
    }
    match object.get("type") {
        Some(Value::String(kind)) => {
            object.insert("type".to_owned(), json!([kind, "null"]));
            Value::Object(object)
        }
        _ => json!({ "anyOf": [object, { "type": "null" }] }),
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
    fn nullable_members_take_null_and_formats_are_checked() {
        let person = json!({ "$ref": "#/components/schemas/Person" });
        let wrong = |value: Value| schemas().complaints(&person, &value);
        assert!(wrong(json!({ "name": "a", "born": null, "mood": null })).is_empty());
        assert!(wrong(json!({ "name": "a", "born": "2026-11-23T17:00:00.1Z" })).is_empty());
        assert_eq!(wrong(json!({ "name": null })).len(), 1);
        assert!(wrong(json!({ "name": "a", "born": "yesterday" }))[0].starts_with("/born: "));
        assert_eq!(wrong(json!({ "name": "a", "mood": "bad" })).len(), 1);
        assert_eq!(wrong(json!({ "name": "a", "more": 1 })).len(), 1);
        assert!(wrong(json!({ "name": "a", "friend": null })).is_empty());
        assert!(wrong(json!({ "name": "a", "friend": { "name": "b" } })).is_empty());
        assert_eq!(wrong(json!({ "name": "a", "friend": {} })).len(), 1);
    }

    #[test]
    fn a_complaint_does_not_repeat_the_value() {
        let told = schemas().complaints(&json!({ "type": "integer" }), &json!("secret"));
        assert!(told.len() == 1 && !told[0].contains("secret"), "{told:?}");
    }

    #[test]
    fn a_reference_that_leads_nowhere_is_told() {
        let nowhere = json!({ "$ref": "#/components/schemas/Nobody" });
        assert!(schemas().complaints(&nowhere, &json!(1))[0].contains("is no schema"));
    }
}

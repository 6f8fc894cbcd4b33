//! Parser of CloudFormation templates in YAML.
//!
//! The parser converts the short form of an intrinsic function, such as `!Ref X`, to its long form,
//! such as `{"Ref": "X"}`. Code that reads the template then has to handle the long form only.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// Parses a document. `!Ref X` becomes `{"Ref": "X"}`, `!GetAtt X.Arn` becomes `{"Fn::GetAtt":
/// ["X", "Arn"]}`, and so on.
pub(super) fn read(text: &str) -> Result<Value> {
    docferry_openapi::yaml::read(text, &long_form).context("the template cannot be read")
}

/// Returns the long form of an intrinsic function.
fn long_form(function: &str, argument: Value) -> Value {
    match (function, &argument) {
        ("Ref" | "Condition", _) => json!({ function: argument }),
        ("GetAtt", Value::String(text)) => match text.split_once('.') {
            Some((resource, attribute)) => json!({ "Fn::GetAtt": [resource, attribute] }),
            None => json!({ "Fn::GetAtt": [text] }),
        },
        _ => json!({ format!("Fn::{function}"): argument }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_of_intrinsic_functions_become_long_forms() {
        let text = "a: !Ref X\nb: [!GetAtt X.Arn, 3]\nc: { d: !Sub '${X.Arn}/e' }\nf: !If [G, true, \"1\"]\n";
        let long = json!({
            "a": { "Ref": "X" },
            "b": [{ "Fn::GetAtt": ["X", "Arn"] }, 3],
            "c": { "d": { "Fn::Sub": "${X.Arn}/e" } },
            "f": { "Fn::If": ["G", true, "1"] },
        });
        assert_eq!(read(text).unwrap(), long);
    }

    #[test]
    fn invalid_yaml_and_several_documents_are_errors() {
        assert!(read("a: [").is_err());
        assert!(read("a: 1\n---\nb: 2\n").is_err());
    }
}

//! Reader of YAML documents that returns them as JSON values.
//!
//! The API description and the CloudFormation template are YAML. As JSON values, both have the same
//! data model as the other data that the checks read. A *tag* is the name in a tagged value, such
//! as `Ref` in `!Ref X`.

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// Error for a text that is not YAML or cannot be represented as JSON.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// Syntax error, with its position.
    #[error("invalid YAML: {0}")]
    Malformed(String),
    /// The text has no document or several documents. The number is the number of documents.
    #[error("expected one document, found {0}")]
    DocumentCount(usize),
    /// A key is not a string.
    #[error("a key is not a string")]
    NonStringKey,
    /// The text has a value that JSON does not have.
    #[error("not representable as JSON: {0}")]
    Unrepresentable(String),
}

/// Reads a text with one document.
///
/// `convert_tagged` converts tagged values such as `!Ref X`. Its arguments are the name of the tag
/// without the `!`, and the value.
///
/// # Errors
/// When the text is not valid YAML or cannot be represented as JSON.
pub fn read(text: &str, convert_tagged: &dyn Fn(&str, Value) -> Value) -> Result<Value, YamlError> {
    let documents =
        Yaml::load_from_str(text).map_err(|error| YamlError::Malformed(error.to_string()))?;
    match documents.as_slice() {
        [document] => json_value(document, convert_tagged),
        _ => Err(YamlError::DocumentCount(documents.len())),
    }
}

fn json_value(
    node: &Yaml<'_>,
    convert_tagged: &dyn Fn(&str, Value) -> Value,
) -> Result<Value, YamlError> {
    Ok(match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(flag)) => json!(flag),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::FloatingPoint(number)) => json!(number.into_inner()),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Sequence(members) => members
            .iter()
            .map(|member| json_value(member, convert_tagged))
            .collect::<Result<_, _>>()?,
        Yaml::Mapping(members) => {
            let mut object = Map::new();
            for (name, member) in members {
                let name = name.as_str().ok_or(YamlError::NonStringKey)?;
                object.insert(name.to_owned(), json_value(member, convert_tagged)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tag, node) => convert_tagged(&tag.suffix, json_value(node, convert_tagged)?),
        other => return Err(YamlError::Unrepresentable(format!("{other:?}"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a text and converts a tagged value into an object with the tag as its only member.
    fn read_yaml(text: &str) -> Result<Value, YamlError> {
        read(text, &|tag, value| json!({ tag: value }))
    }

    #[test]
    fn yaml_is_read_as_json_and_tags_are_passed_to_the_caller() {
        let text = "a: [1, 2.5, true, null, x]\nb: { '200': !Some y }\n";
        let expected = json!({ "a": [1, 2.5, true, null, "x"], "b": { "200": { "Some": "y" } } });
        assert_eq!(read_yaml(text).unwrap(), expected);
    }

    #[test]
    fn invalid_yaml_and_non_json_values_are_reported() {
        assert!(matches!(read_yaml("a: ["), Err(YamlError::Malformed(_))));
        assert!(matches!(read_yaml("a: 1\n---\nb: 2\n"), Err(YamlError::DocumentCount(2))));
        assert!(matches!(read_yaml("[a, b]: 1\n"), Err(YamlError::NonStringKey)));
    }
}

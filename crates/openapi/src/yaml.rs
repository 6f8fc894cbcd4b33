//! YAML read as JSON, so that everything that reads it needs one form of it.

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// A text that cannot be read as JSON would be.
#[derive(Debug, thiserror::Error)]
pub enum NotYaml {
    /// It breaks YAML's grammar; says where.
    #[error("it is no YAML: {0}")]
    Malformed(String),
    /// It has none, or several.
    #[error("it has {0} documents, one is expected")]
    Documents(usize),
    /// The name of a member is no text.
    #[error("a name in it is no text")]
    Name,
    /// It has what JSON has not; says what.
    #[error("it has what JSON has not: {0}")]
    Foreign(String),
}

/// Reads the one document of a text. What a tag means (`!Ref X`) is the caller's to
/// say: `tagged` gets its name, without the `!`, and its value.
///
/// # Errors
/// When it is no YAML, or has what JSON has not.
pub fn read(text: &str, tagged: &dyn Fn(&str, Value) -> Value) -> Result<Value, NotYaml> {
    let documents =
        Yaml::load_from_str(text).map_err(|error| NotYaml::Malformed(error.to_string()))?;
    match documents.as_slice() {
        [document] => value(document, tagged),
        _ => Err(NotYaml::Documents(documents.len())),
    }
}

fn value(node: &Yaml<'_>, tagged: &dyn Fn(&str, Value) -> Value) -> Result<Value, NotYaml> {
    Ok(match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(is_so)) => json!(is_so),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::FloatingPoint(number)) => json!(number.into_inner()),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Sequence(members) => {
            members.iter().map(|member| value(member, tagged)).collect::<Result<_, _>>()?
        }
        Yaml::Mapping(members) => {
            let mut object = Map::new();
            for (name, member) in members {
                let name = name.as_str().ok_or(NotYaml::Name)?;
                object.insert(name.to_owned(), value(member, tagged)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tag, node) => tagged(&tag.suffix, value(node, tagged)?),
        other => return Err(NotYaml::Foreign(format!("{other:?}"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Result<Value, NotYaml> {
        read(text, &|tag, value| json!({ tag: value }))
    }

    #[test]
    fn what_is_written_is_read_and_tags_are_the_callers_to_read() {
        let text = "a: [1, 2.5, true, null, x]\nb: { '200': !Some y }\n";
        let read = json!({ "a": [1, 2.5, true, null, "x"], "b": { "200": { "Some": "y" } } });
        assert_eq!(plain(text).unwrap(), read);
    }

    #[test]
    fn what_is_no_yaml_or_no_json_is_told() {
        assert!(matches!(plain("a: ["), Err(NotYaml::Malformed(_))));
        assert!(matches!(plain("a: 1\n---\nb: 2\n"), Err(NotYaml::Documents(2))));
        assert!(matches!(plain("[a, b]: 1\n"), Err(NotYaml::Name)));
    }
}

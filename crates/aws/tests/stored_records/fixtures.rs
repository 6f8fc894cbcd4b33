//! Fixture files: stored items as typed JSON, as DynamoDB's API shows them.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Value, json};

/// Folder of the items that the unreleased version writes.
pub(crate) const UNRELEASED: &str = "unreleased";

/// Stored item as typed JSON, such as `{"pk": {"S": "T#1"}}`.
pub(crate) type Item = Map<String, Value>;

/// Items of one version, by the kind of the record and then by the name of its state.
pub(crate) type Records = BTreeMap<String, BTreeMap<String, Item>>;

/// Returns the folder with the fixtures of a version.
fn folder(version: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(version)
}

/// Lists the versions that have fixtures.
pub(crate) fn versions() -> Vec<String> {
    let entries = fs::read_dir(folder("")).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut versions: Vec<String> =
        folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    versions.sort();
    versions
}

/// Reads the fixtures of a version: one file per kind.
pub(crate) fn load(version: &str) -> Records {
    let files = fs::read_dir(folder(version)).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let kind = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (kind, serde_json::from_slice(&fs::read(&path).unwrap()).unwrap())
        })
        .collect()
}

/// Replaces the fixtures of a version.
pub(crate) fn save(version: &str, records: &Records) {
    let folder = folder(version);
    fs::create_dir_all(&folder).unwrap();
    for (kind, items) in records {
        let text = serde_json::to_string_pretty(items).unwrap() + "\n";
        fs::write(folder.join(format!("{kind}.json")), text).unwrap();
    }
}

/// Converts an item of the SDK into typed JSON. The members of sets are sorted.
pub(crate) fn typed(item: &HashMap<String, AttributeValue>) -> Item {
    item.iter().map(|(name, value)| (name.clone(), typed_value(value))).collect()
}

fn typed_value(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(digits) => json!({ "N": digits }),
        AttributeValue::Bool(flag) => json!({ "BOOL": flag }),
        AttributeValue::Null(_) => json!({ "NULL": true }),
        AttributeValue::B(bytes) => {
            json!({ "B": aws_smithy_types::base64::encode(bytes.as_ref()) })
        }
        AttributeValue::L(list) => json!({ "L": list.iter().map(typed_value).collect::<Value>() }),
        AttributeValue::M(map) => json!({ "M": typed(map) }),
        AttributeValue::Ss(set) => {
            let mut members = set.clone();
            members.sort();
            json!({ "SS": members })
        }
        other => panic!("no stored item has an attribute like {other:?}"),
    }
}

/// Converts typed JSON into an item of the SDK. Only the kinds of attributes that records have are
/// known.
pub(crate) fn untyped(item: &Item) -> HashMap<String, AttributeValue> {
    item.iter().map(|(name, value)| (name.clone(), untyped_value(value))).collect()
}

fn untyped_value(value: &Value) -> AttributeValue {
    let (attribute_type, value) = value.as_object().unwrap().iter().next().unwrap();
    let text = || value.as_str().unwrap().to_owned();
    let list = || value.as_array().unwrap().iter();
    match attribute_type.as_str() {
        "S" => AttributeValue::S(text()),
        "N" => AttributeValue::N(text()),
        "BOOL" => AttributeValue::Bool(value.as_bool().unwrap()),
        "B" => AttributeValue::B(aws_smithy_types::base64::decode(text()).unwrap().into()),
        "L" => AttributeValue::L(list().map(untyped_value).collect()),
        "M" => AttributeValue::M(untyped(value.as_object().unwrap())),
        "SS" => AttributeValue::Ss(list().map(|text| text.as_str().unwrap().into()).collect()),
        other => panic!("no fixture has an attribute of type {other}"),
    }
}

/// Converts typed JSON into the JSON of the record that was stored.
pub(crate) fn plain(typed: &Value) -> Value {
    let (attribute_type, value) = typed.as_object().unwrap().iter().next().unwrap();
    match attribute_type.as_str() {
        "N" => serde_json::from_str(value.as_str().unwrap()).unwrap(),
        "L" => value.as_array().unwrap().iter().map(plain).collect(),
        "M" => plain_item(value.as_object().unwrap()),
        "NULL" => Value::Null,
        _ => value.clone(),
    }
}

/// Converts a whole item as [`plain`] does.
pub(crate) fn plain_item(item: &Item) -> Value {
    item.iter().map(|(name, value)| (name.clone(), plain(value))).collect::<Map<_, _>>().into()
}

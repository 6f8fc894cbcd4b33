//! Typed JSON: the format in which DynamoDB's API shows items, and in which fixtures are stored.
//!
//! In typed JSON, each value has the type of its attribute: `{"size": {"N": "9000000"}}`. Plain
//! JSON is the form of the record itself: `{"size": 9000000}`.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Value, json};

/// Stored item as typed JSON, such as `{"pk": {"S": "T#1"}}`.
pub(crate) type Item = Map<String, Value>;

/// Converts an item of the SDK into typed JSON. The members of sets are sorted.
pub(crate) fn typed(item: &HashMap<String, AttributeValue>) -> Item {
    item.iter().map(|(name, value)| (name.clone(), typed_value(value))).collect()
}

/// Converts one attribute of the SDK into typed JSON.
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

/// Converts typed JSON into an item of the SDK. Supports only the types of attributes that stored
/// records have.
pub(crate) fn untyped(item: &Item) -> HashMap<String, AttributeValue> {
    item.iter().map(|(name, value)| (name.clone(), untyped_value(value))).collect()
}

/// Converts one attribute in typed JSON into an attribute of the SDK.
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

/// Converts one attribute in typed JSON into plain JSON.
fn plain(typed: &Value) -> Value {
    let (attribute_type, value) = typed.as_object().unwrap().iter().next().unwrap();

    match attribute_type.as_str() {
        "N" => serde_json::from_str(value.as_str().unwrap()).unwrap(),
        "L" => value.as_array().unwrap().iter().map(plain).collect(),
        "M" => plain_item(value.as_object().unwrap()),
        "NULL" => Value::Null,
        _ => value.clone(),
    }
}

/// Converts an item into the plain JSON of the record that was stored.
pub(crate) fn plain_item(item: &Item) -> Value {
    item.iter().map(|(name, value)| (name.clone(), plain(value))).collect::<Map<_, _>>().into()
}

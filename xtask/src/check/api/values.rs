//! Access to the members of JSON values in `openapi.yaml`.

use serde_json::Value;

/// Returns the members of an array, or nothing if the value is not an array.
pub(super) fn members(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Returns the members of an object, or nothing if the value is not an object.
pub(super) fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

//! Reads attributes of the items in the DynamoDB table of transfers.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

/// An item of the table: attribute names and values.
pub(super) type Item = HashMap<String, AttributeValue>;

/// Returns a string attribute, or `None` if the item has no such string.
pub(super) fn text(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

/// Returns a number attribute, or `None` if the item has no such number.
pub(super) fn number<N: std::str::FromStr>(item: &Item, name: &str) -> Option<N> {
    item.get(name).and_then(|value| AttributeValue::as_n(value).ok())?.parse().ok()
}

/// Returns an attribute that is a time in milliseconds since 1970.
pub(super) fn milliseconds(item: &Item, name: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(number(item, name)?).ok()
}

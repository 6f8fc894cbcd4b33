//! Conversion of domain types from and to the items of docferry's DynamoDB table.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use docferry_app::ports::{SealedSession, SessionRecord, StoreError};
use docferry_domain::ids::TransferId;
use docferry_domain::person::Person;
use docferry_domain::slots::QueueEntry;
use docferry_domain::transfer::{SCHEMA_VERSION, Transfer};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::conditional_update::{number, string};
use super::keys::{Item, queue_key, session_key, transfer_key};

/// Error for an item that this version cannot read or write. The serializer's message is
/// dropped, because it quotes the values.
#[derive(Debug, thiserror::Error)]
#[error("the {0} cannot be read or written with schema version {SCHEMA_VERSION}")]
struct Unreadable(&'static str);

/// Error for an item that cannot be read or written. `what` names the kind of item.
pub(super) fn corrupt(what: &'static str) -> StoreError {
    StoreError::Corrupt(Box::new(Unreadable(what)))
}

/// Serializes a domain value as an attribute.
pub(super) fn attribute<T: Serialize>(value: &T) -> Result<AttributeValue, StoreError> {
    serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value(value).map_err(|_| corrupt("attribute"))
}

/// Serializes a transfer as an item, without the attributes of the index `unfinished`.
pub(super) fn transfer_item(transfer: &Transfer) -> Result<Item, StoreError> {
    whole_item(transfer, transfer_key(&transfer.transfer_id), "transfer")
}

/// Serializes a domain value as an item under `key`. `what` names it in errors.
pub(super) fn whole_item<T: Serialize>(
    value: &T,
    key: Item,
    what: &'static str,
) -> Result<Item, StoreError> {
    let mut item: Item =
        serde_dynamo::aws_sdk_dynamodb_1::to_item(value).map_err(|_| corrupt(what))?;
    item.extend(key);
    Ok(item)
}

/// Builds the queue entry of a transfer.
pub(super) fn queue_item(transfer: &Transfer) -> Item {
    let entry = transfer.queue_entry();
    let mut item = queue_key(transfer.pool, &entry);
    item.insert("order".into(), number(entry.order));
    item.insert("transferId".into(), string(entry.transfer_id.as_str()));
    item.insert("person".into(), string(entry.person.as_str()));
    item
}

/// Parses a queue entry.
pub(super) fn parse_queue_entry(item: &Item) -> Result<QueueEntry, StoreError> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let order = item.get("order").and_then(|value| value.as_n().ok()?.parse().ok());
    let transfer_id = text("transferId").and_then(|id| id.parse().ok());
    match (order, transfer_id, text("person")) {
        (Some(order), Some(transfer_id), Some(person)) => {
            Ok(QueueEntry { order, transfer_id, person: Person::new(person) })
        }
        _ => Err(corrupt("queue entry")),
    }
}

/// Parses a transfer. Fails if the item has a newer schema than this version knows.
pub(super) fn read_transfer(item: Item) -> Result<Transfer, StoreError> {
    let transfer: Transfer =
        serde_dynamo::aws_sdk_dynamodb_1::from_item(item).map_err(|_| corrupt("transfer"))?;
    // A newer schema may use the same attribute names with another meaning.
    if transfer.schema_version > SCHEMA_VERSION {
        return Err(corrupt("transfer"));
    }
    Ok(transfer)
}

/// Time after a session's announced expiry at which TTL removes its item. Arriving fragments extend
/// the lifetime of a session, but not by days. The workflow step `finalize` normally removes the
/// item long before, so TTL only cleans up if `finalize` never ran.
const SESSION_TTL_DELAY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Builds the item of an upload session.
pub(super) fn session_item(
    id: &TransferId,
    epoch: u64,
    session: &SealedSession,
) -> Result<Item, StoreError> {
    let mut item = session_key(id);
    item.insert("schemaVersion".into(), number(SCHEMA_VERSION));
    item.insert("epoch".into(), number(epoch));
    let sealed_url = Blob::new(session.sealed_url.clone());
    item.insert("sealedUrl".into(), AttributeValue::B(sealed_url));
    if let Some(at) = session.expires_at {
        item.insert("sessionExpiresAt".into(), attribute(&at)?);
        item.insert("expiresAt".into(), ttl(at.saturating_add(SESSION_TTL_DELAY).unwrap_or(at)));
    }
    Ok(item)
}

/// Parses the item of an upload session.
pub(super) fn read_session(item: &Item) -> Result<SessionRecord, StoreError> {
    let unreadable = || corrupt("upload session");
    let number = |name| match item.get(name) {
        Some(AttributeValue::N(digits)) => digits.parse::<u64>().ok(),
        _ => None,
    };
    if number("schemaVersion").is_none_or(|version| version > SCHEMA_VERSION.into()) {
        return Err(unreadable());
    }
    let expires_at = match item.get("sessionExpiresAt") {
        None => None,
        Some(AttributeValue::S(text)) => Some(text.parse().map_err(|_| unreadable())?),
        Some(_) => return Err(unreadable()),
    };
    match (item.get("sealedUrl"), number("epoch")) {
        (Some(AttributeValue::B(sealed)), Some(epoch)) => {
            let sealed_url = sealed.as_ref().to_vec();
            Ok(SessionRecord { session: SealedSession { sealed_url, expires_at }, epoch })
        }
        _ => Err(unreadable()),
    }
}

/// Value of the TTL attribute: seconds since 1970.
pub(super) fn ttl(at: Timestamp) -> AttributeValue {
    number(at.as_second())
}

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use docferry_app::ports::{FIRST_LOOK, SealedSession, SessionRecord, StoreError};
use docferry_domain::{SCHEMA_VERSION, Transfer, TransferId};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::change::{number, string};

/// An item, or the key of one.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The item of a transfer.
pub(super) fn transfer_key(id: &TransferId) -> Item {
    key(format!("T#{id}"), "META")
}

/// The item of a transfer's upload session.
pub(super) fn session_key(id: &TransferId) -> Item {
    key(format!("T#{id}"), "SESSION#0")
}

/// The item of an exchange key's users.
pub(super) fn references_key(exchange_key: &str) -> Item {
    key(format!("K#{exchange_key}"), "REFS")
}

/// The item of a pause that all who use a pool keep.
pub(super) fn throttle_key(pool: &str) -> Item {
    key(format!("B#{pool}"), "PAUSE")
}

fn key(pk: String, sk: &str) -> Item {
    HashMap::from([("pk".to_owned(), string(pk)), ("sk".to_owned(), string(sk))])
}

/// An item that this version cannot read or write. The reader's own words are
/// left out: they quote the values.
#[derive(Debug, thiserror::Error)]
#[error("the {0} cannot be read or written by version {SCHEMA_VERSION}")]
struct Unreadable(&'static str);

pub(super) fn corrupt(what: &'static str) -> StoreError {
    StoreError::Corrupt(Box::new(Unreadable(what)))
}

/// A value of the domain as an attribute.
pub(super) fn attribute<T: Serialize>(value: &T) -> Result<AttributeValue, StoreError> {
    serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value(value).map_err(|_| corrupt("attribute"))
}

pub(super) fn transfer_item(transfer: &Transfer) -> Result<Item, StoreError> {
    let mut item: Item =
        serde_dynamo::aws_sdk_dynamodb_1::to_item(transfer).map_err(|_| corrupt("transfer"))?;
    item.extend(transfer_key(&transfer.transfer_id));
    let due = transfer.created_at.saturating_add(FIRST_LOOK).unwrap_or(transfer.created_at);
    item.insert(SHARD.into(), string(shard(&transfer.transfer_id)));
    item.insert(DUE.into(), number(due.as_millisecond()));
    Ok(item)
}

pub(super) fn read_transfer(item: Item) -> Result<Transfer, StoreError> {
    let transfer: Transfer =
        serde_dynamo::aws_sdk_dynamodb_1::from_item(item).map_err(|_| corrupt("transfer"))?;
    // A newer form may mean something else by the same names.
    if transfer.schema_version > SCHEMA_VERSION {
        return Err(corrupt("transfer"));
    }
    Ok(transfer)
}

/// The index of unfinished transfers: items that carry both attributes are in it.
pub(super) const UNFINISHED: &str = "unfinished";
/// Its partition key.
pub(super) const SHARD: &str = "sweepShard";
/// Its sort key: when to look next, milliseconds since 1970.
pub(super) const DUE: &str = "dueAt";

/// Partitions of the index. One would hold all writes of a burst.
pub(super) const SHARDS: [&str; 4] = ["U0", "U1", "U2", "U3"];

/// When a transfer of the index is due, and which it is.
pub(super) fn read_due(item: &Item) -> Option<(i64, TransferId)> {
    let due = item.get(DUE)?.as_n().ok()?.parse().ok()?;
    let id = item.get("pk")?.as_s().ok()?.strip_prefix("T#")?.parse().ok()?;
    Some((due, id))
}

/// From the last digit of the id, which is random.
pub(super) fn shard(id: &TransferId) -> &'static str {
    let last = id.as_str().bytes().last().unwrap_or_default();
    SHARDS[usize::from(last) % SHARDS.len()]
}

/// How long after a session's announced end its item may rest. A session lives on
/// while fragments arrive, but not for days; `finalize` removes the item long
/// before, and this only bounds what a lost `finalize` leaves.
const SESSION_REST: SignedDuration = SignedDuration::from_hours(7 * 24);

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
        item.insert("expiresAt".into(), ttl(at.saturating_add(SESSION_REST).unwrap_or(at)));
    }
    Ok(item)
}

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

/// The TTL attribute's value.
pub(super) fn ttl(at: Timestamp) -> AttributeValue {
    number(at.as_second())
}

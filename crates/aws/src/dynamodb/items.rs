//! Item layout of docferry's DynamoDB table: keys, index attributes, and conversions from and to
//! domain types.
//!
//! The modules of the store build every key and parse every item with the functions of this module.
//! The table of all keys is in the documentation of the parent module.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use docferry_app::ports::{FIRST_CHECK_DELAY, SealedSession, SessionRecord, StoreError, WorkItem};
use docferry_domain::document::DocumentName;
use docferry_domain::ids::{ObjectGuid, TransferId};
use docferry_domain::person::Person;
use docferry_domain::slots::{Pool, QueueEntry};
use docferry_domain::transfer::{SCHEMA_VERSION, Transfer};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::conditional_update::{number, string};

/// Item of the table, or the key of an item.
pub(super) type Item = HashMap<String, AttributeValue>;

/// Partition of a transfer, or of a batch with all of its documents.
pub(super) fn partition(id: &TransferId) -> String {
    format!("T#{}", id.batch_str())
}

/// Sort key of a document within the partition of its batch.
pub(super) fn document_sort_key(number: u16) -> String {
    format!("DOC#{number:04}")
}

/// Key of a transfer.
pub(super) fn transfer_key(id: &TransferId) -> Item {
    match id.batch_and_number() {
        None => key(partition(id), "META"),
        Some((_, number)) => key(partition(id), &document_sort_key(number)),
    }
}

/// Key of a transfer's upload session.
pub(super) fn session_key(id: &TransferId) -> Item {
    match id.batch_and_number() {
        None => key(partition(id), "SESSION#0"),
        Some((_, number)) => key(partition(id), &format!("SESSION#{number:04}")),
    }
}

/// Key of a batch.
pub(super) fn batch_key(id: &TransferId) -> Item {
    key(partition(id), "BUNDLE")
}

/// Key of the counts of a batch's ended documents. They are a separate item because every
/// document of the batch writes them.
pub(super) fn counts_key(id: &TransferId) -> Item {
    key(partition(id), "COUNTS")
}

/// Key of an outcome that has not been sent to the audit queue yet.
pub(super) fn outcome_key(id: &TransferId, execution_number: u32) -> Item {
    match id.batch_and_number() {
        None => key(partition(id), &format!("{OUTCOME_PREFIX}{execution_number}")),
        Some((_, number)) => {
            key(partition(id), &format!("{OUTCOME_PREFIX}{number:04}#{execution_number}"))
        }
    }
}

/// Prefix of the sort keys of outcomes. The filter of the table's stream uses it.
const OUTCOME_PREFIX: &str = "OUTBOX#";

/// Key of a webhook notification that has not been sent to its queue yet.
pub(super) fn notification_key(job: &TransferId, execution_number: u32) -> Item {
    key(partition(job), &format!("{NOTIFICATION_PREFIX}{execution_number}"))
}

/// Prefix of the sort keys of webhook notifications. The filter of the table's stream uses it.
const NOTIFICATION_PREFIX: &str = "NOTICE#";

/// Key of the item that lists the holders of a pool's slots.
pub(super) fn slots_key(pool: Pool) -> Item {
    key(format!("S#{}", pool.as_str()), "SLOTS")
}

/// Partition of the queue for a pool's slots.
pub(super) fn queue_partition(pool: Pool) -> String {
    format!("Q#{}", pool.as_str())
}

/// Key of an entry in the queue for a pool's slots.
pub(super) fn queue_key(pool: Pool, entry: &QueueEntry) -> Item {
    key(queue_partition(pool), &queue_sort_key(entry))
}

/// Sort key of an entry in the queue. DynamoDB thereby sorts entries by their order number, then by
/// transfer id.
pub(super) fn queue_sort_key(entry: &QueueEntry) -> String {
    // 13 digits hold milliseconds until the year 2286.
    format!("{:013}#{}", entry.order.max(0), entry.transfer_id)
}

/// Key of a file name that a document of a batch has reserved.
pub(super) fn name_key(batch: &TransferId, name: &DocumentName) -> Item {
    key(partition(batch), &format!("NAME#{}", name.folded()))
}

/// Key of the item that lists the users of an exchange key.
pub(super) fn references_key(exchange_key: &str) -> Item {
    key(format!("K#{exchange_key}"), "REFS")
}

/// Partition of announced pushes, whose exchange keys are not known yet.
pub(super) const ANNOUNCEMENTS: &str = "P#pushes";

/// Key of the item that announces a push of a transfer.
pub(super) fn announcement_key(id: &TransferId) -> Item {
    key(ANNOUNCEMENTS.to_owned(), id.as_str())
}

/// Key of the pause of a throttle budget, such as `graph`.
pub(super) fn pause_key(budget: &str) -> Item {
    key(format!("B#{budget}"), "PAUSE")
}

/// Key of the number of a caller's requests in one minute.
pub(super) fn request_count_key(caller: &str, minute: i64) -> Item {
    key(format!("R#{caller}"), &minute.to_string())
}

/// Key of an idempotency record.
pub(super) fn request_key(hash: &str) -> Item {
    key(format!("I#{hash}"), "REQUEST")
}

/// Key of the record of an object in the delivery bucket.
pub(super) fn artifact_key(object: &str) -> Item {
    key(format!("{ARTIFACT_PREFIX}{object}"), "ARTIFACT")
}

/// Prefix of the partitions of artifacts.
const ARTIFACT_PREFIX: &str = "A#";

/// Key of the item that names the newest delivered object of a document.
pub(super) fn newest_artifact_key(document: &ObjectGuid) -> Item {
    key(format!("D#{}", document.as_str()), "NEWEST")
}

/// Prefix of the sort keys in the list of a document's artifacts.
const LISTED_ARTIFACT_PREFIX: &str = "COPY#";

/// Key of the entry for an object in the list of its document's artifacts.
pub(super) fn artifact_list_key(document: &ObjectGuid, object: &str) -> Item {
    key(format!("D#{}", document.as_str()), &format!("{LISTED_ARTIFACT_PREFIX}{object}"))
}

/// Partition, first and last sort key of the list of a document's artifacts. The item of the newest
/// artifact is the last one.
pub(super) fn artifact_list(document: &ObjectGuid) -> (String, &'static str, &'static str) {
    (format!("D#{}", document.as_str()), LISTED_ARTIFACT_PREFIX, "NEWEST")
}

/// Builds a primary key.
pub(super) fn key(pk: String, sk: &str) -> Item {
    HashMap::from([("pk".to_owned(), string(pk)), ("sk".to_owned(), string(sk))])
}

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

/// Adds an item to the index `unfinished`.
pub(super) fn indexed(mut item: Item, shard: &str, due: Timestamp) -> Item {
    item.insert(SHARD.into(), string(shard));
    item.insert(DUE.into(), number(due.as_millisecond()));
    item
}

/// Time at which the sweeper first checks a new transfer or batch.
pub(super) fn first_check(created_at: Timestamp) -> Timestamp {
    created_at.saturating_add(FIRST_CHECK_DELAY).unwrap_or(created_at)
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

/// Index of the items that the sweeper has to check. The index is sparse: it contains only the
/// items that have both of its key attributes, [`SHARD`] and [`DUE`].
pub(super) const UNFINISHED: &str = "unfinished";
/// Partition key of the index `unfinished`.
pub(super) const SHARD: &str = "sweepShard";
/// Sort key of the index `unfinished`: time of the next check, milliseconds since 1970.
pub(super) const DUE: &str = "dueAt";

/// Shards of the index for transfers and batches. With a single shard, one partition of the index
/// would have to take all writes of a burst.
pub(super) const SHARDS: [&str; 4] = ["U0", "U1", "U2", "U3"];

/// Shard of outcomes in the outbox. It is separate, so that an unavailable audit queue delays
/// nothing but outcomes.
pub(super) const OUTBOX_SHARD: &str = "O0";

/// Shard of webhook notifications. It is separate from the shard of outcomes, so that neither
/// delays the other.
pub(super) const NOTIFICATIONS_SHARD: &str = "N0";

/// Shard of objects in the delivery bucket. It is separate, so that removing expired objects
/// does not delay the recovery of transfers.
pub(super) const ARTIFACTS_SHARD: &str = "A0";

/// Parses an entry of the index. Returns its due time in milliseconds since 1970, and the key of
/// the item.
pub(super) fn parse_index_entry(item: &Item) -> Option<(i64, Item)> {
    let due = item.get(DUE)?.as_n().ok()?.parse().ok()?;
    let (pk, sk) = (item.get("pk")?, item.get("sk")?);
    Some((due, Item::from([("pk".to_owned(), pk.clone()), ("sk".to_owned(), sk.clone())])))
}

/// Parses the key of an index entry as a transfer, a batch or an object of the delivery bucket.
pub(super) fn parse_work_item(key: &Item) -> Option<WorkItem> {
    let partition = key.get("pk")?.as_s().ok()?;
    if let Some(object) = partition.strip_prefix(ARTIFACT_PREFIX) {
        return Some(WorkItem::Artifact(object.to_owned()));
    }
    let (id, sort) = read_key(key)?;
    match sort.split_once('#') {
        None if sort == "META" => Some(WorkItem::Transfer(id)),
        None if sort == "BUNDLE" => Some(WorkItem::Batch(id)),
        Some(("DOC", number)) => Some(WorkItem::Transfer(id.document(number.parse().ok()?))),
        _ => None,
    }
}

/// Parses the key of an outcome. Returns the transfer id and the execution number.
pub(super) fn read_outcome_key(key: &Item) -> Option<(TransferId, u32)> {
    let (id, sort) = read_key(key)?;
    let rest = sort.strip_prefix(OUTCOME_PREFIX)?;
    match rest.split_once('#') {
        None => Some((id, rest.parse().ok()?)),
        Some((number, execution_number)) => {
            Some((id.document(number.parse().ok()?), execution_number.parse().ok()?))
        }
    }
}

/// Parses the key of a webhook notification. Returns the job id and the execution number.
pub(super) fn read_notification_key(key: &Item) -> Option<(TransferId, u32)> {
    let (id, sort) = read_key(key)?;
    Some((id, sort.strip_prefix(NOTIFICATION_PREFIX)?.parse().ok()?))
}

/// Splits a key into the id in its partition and its sort key.
fn read_key(key: &Item) -> Option<(TransferId, &str)> {
    let id = key.get("pk")?.as_s().ok()?.strip_prefix("T#")?.parse().ok()?;
    Some((id, key.get("sk")?.as_s().ok()?))
}

/// Chooses the index shard of a transfer by the last digit of its id, which is random.
pub(super) fn shard(id: &TransferId) -> &'static str {
    let last = id.as_str().bytes().last().unwrap_or_default();
    SHARDS[usize::from(last) % SHARDS.len()]
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

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use docferry_app::ports::{Due, FIRST_LOOK, SealedSession, SessionRecord, StoreError};
use docferry_domain::{
    DocumentName, ObjectGuid, Person, Pool, SCHEMA_VERSION, Transfer, TransferId, Waiting,
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::change::{number, string};

/// An item, or the key of one.
pub(super) type Item = HashMap<String, AttributeValue>;

/// What belongs to a transfer, or to a bundle with all of its documents.
pub(super) fn partition(id: &TransferId) -> String {
    format!("T#{}", id.bundle_str())
}

/// Where the item of a document in a bundle stands among those of the bundle.
pub(super) fn document_sort_key(number: u16) -> String {
    format!("DOC#{number:04}")
}

/// The item of a transfer.
pub(super) fn transfer_key(id: &TransferId) -> Item {
    match id.in_bundle() {
        None => key(partition(id), "META"),
        Some((_, number)) => key(partition(id), &document_sort_key(number)),
    }
}

/// The item of a transfer's upload session.
pub(super) fn session_key(id: &TransferId) -> Item {
    match id.in_bundle() {
        None => key(partition(id), "SESSION#0"),
        Some((_, number)) => key(partition(id), &format!("SESSION#{number:04}")),
    }
}

/// The item of a bundle.
pub(super) fn bundle_key(id: &TransferId) -> Item {
    key(partition(id), "BUNDLE")
}

/// How far a bundle's documents are: an item of its own, because each of them
/// writes it.
pub(super) fn counts_key(id: &TransferId) -> Item {
    key(partition(id), "COUNTS")
}

/// An outcome that nobody was told of yet.
pub(super) fn outcome_key(id: &TransferId, attempt: u32) -> Item {
    match id.in_bundle() {
        None => key(partition(id), &format!("{OUTCOME}{attempt}")),
        Some((_, number)) => key(partition(id), &format!("{OUTCOME}{number:04}#{attempt}")),
    }
}

/// What the sort keys of outcomes begin with; the table's stream is filtered by it.
const OUTCOME: &str = "OUTBOX#";

/// A notice of the end of a job that is in no queue yet.
pub(super) fn notice_key(job: &TransferId, attempt: u32) -> Item {
    key(partition(job), &format!("{NOTICE}{attempt}"))
}

/// What the sort keys of notices begin with; the table's stream is filtered by it.
const NOTICE: &str = "NOTICE#";

/// Who holds the slots of a pool.
pub(super) fn slots_key(pool: Pool) -> Item {
    key(format!("S#{}", pool.as_str()), "SLOTS")
}

/// The queue for the slots of a pool.
pub(super) fn queue_partition(pool: Pool) -> String {
    format!("Q#{}", pool.as_str())
}

/// Where one stands in it: by its order, then by its id.
pub(super) fn queue_key(pool: Pool, waiting: &Waiting) -> Item {
    key(queue_partition(pool), &place(waiting))
}

/// The sort key of a place in the queue.
pub(super) fn place(waiting: &Waiting) -> String {
    // 13 digits last until the year 2286.
    format!("{:013}#{}", waiting.order.max(0), waiting.transfer_id)
}

/// The item of a file name that a document of a bundle has reserved.
pub(super) fn name_key(bundle: &TransferId, name: &DocumentName) -> Item {
    key(partition(bundle), &format!("NAME#{}", name.folded()))
}

/// The item of an exchange key's users.
pub(super) fn references_key(exchange_key: &str) -> Item {
    key(format!("K#{exchange_key}"), "REFS")
}

/// The partition of pushes whose keys are not known yet.
pub(super) const ANNOUNCEMENTS: &str = "P#pushes";

/// The item that announces a push of a transfer.
pub(super) fn announcement_key(id: &TransferId) -> Item {
    key(ANNOUNCEMENTS.to_owned(), id.as_str())
}

/// The item of a pause that all who use a pool keep.
pub(super) fn throttle_key(pool: &str) -> Item {
    key(format!("B#{pool}"), "PAUSE")
}

/// How many calls somebody made in a minute.
pub(super) fn quota_key(caller: &str, minute: i64) -> Item {
    key(format!("R#{caller}"), &minute.to_string())
}

/// A request that its caller gave a name.
pub(super) fn request_key(hash: &str) -> Item {
    key(format!("I#{hash}"), "REQUEST")
}

/// What is known of an object in the delivery bucket.
pub(super) fn artifact_key(object: &str) -> Item {
    key(format!("{ARTIFACT}{object}"), "ARTIFACT")
}

const ARTIFACT: &str = "A#";

/// The newest object of a document.
pub(super) fn document_key(document: &ObjectGuid) -> Item {
    key(format!("D#{}", document.as_str()), "NEWEST")
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

/// The item of a transfer that nobody looks after yet.
pub(super) fn transfer_item(transfer: &Transfer) -> Result<Item, StoreError> {
    whole_item(transfer, transfer_key(&transfer.transfer_id), "transfer")
}

/// A value of the domain as an item under `key`.
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

/// Puts an item into the index of what may need looking after.
pub(super) fn indexed(mut item: Item, shard: &str, due: Timestamp) -> Item {
    item.insert(SHARD.into(), string(shard));
    item.insert(DUE.into(), number(due.as_millisecond()));
    item
}

/// When a transfer or bundle is looked at for the first time.
pub(super) fn first_look(created_at: Timestamp) -> Timestamp {
    created_at.saturating_add(FIRST_LOOK).unwrap_or(created_at)
}

/// An item that is a transfer's queue place.
pub(super) fn queue_item(transfer: &Transfer) -> Item {
    let waiting = transfer.waiting();
    let mut item = queue_key(transfer.pool, &waiting);
    item.insert("order".into(), number(waiting.order));
    item.insert("transferId".into(), string(waiting.transfer_id.as_str()));
    item.insert("person".into(), string(waiting.person.as_str()));
    item
}

pub(super) fn read_waiting(item: &Item) -> Result<Waiting, StoreError> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let order = item.get("order").and_then(|value| value.as_n().ok()?.parse().ok());
    let transfer_id = text("transferId").and_then(|id| id.parse().ok());
    match (order, transfer_id, text("person")) {
        (Some(order), Some(transfer_id), Some(person)) => {
            Ok(Waiting { order, transfer_id, person: Person::new(person) })
        }
        _ => Err(corrupt("place in the queue")),
    }
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

/// The partition of outcomes that rest in the outbox: one of their own, so that a
/// queue that takes none does not hold up anything else.
pub(super) const OUTCOMES_SHARD: &str = "O0";

/// The partition of notices: beside that of outcomes, so that neither waits behind the
/// other.
pub(super) const NOTICES_SHARD: &str = "N0";

/// The partition of what lies in the delivery bucket. Who waits to be looked after
/// does not stand behind what is to be removed.
pub(super) const ARTIFACTS_SHARD: &str = "A0";

/// When something of the index is due, milliseconds since 1970, and which item it is.
pub(super) fn read_due(item: &Item) -> Option<(i64, Item)> {
    let due = item.get(DUE)?.as_n().ok()?.parse().ok()?;
    let (pk, sk) = (item.get("pk")?, item.get("sk")?);
    Some((due, Item::from([("pk".to_owned(), pk.clone()), ("sk".to_owned(), sk.clone())])))
}

/// Which transfer, bundle or object of the delivery bucket an item of the index is.
pub(super) fn read_named(key: &Item) -> Option<Due> {
    let partition = key.get("pk")?.as_s().ok()?;
    if let Some(object) = partition.strip_prefix(ARTIFACT) {
        return Some(Due::Artifact(object.to_owned()));
    }
    let (id, sort) = read_key(key)?;
    match sort.split_once('#') {
        None if sort == "META" => Some(Due::Transfer(id)),
        None if sort == "BUNDLE" => Some(Due::Bundle(id)),
        Some(("DOC", number)) => Some(Due::Transfer(id.document(number.parse().ok()?))),
        _ => None,
    }
}

/// Which outcome an item of the index is.
pub(super) fn read_outcome_key(key: &Item) -> Option<(TransferId, u32)> {
    let (id, sort) = read_key(key)?;
    let rest = sort.strip_prefix(OUTCOME)?;
    match rest.split_once('#') {
        None => Some((id, rest.parse().ok()?)),
        Some((number, attempt)) => Some((id.document(number.parse().ok()?), attempt.parse().ok()?)),
    }
}

/// Which notice an item of the index is.
pub(super) fn read_notice_key(key: &Item) -> Option<(TransferId, u32)> {
    let (id, sort) = read_key(key)?;
    Some((id, sort.strip_prefix(NOTICE)?.parse().ok()?))
}

fn read_key(key: &Item) -> Option<(TransferId, &str)> {
    let id = key.get("pk")?.as_s().ok()?.strip_prefix("T#")?.parse().ok()?;
    Some((id, key.get("sk")?.as_s().ok()?))
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

//! Index `unfinished`: the items that the sweeper has to check, and when.

use docferry_app::ports::{FIRST_CHECK_DELAY, WorkItem};
use docferry_domain::ids::TransferId;
use jiff::Timestamp;

use super::conditional_update::{number, string};
use super::keys::{ARTIFACT_PREFIX, Item, read_key};

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

/// Chooses the index shard of a transfer by the last digit of its id, which is random.
pub(super) fn shard(id: &TransferId) -> &'static str {
    let last = id.as_str().bytes().last().unwrap_or_default();
    SHARDS[usize::from(last) % SHARDS.len()]
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

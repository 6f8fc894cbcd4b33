//! Keys of the stored items, as they are in the table.
//!
//! The store builds its keys in code of its own. The tests spell them out, so that an accidental
//! change of a key makes a test fail.

use docferry_domain::ids::TransferId;
use docferry_domain::slots::{Pool, QueueEntry};

/// Primary key of an item.
pub(crate) struct ItemKey {
    /// Partition key.
    pub(crate) pk: String,
    /// Sort key.
    pub(crate) sk: String,
}

/// Sort key of a batch. The stored word for a batch is “bundle”.
pub(crate) const BATCH_SORT_KEY: &str = "BUNDLE";
/// Sort key of the counts of a batch's ended documents.
pub(crate) const COUNTS_SORT_KEY: &str = "COUNTS";
/// Sort key of the file name that the document of a batch reserves. The name is in lower case.
pub(crate) const RESERVED_NAME_SORT_KEY: &str = "NAME#order 1.pdf";
/// Sort key of the holders of slots.
pub(crate) const HOLDERS_SORT_KEY: &str = "SLOTS";
/// Sort key of the newest artifact of a document.
pub(crate) const NEWEST_SORT_KEY: &str = "NEWEST";
/// Sort key of a pause of all transfers.
pub(crate) const PAUSE_SORT_KEY: &str = "PAUSE";
/// Partition of the announced pushes, whose exchange keys are not known yet.
pub(crate) const ANNOUNCED_PUSHES: &str = "P#pushes";
/// Prefix of the sort keys of outcome records.
pub(crate) const OUTCOME_PREFIX: &str = "OUTBOX#";
/// Prefix of the partitions of transfers and batches. The id follows.
pub(crate) const JOB_PREFIX: &str = "T#";
/// Prefix of the partitions of exchange keys. The exchange key follows.
pub(crate) const EXCHANGE_KEY_PREFIX: &str = "K#";

fn key(pk: impl Into<String>, sk: impl Into<String>) -> ItemKey {
    ItemKey { pk: pk.into(), sk: sk.into() }
}

/// Returns the partition of a transfer, or of a batch and its documents.
fn partition(id: &TransferId) -> String {
    format!("{JOB_PREFIX}{id}")
}

/// Returns the key of a transfer outside a batch.
pub(crate) fn transfer(id: &TransferId) -> ItemKey {
    key(partition(id), "META")
}

/// Returns the key of the upload session of a transfer outside a batch.
pub(crate) fn session(id: &TransferId) -> ItemKey {
    key(partition(id), "SESSION#0")
}

/// Returns the key of the outcome record of a transfer's first execution.
pub(crate) fn first_outcome(id: &TransferId) -> ItemKey {
    key(partition(id), format!("{OUTCOME_PREFIX}1"))
}

/// Returns the key of the webhook notification about a job's first run.
pub(crate) fn first_notification(id: &TransferId) -> ItemKey {
    key(partition(id), "NOTICE#1")
}

/// Returns the key of a batch.
pub(crate) fn batch(id: &TransferId) -> ItemKey {
    key(partition(id), BATCH_SORT_KEY)
}

/// Returns the key of the counts of a batch's ended documents.
pub(crate) fn batch_counts(id: &TransferId) -> ItemKey {
    key(partition(id), COUNTS_SORT_KEY)
}

/// Returns the key of the file name that a document of the batch has reserved.
pub(crate) fn reserved_name(batch_id: &TransferId) -> ItemKey {
    key(partition(batch_id), RESERVED_NAME_SORT_KEY)
}

/// Returns the key of the document with this number in a batch.
pub(crate) fn batch_document(batch_id: &TransferId, number: u16) -> ItemKey {
    key(partition(batch_id), format!("DOC#{number:04}"))
}

/// Returns the key of the upload session of a document in a batch.
pub(crate) fn batch_document_session(batch_id: &TransferId, number: u16) -> ItemKey {
    key(partition(batch_id), format!("SESSION#{number:04}"))
}

/// Returns the key of the outcome record of the first execution of a document in a batch.
pub(crate) fn batch_document_first_outcome(batch_id: &TransferId, number: u16) -> ItemKey {
    key(partition(batch_id), format!("{OUTCOME_PREFIX}{number:04}#1"))
}

/// Returns the key of the idempotency record of a request.
pub(crate) fn idempotency_record(request_hash: &str) -> ItemKey {
    key(format!("I#{request_hash}"), "REQUEST")
}

/// Returns the key of the record of an object in the delivery bucket.
pub(crate) fn artifact(object: &str) -> ItemKey {
    key(format!("A#{object}"), "ARTIFACT")
}

/// Returns the key of the newest artifact of a document.
pub(crate) fn newest_artifact(document_guid: &str) -> ItemKey {
    key(format!("D#{document_guid}"), NEWEST_SORT_KEY)
}

/// Returns the key of the announced push of a transfer.
pub(crate) fn announced_push(id: &TransferId) -> ItemKey {
    key(ANNOUNCED_PUSHES, id.as_str())
}

/// Returns the key of the references of transfers to an exchange key.
pub(crate) fn exchange_key(exchange_key: &str) -> ItemKey {
    key(format!("{EXCHANGE_KEY_PREFIX}{exchange_key}"), "REFS")
}

/// Returns the key of the holders of a pool's slots.
pub(crate) fn slot_holders(pool: Pool) -> ItemKey {
    key(format!("S#{}", pool.as_str()), HOLDERS_SORT_KEY)
}

/// Returns the key of an entry in the queue for a pool's slots.
pub(crate) fn queue_entry(pool: Pool, entry: &QueueEntry) -> ItemKey {
    let queue_position = format!("{:013}#{}", entry.order, entry.transfer_id);
    key(format!("Q#{}", pool.as_str()), queue_position)
}

/// Returns the key of the number of API calls of `caller` in a minute, counted from 1970.
pub(crate) fn calls_of_minute(caller: &str, minute: i64) -> ItemKey {
    key(format!("R#{caller}"), minute.to_string())
}

/// Returns the key of the pause of all transfers that use the service `budget`.
pub(crate) fn shared_pause(budget: &str) -> ItemKey {
    key(format!("B#{budget}"), PAUSE_SORT_KEY)
}

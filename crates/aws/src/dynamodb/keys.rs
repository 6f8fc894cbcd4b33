//! Keys of the items of docferry's DynamoDB table.
//!
//! The modules of the store build every key with the functions of this module. The table of all
//! keys is in the documentation of the parent module.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use docferry_domain::document::DocumentName;
use docferry_domain::ids::{ObjectGuid, TransferId};
use docferry_domain::slots::{Pool, QueueEntry};

use super::conditional_update::string;

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
pub(super) const ARTIFACT_PREFIX: &str = "A#";

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
pub(super) fn read_key(key: &Item) -> Option<(TransferId, &str)> {
    let id = key.get("pk")?.as_s().ok()?.strip_prefix("T#")?.parse().ok()?;
    Some((id, key.get("sk")?.as_s().ok()?))
}

//! Checks that the store reads the records of jobs without losing a value: transfers, batches,
//! upload sessions, idempotency records, and messages about outcomes.
//!
//! A check begins with a table that contains only the item of the sample.

use docferry_app::ports::{
    BatchStore as _, CreateOptions, JobStore as _, NotificationOutbox as _, Outbox as _,
    TransferStore as _, UploadStore as _,
};
use docferry_domain::job::BatchCounts;
use serde_json::json;

use crate::check::{assert_nothing_lost, read_transfer, text, transfer_id};
use crate::fixtures::{Records, item};
use crate::keys::{BATCH_SORT_KEY, COUNTS_SORT_KEY, OUTCOME_PREFIX, RESERVED_NAME_SORT_KEY};
use crate::labels::batch;
use crate::table::FixtureTable;
use crate::times::{RETENTION_END, START};
use crate::typed_json::{Item, plain_item};

/// Checks a transfer: it is read, and it can be written again, without losing a value.
pub(crate) async fn check_transfer(context: &str, item: &Item, table: &FixtureTable) {
    let transfer = read_transfer(table, item).await;
    assert_nothing_lost(context, item, &transfer);

    table.store().create_with(&transfer, CreateOptions::default()).await.unwrap();
    let rewritten = plain_item(&table.take_written()[0]);
    assert_nothing_lost(&format!("{context}, rewritten"), item, &rewritten);
}

/// Checks a batch, the counts of its documents, or a file name that a document has reserved.
pub(crate) async fn check_batch(
    context: &str,
    records: &Records,
    item: &Item,
    table: &FixtureTable,
) {
    match text(item, "sk") {
        BATCH_SORT_KEY => check_batch_itself(context, item, table).await,
        COUNTS_SORT_KEY => check_batch_counts(context, records, item, table).await,
        // No code reads a reserved name. Only the condition of a write compares its attribute
        // `document`.
        sort_key => {
            assert_eq!(sort_key, RESERVED_NAME_SORT_KEY, "{context}");
            let document = transfer_id(item).document(0);
            assert_eq!(text(item, "document"), document.as_str(), "{context}");
        }
    }
}

/// Checks a batch. Its counts are zero, because the table does not contain the item of the counts.
async fn check_batch_itself(context: &str, item: &Item, table: &FixtureTable) {
    let (batch, counts) = table.store().batch(&transfer_id(item)).await.unwrap().unwrap();
    assert_nothing_lost(context, item, &batch);
    assert_eq!(counts, BatchCounts::default(), "{context}");
}

/// Checks the counts of a batch's documents. The store reads them only together with the batch.
async fn check_batch_counts(
    context: &str,
    records: &Records,
    counts_item: &Item,
    table: &FixtureTable,
) {
    table.set_items(&[item(records, batch::RUNNING), counts_item]);
    let (_, counts) = table.store().batch(&transfer_id(counts_item)).await.unwrap().unwrap();

    let stored = plain_item(counts_item);
    assert_eq!(stored["ended"], counts.ended, "{context}");
    assert_eq!(stored["completed"], counts.completed, "{context}");
    assert_eq!(stored["bytes"], counts.bytes, "{context}");
    assert_eq!(stored["firstFailure"], json!(counts.first_failure), "{context}");
}

/// Checks an upload session.
pub(crate) async fn check_session(context: &str, item: &Item, table: &FixtureTable) {
    let record = table.store().session(&transfer_id(item)).await.unwrap().unwrap();

    let stored = plain_item(item);
    assert_eq!(stored["epoch"], record.epoch, "{context}");
    let sealed_url = aws_smithy_types::base64::encode(&record.session.sealed_url);
    assert_eq!(stored["sealedUrl"], sealed_url, "{context}");
    let expires_at = stored.get("sessionExpiresAt").cloned().unwrap_or_default();
    assert_eq!(expires_at, json!(record.session.expires_at), "{context}");
}

/// Checks an idempotency record: it is read until its retention ends.
pub(crate) async fn check_idempotency_record(context: &str, item: &Item, table: &FixtureTable) {
    let key = text(item, "key");
    let request = table.store().request(key, START).await.unwrap().unwrap();
    assert_nothing_lost(context, item, &request);

    let expired = table.store().request(key, RETENTION_END).await.unwrap();
    assert_eq!(expired, None, "{context}: the record expires");
}

/// Checks a message of the outbox: an outcome record or a webhook notification.
pub(crate) async fn check_message(context: &str, item: &Item, table: &FixtureTable) {
    if text(item, "sk").starts_with(OUTCOME_PREFIX) {
        check_outcome_record(context, item, table).await;
    } else {
        check_notification(context, item, table).await;
    }
}

/// Returns the execution number of a message, which is the last part of its sort key.
fn execution_number(item: &Item) -> u32 {
    text(item, "sk").rsplit('#').next().unwrap().parse().unwrap()
}

/// Checks an outcome record and its message id.
async fn check_outcome_record(context: &str, item: &Item, table: &FixtureTable) {
    let (id, number) = (transfer_id(item), execution_number(item));
    let record = table.store().outcome(&id, number).await.unwrap().unwrap();
    assert_nothing_lost(context, item, &record);
    assert_eq!(record.message_id(), format!("{id}/{number}"), "{context}");
}

/// Checks a webhook notification and its message id.
async fn check_notification(context: &str, item: &Item, table: &FixtureTable) {
    let (id, number) = (transfer_id(item), execution_number(item));
    let notification = table.store().notification(&id, number).await.unwrap().unwrap();
    assert_nothing_lost(context, item, &notification);
    assert_eq!(notification.message_id(), format!("{id}-{number}"), "{context}");
}

//! Tests that the store reads the stored items of every version. They use a fake table and need no
//! emulator.

use docferry_app::ports::{ArtifactStore as _, BatchStore as _, JobStore as _, TransferStore as _};

use crate::check::{read_transfer, text, transfer_id};
use crate::check_jobs::{
    check_batch, check_idempotency_record, check_message, check_session, check_transfer,
};
use crate::check_shared::{check_artifact, check_counter, check_exchange_key, check_slots};
use crate::fixtures::{Records, UNRELEASED, VERSION_0_1_0, item, load, versions};
use crate::labels::{IDEMPOTENCY_RECORD, artifact, batch, download, kinds, onedrive, slots};
use crate::table::FixtureTable;
use crate::times::{LONGER_RETENTION_END, RETRY_DEADLINE, RETRY_REQUESTED, SIZE_DEADLINE, START};
use crate::values::EXCHANGE_KEY;

/// Runs `check` on each version with its name, its records and an empty table.
async fn for_each_version(check: impl AsyncFn(&str, Records, &FixtureTable)) {
    let versions = versions();
    assert!(versions.len() > 1, "{versions:?}");
    for version in versions {
        check(&version, load(&version), &FixtureTable::start().await).await;
    }
}

#[tokio::test]
async fn stored_records_of_earlier_versions_are_read() {
    for_each_version(async |version, records, table| {
        for (kind, items) in &records {
            for state in items.keys() {
                check_record(version, &records, (kind, state), table).await;
            }
        }
    })
    .await;
}

/// Checks that the store reads one record without losing a value.
async fn check_record(
    version: &str,
    records: &Records,
    (kind, state): (&str, &str),
    table: &FixtureTable,
) {
    let item = &records[kind][state];
    let context = &format!("{version}: {kind}: {state}");
    table.set_items(&[item]);

    match kind {
        kinds::ONEDRIVE_TRANSFERS | kinds::DOWNLOAD_TRANSFERS => {
            check_transfer(context, item, table).await;
        }
        kinds::BATCHES => check_batch(context, records, item, table).await,
        kinds::SESSIONS => check_session(context, item, table).await,
        kinds::REQUESTS => check_idempotency_record(context, item, table).await,
        kinds::OUTBOX => check_message(context, item, table).await,
        kinds::ARTIFACTS => check_artifact(context, version, state, item, table).await,
        kinds::EXCHANGE_KEYS => check_exchange_key(context, version, item, table).await,
        kinds::SLOTS => check_slots(context, records, item, table).await,
        kinds::COUNTERS => check_counter(context, item, table).await,
        _ => panic!("{kind} is an unknown kind"),
    }
}

/// The next step of a running transfer depends on members that earlier versions did not write.
#[tokio::test]
async fn stored_transfers_of_earlier_versions_continue_with_the_right_step() {
    for_each_version(async |version, records, table| {
        check_transfer_awaiting_arrival(version, &records, table).await;
        check_paused_upload(version, &records, table).await;
        check_second_run(version, &records, table).await;
        check_longer_retention(version, &records, table).await;
    })
    .await;
}

/// Checks that a transfer whose document has been requested waits for the arrival of this document,
/// and does not request it again.
async fn check_transfer_awaiting_arrival(version: &str, records: &Records, table: &FixtureTable) {
    let waiting = read_transfer(table, item(records, onedrive::AWAITING_ARRIVAL)).await;
    assert!(!waiting.needs_push() && waiting.needs_source(), "{version}");

    let must_end_by = waiting.must_end_by();
    assert_eq!(must_end_by, SIZE_DEADLINE, "{version}: by the size of the document");

    let keys = waiting.keys_awaiting_arrival();
    let keys: Vec<_> = keys.iter().map(|owed| owed.key.as_str()).collect();
    assert_eq!(keys, [EXCHANGE_KEY], "{version}");
}

/// Checks that a paused upload continues with the document that has already arrived.
async fn check_paused_upload(version: &str, records: &Records, table: &FixtureTable) {
    let paused = read_transfer(table, item(records, onedrive::UPLOAD_PAUSED)).await;
    assert!(!paused.needs_push() && !paused.needs_source(), "{version}");
}

/// Checks that a retried transfer requests its document again, and its place in the queue.
async fn check_second_run(version: &str, records: &Records, table: &FixtureTable) {
    let second_run = read_transfer(table, item(records, onedrive::SECOND_RUN)).await;
    assert!(second_run.needs_push() && second_run.needs_source(), "{version}");

    let (executions, must_end_by) = (second_run.executions(), second_run.must_end_by());
    assert_eq!((executions, must_end_by), (1, RETRY_DEADLINE), "{version}");

    // Version 0.1.0 did not record the time at which a retried transfer joined the queue.
    let queue_time = if version == VERSION_0_1_0 { START } else { RETRY_REQUESTED };
    assert_eq!(second_run.queue_time(), queue_time, "{version}");
}

/// Checks that the extended retention of a download is read.
async fn check_longer_retention(version: &str, records: &Records, table: &FixtureTable) {
    let retained = read_transfer(table, item(records, download::RETAINED_LONGER)).await;
    assert_eq!(retained.retained_until(), LONGER_RETENTION_END, "{version}");
}

#[tokio::test]
async fn rewriting_a_current_record_yields_the_same_item() {
    let (records, table) = (load(UNRELEASED), FixtureTable::start().await);
    rewrite_queued_transfer(&records, &table).await;
    rewrite_batch_and_its_request(&records, &table).await;
    rewrite_artifact(&records, &table).await;
}

/// Reads a queued transfer and writes it again, together with its queue entry.
async fn rewrite_queued_transfer(records: &Records, table: &FixtureTable) {
    let queued = item(records, onedrive::QUEUED);
    let transfer = read_transfer(table, queued).await;

    table.store().create(&transfer).await.unwrap();

    let queue_entry = item(records, slots::QUEUE_ENTRY);
    assert_eq!(table.take_written(), [queued.clone(), queue_entry.clone()]);
}

/// Reads a batch and the idempotency record of a request, and writes both again.
async fn rewrite_batch_and_its_request(records: &Records, table: &FixtureTable) {
    let store = table.store();
    let request_item = item(records, IDEMPOTENCY_RECORD);
    table.set_items(&[request_item]);
    let request = store.request(text(request_item, "key"), START).await.unwrap().unwrap();

    let batch_item = item(records, batch::ACCEPTED);
    table.set_items(&[batch_item]);
    let (batch, _) = store.batch(&transfer_id(batch_item)).await.unwrap().unwrap();

    store.record_batch(&batch, Some(&request)).await.unwrap();

    assert_eq!(table.take_written(), [batch_item.clone(), request_item.clone()]);
}

/// Finds the newest artifact of a document, and writes it again as an artifact that is not
/// delivered yet.
async fn rewrite_artifact(records: &Records, table: &FixtureTable) {
    let store = table.store();
    let newest = item(records, artifact::NEWEST_OF_DOCUMENT);
    table.set_items(&[newest]);
    let guid = text(newest, "objectGuid").parse().unwrap();
    let artifact = store.find_artifact(&guid).await.unwrap().unwrap();

    store.put_artifact(&artifact).await.unwrap();

    assert_eq!(table.take_written(), [item(records, artifact::WRITTEN).clone()]);
}

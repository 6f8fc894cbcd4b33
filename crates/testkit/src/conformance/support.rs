//! Records that several conformance checks create, and functions that read them.

use docferry_app::ports::{Store, WorkItem};
use docferry_domain::document::Artifact;
use docferry_domain::ids::TransferId;
use docferry_domain::job::{Batch, OnItemError};
use docferry_domain::job_spec::JobSpec;
use docferry_domain::transfer::{Delivery, Outcome, Transfer};
use jiff::{SignedDuration, Timestamp};

use crate::builders::{arrived, epoch, pushed, record_push, transfer};

/// Creates a new transfer.
pub(super) async fn created(store: &impl Store) -> Transfer {
    let transfer = transfer();
    store.create(&transfer).await.unwrap();
    transfer
}

/// Creates a transfer whose upload has claimed an epoch, and returns its record with that epoch.
pub(super) async fn uploading(store: &impl Store) -> Transfer {
    let id = created(store).await.transfer_id;
    store.begin_push(&id, 1, epoch()).await.unwrap();
    let key = format!("{id}.pdf");
    assert!(record_push(store, &id, 1, &pushed(&key, 1_000_000)).await.unwrap());
    store.record_arrival(&id, 1, &arrived()).await.unwrap();
    store.claim(&id, 1).await.unwrap()
}

/// Reads the record of a transfer that exists.
pub(super) async fn get(store: &impl Store, id: &TransferId) -> Transfer {
    store.get(id).await.unwrap().expect("the transfer has no record")
}

/// Ends a transfer with this outcome.
pub(super) async fn finish(store: &impl Store, id: &TransferId, outcome: Outcome) -> Transfer {
    let read = get(store, id).await;
    store.finish(&read, outcome, epoch()).await.unwrap()
}

/// Returns the entry of a transfer in the index of unfinished work.
pub(super) fn due_of(id: &TransferId) -> WorkItem {
    WorkItem::Transfer(id.clone())
}

/// Returns a delivery of 1,000,000 bytes, which is the size of an [`uploading`] transfer.
pub(super) fn delivery() -> Delivery {
    Artifact { key: "k".into(), size: 1_000_000, crc32: None }.into()
}

/// Returns the time this number of seconds after [`epoch`].
pub(super) fn seconds(count: i64) -> Timestamp {
    epoch() + SignedDuration::from_secs(count)
}

/// Returns the time this number of hours after [`epoch`].
pub(super) fn hours(count: i64) -> Timestamp {
    epoch() + SignedDuration::from_hours(count)
}

/// Returns a new batch with a random id and this number of documents.
pub(super) fn batch(documents: u16) -> Batch {
    let spec = JobSpec { retain_until: Some(hours(24)), ..JobSpec::of_owner("scv") };
    Batch::new(transfer().transfer_id, spec, documents, OnItemError::Skip, epoch())
}

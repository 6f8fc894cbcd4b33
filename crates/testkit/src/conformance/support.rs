//! Records that the checks create, and reads of them.

use docferry_app::ports::{Store, WorkItem};
use docferry_domain::document::Artifact;
use docferry_domain::ids::TransferId;
use docferry_domain::transfer::{Delivery, Outcome, Transfer};
use jiff::{SignedDuration, Timestamp};

use crate::builders::{arrived, epoch, pushed, record_push, transfer};

pub(super) async fn created(store: &impl Store) -> Transfer {
    let transfer = transfer();
    store.create(&transfer).await.unwrap();
    transfer
}

/// Creates a transfer whose upload has taken an epoch. Returns the record with that epoch.
pub(super) async fn uploading(store: &impl Store) -> Transfer {
    let id = created(store).await.transfer_id;
    store.begin_push(&id, 1, epoch()).await.unwrap();
    let key = format!("{id}.pdf");
    assert!(record_push(store, &id, 1, &pushed(&key, 1_000_000)).await.unwrap());
    store.record_arrival(&id, 1, &arrived()).await.unwrap();
    store.claim(&id, 1).await.unwrap()
}

pub(super) async fn get(store: &impl Store, id: &TransferId) -> Transfer {
    store.get(id).await.unwrap().expect("the transfer has no record")
}

pub(super) async fn finish(store: &impl Store, id: &TransferId, outcome: Outcome) -> Transfer {
    let read = get(store, id).await;
    store.finish(&read, outcome, epoch()).await.unwrap()
}

pub(super) fn due_of(id: &TransferId) -> WorkItem {
    WorkItem::Transfer(id.clone())
}

pub(super) fn delivery() -> Delivery {
    Artifact { key: "k".into(), size: 1_000_000 }.into()
}

pub(super) fn seconds(n: i64) -> Timestamp {
    epoch() + SignedDuration::from_secs(n)
}

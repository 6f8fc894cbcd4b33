//! Conformance checks of every [`BatchStore`]. A batch is a job with several documents, each of
//! which is a transfer.

use super::support;
use docferry_app::ports::{BatchStore, FIRST_CHECK_DELAY, Store, WorkItem};
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::job::{Batch, BatchCounts};
use docferry_domain::phase::Phase;
use docferry_domain::slots::SlotState;
use docferry_domain::transfer::{Outcome, Transfer};
use jiff::SignedDuration;

use crate::builders::{epoch, new_transfer, transfer};

/// Runs every check of a `BatchStore`.
///
/// # Panics
/// When the store breaks a rule of its port.
pub async fn batch_store(store: &impl Store) {
    documents_are_not_due_until_queued(store).await;
    each_document_is_counted_once(store).await;
    batch_is_canceled_by_its_owner_and_ends_once(store).await;
}

/// Creates a batch and its documents. The second creation of the batch changes nothing.
async fn created(store: &impl Store, documents: u16) -> (Batch, Vec<Transfer>) {
    let mut batch = support::batch(documents);
    batch.spec.retain_until = None;
    store.create_batch(&batch).await.unwrap();
    store.create_batch(&batch).await.unwrap();
    let deadline = epoch() + SignedDuration::from_hours(4);
    let document = |number| {
        let id = batch.batch_id.document(number);
        Transfer {
            slot_state: SlotState::Idle,
            ..Transfer::new(id, new_transfer(), epoch(), deadline)
        }
    };
    let documents: Vec<_> = (0..documents).map(document).collect();
    store.add_documents(&documents, deadline).await.unwrap();
    (batch, documents)
}

async fn counts(store: &impl BatchStore, id: &TransferId) -> BatchCounts {
    store.batch(id).await.unwrap().expect("the batch has no record").1
}

async fn documents_are_not_due_until_queued(store: &impl Store) {
    let (batch, documents) = created(store, 3).await;
    let id = &batch.batch_id;
    let whole = store.batch_with_documents(id, 1000).await.unwrap().unwrap();
    assert_eq!(whole, (batch.clone(), BatchCounts::default(), documents.clone()));
    assert_eq!(store.batch_with_documents(&transfer().transfer_id, 1000).await.unwrap(), None);
    assert_eq!(store.batch(id).await.unwrap(), Some((batch.clone(), BatchCounts::default())));
    assert_eq!(store.get(id).await.unwrap(), None, "a batch is not a transfer");
    assert_eq!(store.documents(id, 0, 2).await.unwrap(), documents[..2]);
    assert_eq!(store.documents(id, 2, 2).await.unwrap(), documents[2..]);
    assert!(store.documents(id, 3, 2).await.unwrap().is_empty());
    let after_an_hour = epoch() + SignedDuration::from_hours(1);
    let second = &documents[1].transfer_id;
    let due = WorkItem::Transfer(second.clone());
    assert!(!store.unfinished(after_an_hour, 10_000).await.unwrap().contains(&due));
    store.enqueue(&documents[1], epoch() + FIRST_CHECK_DELAY).await.unwrap();
    let record = store.get(second).await.unwrap().expect("the document has no record");
    assert_eq!(record.slot_state, SlotState::Queued);

    // Adding the documents again does not undo that.
    store.add_documents(&documents, after_an_hour).await.unwrap();
    assert_eq!(store.get(second).await.unwrap(), Some(record));
    let expect_listed = async |item: &WorkItem| {
        for _ in 0..100 {
            if store.unfinished(after_an_hour, 10_000).await.unwrap().contains(item) {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("{item:?} never appeared in the index");
    };
    expect_listed(&due).await;
    expect_listed(&WorkItem::Batch(id.clone())).await;
    store.commit_batch(id).await.unwrap();
    assert_eq!(store.batch(id).await.unwrap().unwrap().0.phase, Phase::Uploading);
}

async fn each_document_is_counted_once(store: &impl Store) {
    let (batch, documents) = created(store, 2).await;
    let id = &batch.batch_id;
    for _ in 0..2 {
        let failed = Outcome::Failed(FailureCode::QuotaExceeded);
        let read = store.get(&documents[0].transfer_id).await.unwrap().unwrap();
        store.finish(&read, failed, epoch()).await.unwrap();
    }
    let first_failure = Some(FailureCode::QuotaExceeded);
    let one_failed = BatchCounts { ended: 1, completed: 0, bytes: 0, first_failure };
    assert_eq!(counts(store, id).await, one_failed);
    store.finish(&documents[1], Outcome::Failed(FailureCode::Internal), epoch()).await.unwrap();
    assert_eq!(counts(store, id).await, BatchCounts { ended: 2, ..one_failed });
}

async fn batch_is_canceled_by_its_owner_and_ends_once(store: &impl Store) {
    let (batch, _) = created(store, 1).await;
    let id = &batch.batch_id;
    assert_eq!(store.cancel_batch(id, "another owner", epoch()).await.unwrap(), None);
    let canceled = store.cancel_batch(id, "scv", epoch()).await.unwrap().unwrap();
    assert!(canceled.cancel_requested);
    store.documents_stopped(id, 0).await.unwrap();
    assert!(store.batch(id).await.unwrap().unwrap().0.documents_stopped);
    let counts = BatchCounts { ended: 2, completed: 1, ..BatchCounts::default() };
    store.end_batch(&canceled, &counts, Outcome::Canceled, epoch(), epoch()).await.unwrap();
    store
        .end_batch(&canceled, &BatchCounts::default(), Outcome::Completed, epoch(), epoch())
        .await
        .unwrap();
    store.commit_batch(id).await.unwrap();
    let (ended, _) = store.batch(id).await.unwrap().unwrap();
    assert_eq!((ended.phase, ended.ended_at), (Phase::Canceled, Some(epoch())));
    assert_eq!(ended.failed_documents, 1, "the webhook reports the same number");
    assert_eq!(store.cancel_batch(id, "scv", epoch()).await.unwrap(), None);
}

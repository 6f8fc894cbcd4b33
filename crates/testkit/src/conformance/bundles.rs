//! What every [`BundleStore`] must do.

use docferry_app::ports::{BundleStore, Due, FIRST_LOOK, SlotStore, TransferStore};
use docferry_domain::{
    Bundle, BundleCounts, FailureCode, OnItemError, Outcome, Phase, SCHEMA_VERSION, Transfer,
    TransferId, Turn,
};
use jiff::SignedDuration;

use crate::builders::{epoch, new_transfer, transfer};

/// Runs every check.
///
/// # Panics
/// At the first thing that a store does otherwise than the port says.
pub async fn bundle_store(store: &(impl TransferStore + SlotStore + BundleStore)) {
    documents_wait_for_nothing_until_they_are_queued(store).await;
    each_document_counts_once(store).await;
    a_bundle_is_canceled_by_its_owner_and_ends_once(store).await;
}

async fn created(
    store: &(impl TransferStore + BundleStore),
    documents: u16,
) -> (Bundle, Vec<Transfer>) {
    let bundle = Bundle {
        schema_version: SCHEMA_VERSION,
        bundle_id: transfer().transfer_id,
        owner: "scv".into(),
        on_behalf_of: None,
        documents,
        on_item_error: OnItemError::Skip,
        created_at: epoch(),
        keep_until: None,
        callback: None,
        trace: None,
        deadline: None,
        phase: Phase::Accepted,
        retries: 0,
        resuming: false,
        documents_stopped: false,
        cancel_requested: false,
        ended_at: None,
        failure: None,
        failed_documents: 0,
    };
    store.create_bundle(&bundle).await.unwrap();
    store.create_bundle(&bundle).await.unwrap();
    let deadline = epoch() + SignedDuration::from_hours(4);
    let one = |n| {
        let id = bundle.bundle_id.document(n);
        Transfer { turn: Turn::Idle, ..Transfer::new(id, new_transfer(), epoch(), deadline) }
    };
    let documents: Vec<_> = (0..documents).map(one).collect();
    store.add_documents(&documents, deadline).await.unwrap();
    (bundle, documents)
}

async fn counts(store: &impl BundleStore, id: &TransferId) -> BundleCounts {
    store.bundle(id).await.unwrap().expect("the bundle is there").1
}

async fn documents_wait_for_nothing_until_they_are_queued(
    store: &(impl TransferStore + SlotStore + BundleStore),
) {
    let (bundle, documents) = created(store, 3).await;
    let id = &bundle.bundle_id;
    let whole = store.whole_bundle(id, 1000).await.unwrap().unwrap();
    assert_eq!(whole, (bundle.clone(), BundleCounts::default(), documents.clone()));
    assert_eq!(store.whole_bundle(&transfer().transfer_id, 1000).await.unwrap(), None);
    assert_eq!(store.bundle(id).await.unwrap(), Some((bundle.clone(), BundleCounts::default())));
    assert_eq!(store.get(id).await.unwrap(), None, "it is no transfer itself");
    assert_eq!(store.documents(id, 0, 2).await.unwrap(), documents[..2]);
    assert_eq!(store.documents(id, 2, 2).await.unwrap(), documents[2..]);
    assert!(store.documents(id, 3, 2).await.unwrap().is_empty());
    let later = epoch() + SignedDuration::from_hours(1);
    let one = &documents[1].transfer_id;
    let named = Due::Transfer(one.clone());
    assert!(!store.unfinished(later, 10_000).await.unwrap().contains(&named));
    store.enqueue(&documents[1], epoch() + FIRST_LOOK).await.unwrap();
    let record = store.get(one).await.unwrap().expect("the document is there");
    assert_eq!(record.turn, Turn::Queued);
    // Writing it again does not undo that.
    store.add_documents(&documents, later).await.unwrap();
    assert_eq!(store.get(one).await.unwrap(), Some(record));
    let listed = async |what: &Due| {
        for _ in 0..100 {
            if store.unfinished(later, 10_000).await.unwrap().contains(what) {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("{what:?} should be in the index");
    };
    listed(&named).await;
    listed(&Due::Bundle(id.clone())).await;
    store.open_bundle(id).await.unwrap();
    assert_eq!(store.bundle(id).await.unwrap().unwrap().0.phase, Phase::Uploading);
}

async fn each_document_counts_once(store: &(impl TransferStore + SlotStore + BundleStore)) {
    let (bundle, documents) = created(store, 2).await;
    let id = &bundle.bundle_id;
    for _ in 0..2 {
        let failed = Outcome::Failed(FailureCode::QuotaExceeded);
        let read = store.get(&documents[0].transfer_id).await.unwrap().unwrap();
        store.finish(&read, failed, epoch()).await.unwrap();
    }
    let first_failure = Some(FailureCode::QuotaExceeded);
    let one = BundleCounts { ended: 1, completed: 0, bytes: 0, first_failure };
    assert_eq!(counts(store, id).await, one);
    store.finish(&documents[1], Outcome::Failed(FailureCode::Internal), epoch()).await.unwrap();
    assert_eq!(counts(store, id).await, BundleCounts { ended: 2, ..one });
}

async fn a_bundle_is_canceled_by_its_owner_and_ends_once(
    store: &(impl TransferStore + SlotStore + BundleStore),
) {
    let (bundle, _) = created(store, 1).await;
    let id = &bundle.bundle_id;
    assert_eq!(store.cancel_bundle(id, "somebody else", epoch()).await.unwrap(), None);
    let canceled = store.cancel_bundle(id, "scv", epoch()).await.unwrap().unwrap();
    assert!(canceled.cancel_requested);
    store.documents_stopped(id, 0).await.unwrap();
    assert!(store.bundle(id).await.unwrap().unwrap().0.documents_stopped);
    let counts = BundleCounts { ended: 2, completed: 1, ..BundleCounts::default() };
    store.end_bundle(&canceled, &counts, Outcome::Canceled, epoch(), epoch()).await.unwrap();
    store
        .end_bundle(&canceled, &BundleCounts::default(), Outcome::Completed, epoch(), epoch())
        .await
        .unwrap();
    store.open_bundle(id).await.unwrap();
    let (ended, _) = store.bundle(id).await.unwrap().unwrap();
    assert_eq!((ended.phase, ended.ended_at), (Phase::Canceled, Some(epoch())));
    assert_eq!(ended.failed_documents, 1, "what is notified with the end is recorded too");
    assert_eq!(store.cancel_bundle(id, "scv", epoch()).await.unwrap(), None);
}

//! What every store of [`Notices`] must do.

use docferry_app::ports::{BundleStore, JobStore, Notices, OUTBOX_REST, Outbox, TransferStore};
use docferry_domain::{
    Bundle, BundleCounts, FailureCode, Notice, OnItemError, Outcome, Phase, SCHEMA_VERSION,
    Transfer, TransferId,
};
use jiff::{SignedDuration, Timestamp};

use crate::builders::{callback, epoch, new_transfer, transfer};

/// Runs every check.
///
/// # Panics
/// At the first thing that a store does otherwise than the port says.
pub async fn notices<S>(store: &S)
where
    S: TransferStore + BundleStore + JobStore + Outbox + Notices,
{
    the_end_of_a_transfer_puts_a_notice_down_beside_the_outcome(store).await;
    who_wants_to_hear_nothing_is_told_nothing(store).await;
    a_job_of_many_puts_one_down_for_each_of_its_runs(store).await;
    one_that_was_never_promised_is_told_of_to_nobody(store).await;
}

async fn the_end_of_a_transfer_puts_a_notice_down_beside_the_outcome(
    store: &(impl TransferStore + Outbox + Notices),
) {
    let made = Transfer { callback: Some(callback()), ..transfer() };
    let id = &made.transfer_id;
    store.create(&made).await.unwrap();
    assert_eq!(store.get(id).await.unwrap().and_then(|read| read.callback), Some(callback()));
    assert_eq!(store.notice(id, 1).await.unwrap(), None);
    let outcome = Outcome::Failed(FailureCode::QuotaExceeded);
    let ended = store.finish(&made, outcome, epoch()).await.unwrap();
    let notice = store.notice(id, 1).await.unwrap().expect("the end puts it there");
    assert_eq!(Some(notice.clone()), Notice::of_transfer(&ended));
    assert_eq!(notice.failure, Some(FailureCode::QuotaExceeded));
    // Ending it again adds nothing.
    store.finish(&ended, Outcome::Canceled, epoch()).await.unwrap();
    assert_eq!(store.notice(id, 1).await.unwrap(), Some(notice));
    let rested = epoch() + OUTBOX_REST;
    rests(store, id, rested - SignedDuration::from_secs(1), false).await;
    rests(store, id, rested + SignedDuration::from_secs(1), true).await;
    // Each is told for itself.
    store.told(id, 1).await.unwrap();
    assert!(store.notice(id, 1).await.unwrap().is_some());
    store.notice_queued(id, 1).await.unwrap();
    store.notice_queued(id, 1).await.unwrap();
    assert_eq!(store.notice(id, 1).await.unwrap(), None);
    rests(store, id, rested + SignedDuration::from_secs(1), false).await;
}

async fn who_wants_to_hear_nothing_is_told_nothing(store: &(impl TransferStore + Notices)) {
    let made = transfer();
    store.create(&made).await.unwrap();
    store.finish(&made, Outcome::Canceled, epoch()).await.unwrap();
    assert_eq!(store.notice(&made.transfer_id, 1).await.unwrap(), None);
}

fn bundle() -> Bundle {
    Bundle {
        schema_version: SCHEMA_VERSION,
        bundle_id: transfer().transfer_id,
        owner: "scv".into(),
        on_behalf_of: None,
        documents: 1,
        on_item_error: OnItemError::Fail,
        created_at: epoch(),
        keep_until: Some(epoch() + SignedDuration::from_hours(24)),
        callback: Some(callback()),
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
    }
}

async fn a_job_of_many_puts_one_down_for_each_of_its_runs(
    store: &(impl TransferStore + BundleStore + JobStore + Notices),
) {
    let made = bundle();
    let id = &made.bundle_id;
    store.create_bundle(&made).await.unwrap();
    let one = Transfer::new(id.document(0), new_transfer(), epoch(), epoch());
    store.add_documents(std::slice::from_ref(&one), epoch()).await.unwrap();
    store.open_bundle(id).await.unwrap();
    store.finish(&one, Outcome::Canceled, epoch()).await.unwrap();
    assert_eq!(store.notice(&one.transfer_id, 1).await.unwrap(), None, "a part of the whole");
    let (read, _) = store.bundle(id).await.unwrap().unwrap();
    assert_eq!(read.callback, Some(callback()));
    let counts = BundleCounts { ended: 1, ..BundleCounts::default() };
    for _ in 0..2 {
        store.end_bundle(&read, &counts, Outcome::Canceled, epoch(), epoch()).await.unwrap();
    }
    let first = store.notice(id, 1).await.unwrap().expect("the end puts it there");
    assert_eq!((first.outcome, first.documents, first.runs), (Phase::Canceled, 1, 1));
    assert_eq!(first.failed_documents, Some(1));
    let (ended, _) = store.bundle(id).await.unwrap().unwrap();
    let later = epoch() + SignedDuration::from_hours(1);
    assert!(store.resume_bundle(&ended, later, later, later).await.unwrap());
    store.documents_resumed(id, 1).await.unwrap();
    let (again, _) = store.bundle(id).await.unwrap().unwrap();
    store
        .end_bundle(&again, &BundleCounts::default(), Outcome::Completed, later, later)
        .await
        .unwrap();
    assert_eq!(store.notice(id, 1).await.unwrap(), Some(first), "the first stays as it is");
    let second = store.notice(id, 2).await.unwrap().expect("the second end puts one there");
    assert_eq!((second.outcome, second.runs, second.failure), (Phase::Completed, 2, None));
}

async fn one_that_was_never_promised_is_told_of_to_nobody(store: &(impl BundleStore + Notices)) {
    let made = bundle();
    store.create_bundle(&made).await.unwrap();
    let failed = Outcome::Failed(FailureCode::Internal);
    store.end_bundle(&made, &BundleCounts::default(), failed, epoch(), epoch()).await.unwrap();
    assert_eq!(store.notice(&made.bundle_id, 1).await.unwrap(), None);
}

/// The index may lag, so it is asked until it has caught up.
async fn rests(store: &impl Notices, id: &TransferId, now: Timestamp, expected: bool) {
    for _ in 0..100 {
        let resting = store.resting_notices(now, 1000).await.unwrap();
        if resting.contains(&(id.clone(), 1)) == expected {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("resting_notices should say {expected}");
}

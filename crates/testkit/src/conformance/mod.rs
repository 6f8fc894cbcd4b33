//! Conformance suites: checks that hold for every implementation of the store ports, in memory
//! and in DynamoDB.
//!
//! Each check creates records with random ids, so that all checks may share one table. Suites
//! that need a store of their own say so.

mod artifacts;
mod batches;
mod jobs;
mod keys;
mod notifications;
mod outbox;
mod slots;
mod throttle;

pub use throttle::throttle_budget;

use crate::builders::record_push;
use docferry_app::ports::{Release, SealedSession, Store, WorkItem, WriteError};
use docferry_domain::document::Artifact;
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Delivery, Outcome, Step, Transfer, TransientError};
use jiff::{SignedDuration, Timestamp};

use crate::builders::{arrived, checkpoint, epoch, pushed, transfer};

pub use artifacts::artifact_store;
pub use batches::batch_store;
pub use jobs::job_store;
pub use notifications::notifications;
pub use outbox::outbox;
pub use slots::slot_store;

/// Runs every check of a [`Store`](docferry_app::ports::Store).
///
/// # Panics
/// When the store breaks a rule of its port.
pub async fn transfer_store(store: &impl Store) {
    record_is_created_once_and_read_back(store).await;
    phases_only_move_forward(store).await;
    writes_of_another_execution_are_rejected(store).await;
    only_the_newest_epoch_writes(store).await;
    bytes_done_never_goes_down(store).await;
    checkpoint_returns_the_cancel_request(store).await;
    sessions_belong_to_the_epoch_that_stored_them(store).await;
    ended_transfer_rejects_all_writes(store).await;
    first_ending_is_final(store).await;
    recorded_delivery_wins_over_failure_and_cancel(store).await;
    last_user_of_a_key_deletes_its_object(store).await;
    push_during_a_deletion_is_repeated_after_it(store).await;
    push_waits_for_the_shared_lease_of_two_releases(store).await;
    deletion_lease_expires(store).await;
    transfer_is_unfinished_until_cleaned_up(store).await;
    next_execution_keeps_the_progress(store).await;
    no_work_starts_during_an_ending(store).await;
    unused_key_can_be_leased_to_delete_a_late_object(store).await;
    rewritten_object_is_recorded_with_its_new_tag(store).await;
    ending_is_rejected_if_the_record_has_changed(store).await;
    keys::exchange_keys(store).await;
}

async fn created(store: &impl Store) -> Transfer {
    let transfer = transfer();
    store.create(&transfer).await.unwrap();
    transfer
}

/// Creates a transfer whose upload has taken an epoch. Returns the record with that epoch.
async fn uploading(store: &impl Store) -> Transfer {
    let id = created(store).await.transfer_id;
    store.begin_push(&id, 1, epoch()).await.unwrap();
    let key = format!("{id}.pdf");
    assert!(record_push(store, &id, 1, &pushed(&key, 1_000_000)).await.unwrap());
    store.record_arrival(&id, 1, &arrived()).await.unwrap();
    store.claim(&id, 1).await.unwrap()
}

async fn get(store: &impl Store, id: &TransferId) -> Transfer {
    store.get(id).await.unwrap().expect("the transfer has no record")
}

async fn finish(store: &impl Store, id: &TransferId, outcome: Outcome) -> Transfer {
    let read = get(store, id).await;
    store.finish(&read, outcome, epoch()).await.unwrap()
}

fn due_of(id: &TransferId) -> WorkItem {
    WorkItem::Transfer(id.clone())
}

fn delivery() -> Delivery {
    Artifact { key: "k".into(), size: 1_000_000 }.into()
}

fn seconds(n: i64) -> Timestamp {
    epoch() + SignedDuration::from_secs(n)
}

async fn record_is_created_once_and_read_back(store: &impl Store) {
    let made = created(store).await;
    assert_eq!(get(store, &made.transfer_id).await, made);
    store.begin_push(&made.transfer_id, 1, epoch()).await.unwrap();
    // A create that is repeated after a lost response does not undo later changes.
    store.create(&made).await.unwrap();
    assert_eq!(get(store, &made.transfer_id).await.phase, Phase::Pushing);
    assert!(store.get(&transfer().transfer_id).await.unwrap().is_none());
    let missing = store.claim(&transfer().transfer_id, 1).await;
    assert!(matches!(missing, Err(WriteError::NotFound)), "{missing:?}");
}

async fn phases_only_move_forward(store: &impl Store) {
    let id = created(store).await.transfer_id;
    let begun = store.begin_push(&id, 1, seconds(1)).await.unwrap();
    assert_eq!((begun.phase, begun.started_at), (Phase::Pushing, Some(seconds(1))));
    let repeated = store.begin_push(&id, 1, seconds(2)).await.unwrap();
    assert_eq!((begun.pushes, repeated.pushes), (1, 2), "each push may bring the document");
    let key = format!("{id}.pdf");
    assert!(record_push(store, &id, 1, &pushed(&key, 10)).await.unwrap());
    assert_eq!(get(store, &id).await.phase, Phase::AwaitingArrival);
    store.record_arrival(&id, 1, &arrived()).await.unwrap();
    let record = get(store, &id).await;
    assert_eq!(record.phase, Phase::Uploading);
    assert_eq!(record.object, Some(arrived()));
    // Repeating earlier steps changes nothing.
    let repeated = store.begin_push(&id, 1, seconds(9)).await.unwrap();
    assert_eq!((repeated.phase, repeated.started_at), (Phase::Uploading, Some(seconds(1))));
    assert!(record_push(store, &id, 1, &pushed("other.pdf", 99)).await.unwrap());
    store.record_arrival(&id, 1, &arrived()).await.unwrap();
    assert_eq!(get(store, &id).await, record);
}

async fn writes_of_another_execution_are_rejected(store: &impl Store) {
    let id = created(store).await.transfer_id;
    let begun = store.begin_push(&id, 2, epoch()).await;
    assert!(matches!(begun, Err(WriteError::Ended)), "{begun:?}");
    let claimed = store.claim(&id, 2).await;
    assert!(matches!(claimed, Err(WriteError::Ended)), "{claimed:?}");
}

async fn only_the_newest_epoch_writes(store: &impl Store) {
    let old = uploading(store).await;
    let id = &old.transfer_id;
    let new = store.claim(id, 1).await.unwrap();
    assert!(new.epoch > old.epoch);
    let stale = store.checkpoint(id, old.epoch, &checkpoint(500)).await;
    assert!(matches!(stale, Err(WriteError::Superseded)), "{stale:?}");
    let stale = store.record_delivery(id, old.epoch, &delivery()).await;
    assert!(matches!(stale, Err(WriteError::Superseded)), "{stale:?}");
    store.checkpoint(id, new.epoch, &checkpoint(400)).await.unwrap();
    store.pause_until(id, new.epoch, seconds(60)).await.unwrap();
    let error = TransientError { code: FailureCode::DestinationUnavailable, at: epoch() };
    for step in [Step::Push, Step::Deliver, Step::Deliver] {
        store.record_failed_try(id, 1, step, &error).await.unwrap();
    }
    let failed = store.get(id).await.unwrap().unwrap();
    assert_eq!((failed.tries(), failed.last_transient_error), (3, Some(error.clone())));
    let of_another_execution = store.record_failed_try(id, 9, Step::Push, &error).await;
    assert!(matches!(of_another_execution, Err(WriteError::Ended)));
    store.record_delivery(id, new.epoch, &delivery()).await.unwrap();
    // A repetition after a lost response succeeds.
    store.record_delivery(id, new.epoch, &delivery()).await.unwrap();
    let record = get(store, id).await;
    assert_eq!(record.checkpoint, Some(checkpoint(400)));
    assert_eq!(record.resume_at, Some(seconds(60)));
    assert_eq!((record.delivery, record.bytes_done), (Some(delivery()), 1_000_000));
}

async fn bytes_done_never_goes_down(store: &impl Store) {
    let Transfer { transfer_id: id, epoch, .. } = uploading(store).await;
    store.checkpoint(&id, epoch, &checkpoint(800)).await.unwrap();
    store.checkpoint(&id, epoch, &checkpoint(0)).await.unwrap();
    let record = get(store, &id).await;
    assert_eq!((record.bytes_done, record.checkpoint), (800, Some(checkpoint(0))));
}

async fn checkpoint_returns_the_cancel_request(store: &impl Store) {
    let Transfer { transfer_id: id, epoch, .. } = uploading(store).await;
    let ack = store.checkpoint(&id, epoch, &checkpoint(1)).await.unwrap();
    assert!(!ack.stop);
    assert_eq!(store.request_cancel(&id, "another owner", 0).await.unwrap(), None);
    let canceled = store.request_cancel(&id, "scv", 0).await.unwrap();
    assert_eq!(canceled, Some(get(store, &id).await));
    assert!(canceled.is_some_and(|record| record.cancel_requested));
    let ack = store.checkpoint(&id, epoch, &checkpoint(2)).await.unwrap();
    assert!(ack.stop);
    finish(store, &id, Outcome::Canceled).await;
    assert_eq!(store.request_cancel(&id, "scv", 0).await.unwrap(), None, "the transfer has ended");
    assert_eq!(store.request_cancel(&transfer().transfer_id, "scv", 0).await.unwrap(), None);
}

async fn sessions_belong_to_the_epoch_that_stored_them(store: &impl Store) {
    let old = uploading(store).await;
    let id = &old.transfer_id;
    let session = |byte| SealedSession { sealed_url: vec![byte; 3], expires_at: Some(seconds(9)) };
    assert!(store.session(id).await.unwrap().is_none());
    store.put_session(id, old.epoch, &session(1)).await.unwrap();
    let new = store.claim(id, 1).await.unwrap();
    let lost = store.put_session(id, old.epoch, &session(2)).await;
    assert!(matches!(lost, Err(WriteError::Superseded)), "{lost:?}");
    store.put_session(id, new.epoch, &session(3)).await.unwrap();
    store.delete_session_record(id, old.epoch).await.unwrap();
    let record =
        store.session(id).await.unwrap().expect("the session of the newer epoch was dropped");
    assert_eq!((record.session, record.epoch), (session(3), new.epoch));
    store.delete_session_record(id, new.epoch).await.unwrap();
    assert!(store.session(id).await.unwrap().is_none());
    store.delete_session_record(id, new.epoch).await.unwrap();
}

async fn ended_transfer_rejects_all_writes(store: &impl Store) {
    let before = uploading(store).await;
    let id = &before.transfer_id;
    let ended = finish(store, id, Outcome::Failed(FailureCode::QuotaExceeded)).await;
    assert_eq!(ended.phase, Phase::Failed);
    assert_eq!(ended.ended_at, Some(epoch()));
    let session = SealedSession { sealed_url: vec![1], expires_at: None };
    let e = before.epoch;
    let rejected = [
        store.begin_push(id, 1, epoch()).await.err(),
        record_push(store, id, 1, &pushed("k", 1)).await.err(),
        store.record_arrival(id, 1, &arrived()).await.err(),
        store.claim(id, 1).await.err(),
        store.put_session(id, e, &session).await.err(),
        store.checkpoint(id, e, &checkpoint(9)).await.err(),
        store.pause_until(id, e, epoch()).await.err(),
        store.record_delivery(id, e, &delivery()).await.err(),
    ];
    for (n, error) in rejected.into_iter().enumerate() {
        assert!(matches!(error, Some(WriteError::Ended)), "write {n}: {error:?}");
    }
    assert_eq!(get(store, id).await, ended);
}

async fn first_ending_is_final(store: &impl Store) {
    let id = uploading(store).await.transfer_id;
    let first = finish(store, &id, Outcome::Canceled).await;
    assert_eq!(first.failure.as_ref().map(|f| f.code), Some(FailureCode::Canceled));
    let second = finish(store, &id, Outcome::Failed(FailureCode::Internal)).await;
    assert_eq!(second, first);
    let stale = Transfer { execution_number: 7, ..get(store, &id).await };
    let other = store.finish(&stale, Outcome::Canceled, epoch()).await;
    assert!(matches!(other, Err(WriteError::Ended)), "{other:?}");
}

async fn recorded_delivery_wins_over_failure_and_cancel(store: &impl Store) {
    let Transfer { transfer_id: id, epoch: e, .. } = uploading(store).await;
    store.record_delivery(&id, e, &delivery()).await.unwrap();
    let overtaken = finish(store, &id, Outcome::Canceled).await;
    assert_eq!(overtaken.phase, Phase::Uploading);
    assert_eq!(finish(store, &id, Outcome::Completed).await.phase, Phase::Completed);
}

async fn last_user_of_a_key_deletes_its_object(store: &impl Store) {
    let (a, b) = (created(store).await.transfer_id, created(store).await.transfer_id);
    let key = format!("shared-{a}.pdf");
    for id in [&a, &b] {
        store.begin_push(id, 1, epoch()).await.unwrap();
        assert!(record_push(store, id, 1, &pushed(&key, 1)).await.unwrap());
    }
    let release = async |id| store.release_key(id, 1, &key, seconds(1), seconds(90)).await.unwrap();
    assert_eq!(release(&a).await, Release::StillReferenced);
    assert_eq!(release(&a).await, Release::StillReferenced);
    assert_eq!(release(&b).await, Release::Last);
    // Repeated after a lost response.
    assert_eq!(release(&b).await, Release::Last);
    store.mark_released(&b, &key, seconds(2)).await.unwrap();
    assert_eq!(release(&b).await, Release::StillReferenced);
    assert_eq!(release(&created(store).await.transfer_id).await, Release::StillReferenced);
}

/// Two processes of one transfer may release a key. Neither knows when the other has deleted
/// the object, so the lease of both ends by its time only.
async fn push_waits_for_the_shared_lease_of_two_releases(store: &impl Store) {
    let (a, b) = (created(store).await.transfer_id, created(store).await.transfer_id);
    let key = format!("twice-{a}.pdf");
    for id in [&a, &b] {
        store.begin_push(id, 1, epoch()).await.unwrap();
    }
    assert!(record_push(store, &a, 1, &pushed(&key, 1)).await.unwrap());
    for from in [10, 11] {
        let until = seconds(from + 90);
        let release = store.release_key(&a, 1, &key, seconds(from), until).await.unwrap();
        assert_eq!(release, Release::Last);
    }
    store.mark_released(&a, &key, seconds(12)).await.unwrap();
    let mut push = pushed(&key, 1);
    (push.requested_at, push.pushed_at) = (seconds(60), seconds(61));
    assert!(!record_push(store, &b, 1, &push).await.unwrap(), "the other may still delete");
    store.mark_released(&a, &key, seconds(62)).await.unwrap();
    assert!(!record_push(store, &b, 1, &push).await.unwrap());
    (push.requested_at, push.pushed_at) = (seconds(101), seconds(102));
    assert!(record_push(store, &b, 1, &push).await.unwrap(), "the lease has expired");
}

async fn push_during_a_deletion_is_repeated_after_it(store: &impl Store) {
    let (a, b) = (created(store).await.transfer_id, created(store).await.transfer_id);
    let key = format!("racing-{a}.pdf");
    for id in [&a, &b] {
        store.begin_push(id, 1, epoch()).await.unwrap();
    }
    assert!(record_push(store, &a, 1, &pushed(&key, 1)).await.unwrap());
    let release = store.release_key(&a, 1, &key, seconds(10), seconds(100)).await.unwrap();
    assert_eq!(release, Release::Last);
    let mut push = pushed(&key, 1);
    push.pushed_at = seconds(11);
    assert!(!record_push(store, &b, 1, &push).await.unwrap(), "the object is being deleted");
    assert_eq!(get(store, &b).await.phase, Phase::Pushing, "the push is not recorded");
    store.mark_released(&a, &key, seconds(12)).await.unwrap();
    assert!(
        !record_push(store, &b, 1, &push).await.unwrap(),
        "the deletion may have removed the new object"
    );
    (push.requested_at, push.pushed_at) = (seconds(60), seconds(61));
    assert!(record_push(store, &b, 1, &push).await.unwrap(), "pushed again after the deletion");
}

async fn deletion_lease_expires(store: &impl Store) {
    let (a, b) = (created(store).await.transfer_id, created(store).await.transfer_id);
    let key = format!("died-{a}.pdf");
    for id in [&a, &b] {
        store.begin_push(id, 1, epoch()).await.unwrap();
    }
    assert!(record_push(store, &a, 1, &pushed(&key, 1)).await.unwrap());
    store.release_key(&a, 1, &key, seconds(10), seconds(100)).await.unwrap();
    let mut push = pushed(&key, 1);
    push.pushed_at = seconds(101);
    assert!(record_push(store, &b, 1, &push).await.unwrap());
    // The first transfer resumes after its lease has expired: another transfer uses the object.
    let late = store.release_key(&a, 1, &key, seconds(102), seconds(190)).await.unwrap();
    assert_eq!(late, Release::StillReferenced);
}

async fn transfer_is_unfinished_until_cleaned_up(store: &impl Store) {
    let id = uploading(store).await.transfer_id;
    // The index is eventually consistent, so the query is repeated until it has caught up.
    let expect_listed = async |now: Timestamp, expected: bool| {
        for _ in 0..100 {
            let found = store.unfinished(now, 10_000).await.unwrap();
            if found.contains(&due_of(&id)) == expected {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("the index never caught up; expected the transfer in it: {expected}");
    };
    // A queued transfer has no execution that could die, so it is due only at its deadline.
    let due = epoch() + SignedDuration::from_hours(4);
    let after = |n: i64| due + SignedDuration::from_secs(n);
    expect_listed(after(1), true).await;
    expect_listed(after(-1), false).await;
    store.reschedule(&due_of(&id), after(300)).await.unwrap();
    expect_listed(after(299), false).await;
    expect_listed(after(301), true).await;
    let owner = get(store, &id).await.owner;
    store.request_cancel(&id, &owner, 0).await.unwrap();
    expect_listed(seconds(0), true).await;
    store.reschedule(&due_of(&id), after(300)).await.unwrap();
    store.mark_cleaned_up(&id, 1, seconds(9)).await.unwrap();
    expect_listed(after(301), true).await;
    finish(store, &id, Outcome::Canceled).await;
    expect_listed(after(301), true).await;
    store.mark_cleaned_up(&id, 1, seconds(9)).await.unwrap();
    store.mark_cleaned_up(&id, 1, seconds(9)).await.unwrap();
    store.reschedule(&due_of(&id), after(1)).await.unwrap();
    expect_listed(after(999), false).await;
}

async fn next_execution_keeps_the_progress(store: &impl Store) {
    let Transfer { transfer_id: id, epoch: e, .. } = uploading(store).await;
    store.checkpoint(&id, e, &checkpoint(7)).await.unwrap();
    let before = get(store, &id).await;
    let next = store.next_execution(&id, 1).await.unwrap();
    assert_eq!(next, Transfer { execution_number: 2, ..before });
    let repeated = store.next_execution(&id, 1).await;
    assert!(matches!(repeated, Err(WriteError::Ended)), "{repeated:?}");
    let old = store.claim(&id, 1).await;
    assert!(matches!(old, Err(WriteError::Ended)), "{old:?}");
    assert!(store.claim(&id, 2).await.is_ok());
}

async fn no_work_starts_during_an_ending(store: &impl Store) {
    let Transfer { transfer_id: id, epoch: e, .. } = uploading(store).await;
    let other = store.begin_ending(&id, 2, FailureCode::Internal).await;
    assert!(matches!(other, Err(WriteError::Ended)), "{other:?}");
    store.begin_ending(&id, 1, FailureCode::QuotaExceeded).await.unwrap();
    let repeated = store.begin_ending(&id, 1, FailureCode::Internal).await.unwrap();
    assert_eq!(repeated.ending, Some(FailureCode::QuotaExceeded), "the first reason is kept");
    let session = SealedSession { sealed_url: vec![1], expires_at: None };
    let rejected = [
        store.claim(&id, 1).await.err(),
        store.put_session(&id, e, &session).await.err(),
        store.next_execution(&id, 1).await.err(),
    ];
    for (n, error) in rejected.into_iter().enumerate() {
        assert!(matches!(error, Some(WriteError::Ended)), "write {n}: {error:?}");
    }
    assert!(store.checkpoint(&id, e, &checkpoint(5)).await.unwrap().stop);
    store.record_delivery(&id, e, &delivery()).await.unwrap();
    assert_eq!(finish(store, &id, Outcome::Completed).await.phase, Phase::Completed);
}

async fn unused_key_can_be_leased_to_delete_a_late_object(store: &impl Store) {
    let (a, b) = (created(store).await.transfer_id, created(store).await.transfer_id);
    let key = format!("late-{a}.pdf");
    let take =
        async |id| store.acquire_unused_key(id, &key, seconds(1), seconds(90)).await.unwrap();
    store.begin_push(&b, 1, epoch()).await.unwrap();
    assert!(record_push(store, &b, 1, &pushed(&key, 1)).await.unwrap());
    assert!(!take(&a).await, "another transfer uses the key");
    store.release_key(&b, 1, &key, seconds(0), seconds(90)).await.unwrap();
    assert!(!take(&a).await, "another transfer is deleting the object");
    store.mark_released(&b, &key, seconds(1)).await.unwrap();
    assert!(take(&a).await);
    assert!(take(&a).await, "repeated after a lost response");
    let mut push = pushed(&key, 1);
    (push.requested_at, push.pushed_at) = (seconds(60), seconds(60));
    store.begin_push(&a, 1, epoch()).await.unwrap();
    assert!(!record_push(store, &a, 1, &push).await.unwrap(), "the object is being deleted");
    store.mark_released(&a, &key, seconds(2)).await.unwrap();
    assert!(!record_push(store, &a, 1, &push).await.unwrap(), "the lease is shared");
    (push.requested_at, push.pushed_at) = (seconds(91), seconds(91));
    assert!(record_push(store, &a, 1, &push).await.unwrap());
}

async fn rewritten_object_is_recorded_with_its_new_tag(store: &impl Store) {
    let Transfer { transfer_id: id, epoch: e, .. } = uploading(store).await;
    let mut object = arrived();
    object.etag = "\"new\"".into();
    store.replace_object(&id, e, &object).await.unwrap();
    let stale = store.replace_object(&id, e + 1, &arrived()).await;
    assert!(matches!(stale, Err(WriteError::Superseded)), "{stale:?}");
    assert_eq!(get(store, &id).await.object, Some(object));
}

async fn ending_is_rejected_if_the_record_has_changed(store: &impl Store) {
    let read = created(store).await;
    let id = &read.transfer_id;
    // A step starts in between, and its results have to be cleaned up.
    store.begin_push(id, 1, epoch()).await.unwrap();
    let rejected = store.finish(&read, Outcome::Canceled, epoch()).await.unwrap();
    assert_eq!(rejected, get(store, id).await);
    assert_eq!(rejected.phase, Phase::Pushing);
    let ended = store.finish(&rejected, Outcome::Canceled, epoch()).await.unwrap();
    assert_eq!(ended, get(store, id).await);
    assert_eq!(ended.phase, Phase::Canceled);
}

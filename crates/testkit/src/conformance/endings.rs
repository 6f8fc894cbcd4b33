//! Conformance checks of [`TransferStore`](docferry_app::ports::TransferStore): the end of a
//! transfer.

use docferry_app::ports::{SealedSession, Store, WriteError};
use docferry_domain::failure::FailureCode;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Outcome, Transfer};
use jiff::{SignedDuration, Timestamp};

use super::support::{created, delivery, due_of, finish, get, seconds, uploading};
use crate::builders::{arrived, checkpoint, epoch, pushed, record_push};

pub(super) async fn ended_transfer_rejects_all_writes(store: &impl Store) {
    let before = uploading(store).await;
    let id = &before.transfer_id;
    let ended = finish(store, id, Outcome::Failed(FailureCode::QuotaExceeded)).await;
    assert_eq!(ended.phase, Phase::Failed);
    assert_eq!(ended.ended_at, Some(epoch()));
    let session = SealedSession { sealed_url: vec![1], expires_at: None };
    let upload_epoch = before.epoch;
    let rejected = [
        store.begin_push(id, 1, epoch()).await.err(),
        record_push(store, id, 1, &pushed("k", 1)).await.err(),
        store.record_arrival(id, 1, &arrived()).await.err(),
        store.claim(id, 1).await.err(),
        store.put_session(id, upload_epoch, &session).await.err(),
        store.checkpoint(id, upload_epoch, &checkpoint(9)).await.err(),
        store.pause_until(id, upload_epoch, epoch()).await.err(),
        store.record_delivery(id, upload_epoch, &delivery()).await.err(),
    ];
    for (number, error) in rejected.into_iter().enumerate() {
        assert!(matches!(error, Some(WriteError::Ended)), "write {number}: {error:?}");
    }
    assert_eq!(get(store, id).await, ended);
}

pub(super) async fn first_ending_is_final(store: &impl Store) {
    let id = uploading(store).await.transfer_id;
    let first = finish(store, &id, Outcome::Canceled).await;
    assert_eq!(first.failure.as_ref().map(|failure| failure.code), Some(FailureCode::Canceled));
    let second = finish(store, &id, Outcome::Failed(FailureCode::Internal)).await;
    assert_eq!(second, first);
    let of_another_execution = Transfer { execution_number: 7, ..get(store, &id).await };
    let rejected = store.finish(&of_another_execution, Outcome::Canceled, epoch()).await;
    assert!(matches!(rejected, Err(WriteError::Ended)), "{rejected:?}");
}

pub(super) async fn recorded_delivery_wins_over_failure_and_cancel(store: &impl Store) {
    let Transfer { transfer_id: id, epoch: upload_epoch, .. } = uploading(store).await;
    store.record_delivery(&id, upload_epoch, &delivery()).await.unwrap();
    let overtaken = finish(store, &id, Outcome::Canceled).await;
    assert_eq!(overtaken.phase, Phase::Uploading);
    assert_eq!(finish(store, &id, Outcome::Completed).await.phase, Phase::Completed);
}

pub(super) async fn transfer_is_unfinished_until_cleaned_up(store: &impl Store) {
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
    let after = |seconds: i64| due + SignedDuration::from_secs(seconds);
    expect_listed(after(1), true).await;
    expect_listed(after(-1), false).await;
    store.reschedule(&due_of(&id), after(300)).await.unwrap();
    expect_listed(after(299), false).await;
    expect_listed(after(301), true).await;
    let owner = get(store, &id).await.spec.owner;
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

pub(super) async fn no_work_starts_during_an_ending(store: &impl Store) {
    let Transfer { transfer_id: id, epoch: upload_epoch, .. } = uploading(store).await;
    let other = store.begin_ending(&id, 2, FailureCode::Internal).await;
    assert!(matches!(other, Err(WriteError::Ended)), "{other:?}");
    store.begin_ending(&id, 1, FailureCode::QuotaExceeded).await.unwrap();
    let repeated = store.begin_ending(&id, 1, FailureCode::Internal).await.unwrap();
    assert_eq!(repeated.ending, Some(FailureCode::QuotaExceeded), "the first reason stays");
    let session = SealedSession { sealed_url: vec![1], expires_at: None };
    let rejected = [
        store.claim(&id, 1).await.err(),
        store.put_session(&id, upload_epoch, &session).await.err(),
        store.next_execution(&id, 1).await.err(),
    ];
    for (number, error) in rejected.into_iter().enumerate() {
        assert!(matches!(error, Some(WriteError::Ended)), "write {number}: {error:?}");
    }
    assert!(store.checkpoint(&id, upload_epoch, &checkpoint(5)).await.unwrap().stop);
    store.record_delivery(&id, upload_epoch, &delivery()).await.unwrap();
    assert_eq!(finish(store, &id, Outcome::Completed).await.phase, Phase::Completed);
}

pub(super) async fn ending_is_rejected_if_the_record_has_changed(store: &impl Store) {
    let read = created(store).await;
    let id = &read.transfer_id;

    // A step starts after the record was read. So the transfer cannot end yet, because the results
    // of the step have to be cleaned up.
    store.begin_push(id, 1, epoch()).await.unwrap();
    let rejected = store.finish(&read, Outcome::Canceled, epoch()).await.unwrap();
    assert_eq!(rejected, get(store, id).await);
    assert_eq!(rejected.phase, Phase::Pushing);
    let ended = store.finish(&rejected, Outcome::Canceled, epoch()).await.unwrap();
    assert_eq!(ended, get(store, id).await);
    assert_eq!(ended.phase, Phase::Canceled);
}

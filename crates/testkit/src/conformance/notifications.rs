//! Conformance checks of every [`NotificationOutbox`], which stores webhook notifications until
//! they are queued.

use super::support;
use docferry_app::ports::{BatchRetry, BatchStore, NotificationOutbox, OUTBOX_RESEND_DELAY, Store};
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::job::{Batch, BatchCounts, OnItemError, WebhookNotification};
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Outcome, Transfer};
use jiff::{SignedDuration, Timestamp};

use crate::builders::{callback, epoch, new_transfer, transfer};

/// Runs every check of a `NotificationOutbox`.
///
/// # Panics
/// When the store breaks a rule of its port.
pub async fn notifications<S>(store: &S)
where
    S: Store,
{
    ending_stores_a_notification_beside_the_outcome(store).await;
    transfer_without_callback_has_no_notification(store).await;
    batch_stores_one_notification_per_run(store).await;
    uncommitted_batch_has_no_notification(store).await;
}

async fn ending_stores_a_notification_beside_the_outcome(store: &impl Store) {
    let mut job = transfer();
    job.spec.callback = Some(callback());
    let id = &job.transfer_id;
    store.create(&job).await.unwrap();
    assert_eq!(store.get(id).await.unwrap().and_then(|read| read.spec.callback), Some(callback()));
    assert_eq!(store.notification(id, 1).await.unwrap(), None);
    let outcome = Outcome::Failed(FailureCode::QuotaExceeded);
    let ended = store.finish(&job, outcome, epoch()).await.unwrap();
    let notification =
        store.notification(id, 1).await.unwrap().expect("the ending stores no notification");
    assert_eq!(Some(notification.clone()), WebhookNotification::of_transfer(&ended));
    assert_eq!(notification.failure, Some(FailureCode::QuotaExceeded));

    // Ending the transfer again adds nothing.
    store.finish(&ended, Outcome::Canceled, epoch()).await.unwrap();
    assert_eq!(store.notification(id, 1).await.unwrap(), Some(notification));
    let due = epoch() + OUTBOX_RESEND_DELAY;
    expect_listed(store, id, due - SignedDuration::from_secs(1), false).await;
    expect_listed(store, id, due + SignedDuration::from_secs(1), true).await;

    // The audit queue and the webhook queue are independent.
    store.mark_sent(id, 1).await.unwrap();
    assert!(store.notification(id, 1).await.unwrap().is_some());
    store.remove_queued_notification(id, 1).await.unwrap();
    store.remove_queued_notification(id, 1).await.unwrap();
    assert_eq!(store.notification(id, 1).await.unwrap(), None);
    expect_listed(store, id, due + SignedDuration::from_secs(1), false).await;
}

async fn transfer_without_callback_has_no_notification(store: &impl Store) {
    let job = transfer();
    store.create(&job).await.unwrap();
    store.finish(&job, Outcome::Canceled, epoch()).await.unwrap();
    assert_eq!(store.notification(&job.transfer_id, 1).await.unwrap(), None);
}

fn batch() -> Batch {
    let mut batch = Batch { on_item_error: OnItemError::Fail, ..support::batch(1) };
    batch.spec.callback = Some(callback());
    batch
}

async fn batch_stores_one_notification_per_run(store: &impl Store) {
    let job = batch();
    let id = &job.batch_id;
    store.create_batch(&job).await.unwrap();
    let document = Transfer::new(id.document(0), new_transfer(), epoch(), epoch());
    store.add_documents(std::slice::from_ref(&document), epoch()).await.unwrap();
    store.commit_batch(id).await.unwrap();
    store.finish(&document, Outcome::Canceled, epoch()).await.unwrap();
    assert_eq!(
        store.notification(&document.transfer_id, 1).await.unwrap(),
        None,
        "a document of a batch has no notification of its own"
    );
    let (read, _) = store.batch(id).await.unwrap().unwrap();
    assert_eq!(read.spec.callback, Some(callback()));
    let counts = BatchCounts { ended: 1, ..BatchCounts::default() };
    for _ in 0..2 {
        store.end_batch(&read, &counts, Outcome::Canceled, epoch(), epoch()).await.unwrap();
    }
    let first =
        store.notification(id, 1).await.unwrap().expect("the ending stores no notification");
    assert_eq!((first.outcome, first.documents, first.runs), (Phase::Canceled, 1, 1));
    assert_eq!(first.failed_documents, Some(1));
    let (ended, _) = store.batch(id).await.unwrap().unwrap();
    let due = epoch() + SignedDuration::from_hours(1);
    let retry = BatchRetry { retain_until: due, deadline: due, due, origin: None };
    assert!(store.resume_batch(&ended, &retry).await.unwrap());
    store.mark_documents_resumed(id, 1).await.unwrap();
    let (resumed, _) = store.batch(id).await.unwrap().unwrap();
    store.end_batch(&resumed, &BatchCounts::default(), Outcome::Completed, due, due).await.unwrap();
    assert_eq!(
        store.notification(id, 1).await.unwrap(),
        Some(first),
        "the notification of the first run is unchanged"
    );
    let second =
        store.notification(id, 2).await.unwrap().expect("the second run stores no notification");
    assert_eq!((second.outcome, second.runs, second.failure), (Phase::Completed, 2, None));
}

async fn uncommitted_batch_has_no_notification(store: &(impl BatchStore + NotificationOutbox)) {
    let job = batch();
    store.create_batch(&job).await.unwrap();
    let failed = Outcome::Failed(FailureCode::Internal);
    store.end_batch(&job, &BatchCounts::default(), failed, epoch(), epoch()).await.unwrap();
    assert_eq!(store.notification(&job.batch_id, 1).await.unwrap(), None);
}

/// Checks whether the sweeper finds the notification. The index is eventually consistent, so the
/// query is repeated until the index is up to date.
async fn expect_listed(
    store: &impl NotificationOutbox,
    id: &TransferId,
    now: Timestamp,
    expected: bool,
) {
    for _ in 0..100 {
        let unsent = store.unsent_notifications(now, 1000).await.unwrap();
        if unsent.contains(&(id.clone(), 1)) == expected {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the index never caught up; expected the notification in it: {expected}");
}

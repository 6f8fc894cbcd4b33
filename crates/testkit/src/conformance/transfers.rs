//! Conformance checks of [`TransferStore`](docferry_app::ports::TransferStore) and
//! [`UploadStore`](docferry_app::ports::UploadStore): the record of a transfer that has not ended.

use docferry_app::ports::{SealedSession, Store, WriteError};
use docferry_domain::failure::FailureCode;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Outcome, Step, Transfer, TransientError};

use super::support::{created, delivery, finish, get, seconds, uploading};
use crate::builders::{arrived, checkpoint, epoch, pushed, record_push, transfer};

pub(super) async fn record_is_created_once_and_read_back(store: &impl Store) {
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

pub(super) async fn phases_only_move_forward(store: &impl Store) {
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

pub(super) async fn writes_of_another_execution_are_rejected(store: &impl Store) {
    let id = created(store).await.transfer_id;
    let begun = store.begin_push(&id, 2, epoch()).await;
    assert!(matches!(begun, Err(WriteError::Ended)), "{begun:?}");
    let claimed = store.claim(&id, 2).await;
    assert!(matches!(claimed, Err(WriteError::Ended)), "{claimed:?}");
}

pub(super) async fn only_the_newest_epoch_writes(store: &impl Store) {
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
    // A delivery completes the bytes of the document.
    assert_eq!((record.delivery, record.bytes_done), (Some(delivery()), 1_000_000));
}

pub(super) async fn bytes_done_never_goes_down(store: &impl Store) {
    let Transfer { transfer_id: id, epoch, .. } = uploading(store).await;
    store.checkpoint(&id, epoch, &checkpoint(800)).await.unwrap();
    store.checkpoint(&id, epoch, &checkpoint(0)).await.unwrap();
    let record = get(store, &id).await;
    assert_eq!((record.bytes_done, record.checkpoint), (800, Some(checkpoint(0))));
}

pub(super) async fn checkpoint_returns_the_cancel_request(store: &impl Store) {
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

pub(super) async fn sessions_belong_to_the_epoch_that_stored_them(store: &impl Store) {
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

pub(super) async fn next_execution_keeps_the_progress(store: &impl Store) {
    let Transfer { transfer_id: id, epoch: upload_epoch, .. } = uploading(store).await;
    store.checkpoint(&id, upload_epoch, &checkpoint(7)).await.unwrap();
    let before = get(store, &id).await;
    let next = store.next_execution(&id, 1).await.unwrap();
    assert_eq!(next, Transfer { execution_number: 2, ..before });
    let repeated = store.next_execution(&id, 1).await;
    assert!(matches!(repeated, Err(WriteError::Ended)), "{repeated:?}");
    let old = store.claim(&id, 1).await;
    assert!(matches!(old, Err(WriteError::Ended)), "{old:?}");
    assert!(store.claim(&id, 2).await.is_ok());
}

pub(super) async fn rewritten_object_is_recorded_with_its_new_tag(store: &impl Store) {
    let Transfer { transfer_id: id, epoch: upload_epoch, .. } = uploading(store).await;
    let mut object = arrived();
    object.etag = "\"new\"".into();
    store.replace_object(&id, upload_epoch, &object).await.unwrap();
    let stale = store.replace_object(&id, upload_epoch + 1, &arrived()).await;
    assert!(matches!(stale, Err(WriteError::Superseded)), "{stale:?}");
    assert_eq!(get(store, &id).await.object, Some(object));
}

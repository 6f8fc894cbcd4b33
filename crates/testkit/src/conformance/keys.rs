//! Conformance checks of [`ExchangeKeyStore`](docferry_app::ports::ExchangeKeyStore) and
//! [`PushStore`](docferry_app::ports::PushStore).
//!
//! An exchange key is the key of an object in the exchange bucket. The document source chooses the
//! key when it pushes a document. At any time, only one document uses a key.

use docferry_app::ports::{PushRecord, Release, Store, WriteError};
use docferry_domain::ids::ObjectGuid;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{
    LateArrivalKey, OutstandingPush, PushedSource, Transfer, UNNAMED_PUSH_TIMEOUT,
};
use jiff::SignedDuration;

use super::support::{get, seconds, uploading};
use crate::builders::{arrived, pushed, transfer};

/// GUID of a second document. All other transfers use the document of [`transfer`].
const OTHER_GUID: &str = "b3RoZXI=";

/// Runs every check of exchange keys.
///
/// # Panics
/// When the store breaks a rule of its port.
pub(super) async fn exchange_keys(store: &impl Store) {
    key_is_used_by_one_document(store).await;
    announcement_keeps_the_time_of_the_first_try(store).await;
    lost_object_is_awaited_again_after_another_push(store).await;
    late_arrival_key_is_recorded_once(store).await;
}

/// Creates a transfer of this document whose push step has begun.
async fn pushing(store: &impl Store, document: &ObjectGuid) -> Transfer {
    let made = Transfer { object_guid: document.clone(), ..transfer() };
    store.create(&made).await.unwrap();
    store.begin_push(&made.transfer_id, 1, seconds(0)).await.unwrap()
}

async fn key_is_used_by_one_document(store: &impl Store) {
    let (own, other): (ObjectGuid, ObjectGuid) =
        (transfer().object_guid, OTHER_GUID.parse().unwrap());
    let holding = pushing(store, &own).await.transfer_id;
    let waiting = pushing(store, &other).await.transfer_id;
    let (holding, waiting) = (&holding, &waiting);
    let key = format!("held-{holding}.pdf");
    let source = pushed(&key, 1);
    let own_push = OutstandingPush::of(holding, &own, &source);
    let other_push = OutstandingPush::of(waiting, &other, &source);
    let record = async |id, push| store.record_push(id, 1, push, &source).await.unwrap();
    assert_eq!(record(holding, &own_push).await, PushRecord::Recorded);
    assert_eq!(record(waiting, &other_push).await, PushRecord::HeldByAnother);
    assert_eq!(record(waiting, &other_push).await, PushRecord::HeldByAnother);
    let waiting_record = get(store, waiting).await;
    assert_eq!((waiting_record.phase, waiting_record.source), (Phase::Pushing, None));
    assert_eq!(waiting_record.known_key.as_ref(), Some(&key));
    let late_key = LateArrivalKey { key: key.clone(), requested_at: source.requested_at };
    assert_eq!(waiting_record.late_arrival_keys, [late_key]);
    let state = store.exchange_key(&key).await.unwrap();
    assert_eq!(state.holder.as_ref(), Some(&own));
    assert!(state.outstanding.contains(&own_push) && state.outstanding.contains(&other_push));
    store.remove_outstanding_push(&key, &own_push).await.unwrap();
    store.remove_outstanding_push(&key, &own_push).await.unwrap();
    assert_eq!(
        store.exchange_key(&key).await.unwrap().outstanding,
        std::slice::from_ref(&other_push)
    );

    // The other document gets the key only after the deletion of the object.
    let acquire = async |id, guid| store.acquire_key(id, 1, guid, &key, seconds(5)).await.unwrap();
    assert!(!acquire(waiting, &other).await, "a different document uses the key");
    assert!(acquire(holding, &own).await, "the document that uses the key may take it");
    let release = store.release_key(holding, 1, &key, seconds(6), seconds(90)).await.unwrap();
    assert_eq!(release, Release::Last);
    assert!(!acquire(waiting, &other).await, "the object is being deleted");
    store.mark_released(holding, &key, seconds(7)).await.unwrap();
    assert!(acquire(waiting, &other).await, "the key is free");
    assert!(acquire(waiting, &other).await, "acquiring the key again succeeds");

    // The transfer has acquired the key before the push. So the deletion was complete before the
    // push, even if clocks differ.
    assert_eq!(record(waiting, &other_push).await, PushRecord::Recorded);
    assert_eq!(get(store, waiting).await.phase, Phase::AwaitingArrival);
    assert!(store.exchange_key("unknown").await.unwrap().outstanding.is_empty());
}

async fn announcement_keeps_the_time_of_the_first_try(store: &impl Store) {
    let id = pushing(store, &transfer().object_guid).await.transfer_id;
    let push_at = |second: i64| OutstandingPush {
        requested_at: seconds(second),
        pushed_at: seconds(second),
        is_repeated: false,
        transfer_id: id.clone(),
        guid: transfer().object_guid,
    };
    assert_eq!(store.announce_push(&id, &push_at(0)).await.unwrap(), push_at(0));
    assert_eq!(
        store.announce_push(&id, &push_at(10)).await.unwrap(),
        push_at(0),
        "the first try may have pushed the document"
    );
    let late = UNNAMED_PUSH_TIMEOUT.as_secs();
    let renewed = store.announce_push(&id, &push_at(late)).await.unwrap();
    assert_eq!(renewed, OutstandingPush { requested_at: seconds(0), ..push_at(late) });
    let announced = async || {
        let all = store.pushes_in_flight().await.unwrap();
        all.into_iter().filter(|push| push.transfer_id == id).count()
    };
    assert_eq!(announced().await, 1);
    store.withdraw_announcement(&id).await.unwrap();
    store.withdraw_announcement(&id).await.unwrap();
    assert_eq!(announced().await, 0);
}

async fn lost_object_is_awaited_again_after_another_push(store: &impl Store) {
    let Transfer { transfer_id: id, epoch, object_guid: guid, .. } = uploading(store).await;
    let stale = store.discard_object(&id, epoch - 1, true).await;
    assert!(matches!(stale, Err(WriteError::Superseded)), "{stale:?}");
    store.discard_object(&id, epoch, true).await.unwrap();
    let lost = get(store, &id).await;
    assert!(lost.push_again && lost.object.is_none() && lost.phase == Phase::Uploading);
    store.record_arrival(&id, 1, &arrived()).await.unwrap();
    assert_eq!(get(store, &id).await.object, None, "the document has to be pushed again first");
    let repeated = store.begin_push(&id, 1, seconds(1)).await.unwrap();
    assert_eq!(repeated.pushes, lost.pushes + 1);
    let source = repeated.source.unwrap();
    let source = PushedSource {
        requested_at: source.requested_at + SignedDuration::from_secs(60),
        found: None,
        ..source
    };
    let push = OutstandingPush::of(&id, &guid, &source);
    let recorded = store.record_push(&id, 1, &push, &source).await.unwrap();
    assert_eq!(recorded, PushRecord::Recorded);
    let pushed = get(store, &id).await;
    assert!(
        !pushed.push_again && pushed.phase == Phase::Uploading,
        "the phase never moves backwards"
    );
    assert_eq!(pushed.source, Some(source));
    store.record_arrival(&id, 1, &arrived()).await.unwrap();
    assert_eq!(get(store, &id).await.object, Some(arrived()));
}

async fn late_arrival_key_is_recorded_once(store: &impl Store) {
    let id = pushing(store, &transfer().object_guid).await.transfer_id;
    let late_key = |key: &str| LateArrivalKey { key: key.into(), requested_at: seconds(3) };
    for key in ["a", "b", "a"] {
        store.record_late_arrival_key(&id, 1, &late_key(key)).await.unwrap();
    }
    assert_eq!(get(store, &id).await.late_arrival_keys, [late_key("a"), late_key("b")]);
    let outdated = store.record_late_arrival_key(&id, 2, &late_key("c")).await;
    assert!(matches!(outdated, Err(WriteError::Ended)), "{outdated:?}");
}

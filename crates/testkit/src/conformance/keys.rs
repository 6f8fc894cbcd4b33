//! Checks of exchange keys: the documents that use them and the pushes that named them.

use docferry_app::ports::{PushRecord, Release, Store, WriteError};
use docferry_domain::ids::ObjectGuid;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{LateArrivalKey, OutstandingPush, Transfer, UNNAMED_PUSH_TIMEOUT};
use jiff::SignedDuration;

use super::support::{get, seconds, uploading};
use crate::builders::{arrived, pushed, transfer};

const OTHER: &str = "b3RoZXI=";

/// Runs every check of exchange keys.
///
/// # Panics
/// When the store breaks a rule of its port.
pub(super) async fn exchange_keys(store: &impl Store) {
    key_is_used_by_one_document(store).await;
    announcement_keeps_the_time_of_the_first_try(store).await;
    lost_object_is_awaited_again_after_another_push(store).await;
    owed_key_is_recorded_once(store).await;
}

async fn pushing(store: &impl Store, document: &ObjectGuid) -> Transfer {
    let made = Transfer { object_guid: document.clone(), ..transfer() };
    store.create(&made).await.unwrap();
    store.begin_push(&made.transfer_id, 1, seconds(0)).await.unwrap()
}

async fn key_is_used_by_one_document(store: &impl Store) {
    let (own, other): (ObjectGuid, ObjectGuid) = (transfer().object_guid, OTHER.parse().unwrap());
    let (a, b) = (pushing(store, &own).await, pushing(store, &other).await);
    let (a, b) = (&a.transfer_id, &b.transfer_id);
    let key = format!("held-{a}.pdf");
    let source = pushed(&key, 1);
    let (push_a, push_b) =
        (OutstandingPush::of(a, &own, &source), OutstandingPush::of(b, &other, &source));
    let record = async |id, push| store.record_push(id, 1, push, &source).await.unwrap();
    assert_eq!(record(a, &push_a).await, PushRecord::Recorded);
    assert_eq!(record(b, &push_b).await, PushRecord::HeldByAnother);
    assert_eq!(record(b, &push_b).await, PushRecord::HeldByAnother, "repeated");
    let waiting = get(store, b).await;
    assert_eq!((waiting.phase, waiting.source), (Phase::Pushing, None));
    assert_eq!(waiting.known_key.as_ref(), Some(&key));
    let owed = LateArrivalKey { key: key.clone(), requested_at: source.requested_at };
    assert_eq!(waiting.late_arrival_keys, [owed]);
    let state = store.exchange_key(&key).await.unwrap();
    assert_eq!(state.holder.as_ref(), Some(&own));
    assert!(state.outstanding.contains(&push_a) && state.outstanding.contains(&push_b));
    store.remove_outstanding_push(&key, &push_a).await.unwrap();
    store.remove_outstanding_push(&key, &push_a).await.unwrap();
    assert_eq!(store.exchange_key(&key).await.unwrap().outstanding, std::slice::from_ref(&push_b));
    let hold = async |id, guid| store.acquire_key(id, 1, guid, &key, seconds(5)).await.unwrap();
    assert!(!hold(b, &other).await, "another document uses it");
    assert!(hold(a, &own).await, "the document that uses the key may take it");
    let release = store.release_key(a, 1, &key, seconds(6), seconds(90)).await.unwrap();
    assert_eq!(release, Release::Last);
    assert!(!hold(b, &other).await, "its object is being deleted");
    store.mark_released(a, &key, seconds(7)).await.unwrap();
    assert!(hold(b, &other).await, "the key is free");
    assert!(hold(b, &other).await, "repeated");
    // The key was taken before the push, so the deletion was complete, even if clocks differ.
    assert_eq!(record(b, &push_b).await, PushRecord::Recorded);
    assert_eq!(get(store, b).await.phase, Phase::AwaitingArrival);
    assert!(store.exchange_key("unknown").await.unwrap().outstanding.is_empty());
}

async fn announcement_keeps_the_time_of_the_first_try(store: &impl Store) {
    let id = pushing(store, &transfer().object_guid).await.transfer_id;
    let at = |n: i64| OutstandingPush {
        requested_at: seconds(n),
        pushed_at: seconds(n),
        is_repeated: false,
        transfer_id: id.clone(),
        guid: transfer().object_guid,
    };
    assert_eq!(store.announce_push(&id, &at(0)).await.unwrap(), at(0));
    assert_eq!(
        store.announce_push(&id, &at(10)).await.unwrap(),
        at(0),
        "the first try may have pushed"
    );
    let late = UNNAMED_PUSH_TIMEOUT.as_secs();
    let renewed = store.announce_push(&id, &at(late)).await.unwrap();
    assert_eq!(renewed, OutstandingPush { requested_at: seconds(0), ..at(late) });
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
    assert_eq!(get(store, &id).await.object, None, "another push has to come first");
    let repeated = store.begin_push(&id, 1, seconds(1)).await.unwrap();
    assert_eq!(repeated.pushes, lost.pushes + 1);
    let source = repeated.source.unwrap();
    let source = docferry_domain::transfer::PushedSource {
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

async fn owed_key_is_recorded_once(store: &impl Store) {
    let id = pushing(store, &transfer().object_guid).await.transfer_id;
    let owed = |key: &str| LateArrivalKey { key: key.into(), requested_at: seconds(3) };
    for key in ["a", "b", "a"] {
        store.record_owed_key(&id, 1, &owed(key)).await.unwrap();
    }
    assert_eq!(get(store, &id).await.late_arrival_keys, [owed("a"), owed("b")]);
    let other = store.record_owed_key(&id, 2, &owed("c")).await;
    assert!(matches!(other, Err(WriteError::Ended)), "{other:?}");
}

//! Tests of DynamoDB writes that were applied but whose response was lost, against the emulator.
//!
//! A proxy in front of the emulator drops the responses. The AWS SDK then repeats the write, and
//! the caller must see the same result as from a single write.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use docferry_app::ports::{
    ExchangeKeyStore as _, Outbox as _, Release, SealedSession, SlotStore as _, TransferStore as _,
    UploadStore as _,
};
use docferry_domain::document::Artifact;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Outcome, Transfer};
use docferry_testkit::builders::{arrived, checkpoint, epoch, pushed, record_push, transfer};
use jiff::SignedDuration;

use support::wire::LossyProxy;
use support::{TestTable, emulator};

#[tokio::test]
async fn caller_does_not_notice_a_lost_response_to_any_write() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let proxy = LossyProxy::to(&emulator).await;
    let store = table.store_through(&proxy.url).await;
    let later = epoch() + SignedDuration::from_secs(60);
    let new_transfer = transfer();
    let id = &new_transfer.transfer_id;
    let push = pushed(&support::random_name("key"), 1_000);
    // Runs a call whose first response is lost.
    macro_rules! with_lost_response {
        ($call:expr) => {{
            proxy.drop_next_response();
            let outcome = $call.await.expect(stringify!($call));
            assert!(proxy.has_dropped_response());
            outcome
        }};
    }

    with_lost_response!(store.create(&new_transfer));
    let slots = with_lost_response!(store.slots(new_transfer.pool));
    assert!(with_lost_response!(store.grant(
        new_transfer.pool,
        slots.version,
        &[new_transfer.queue_entry()],
        epoch(),
        later
    )));
    with_lost_response!(store.release_slot(&store.get(id).await.unwrap().unwrap()));
    with_lost_response!(store.enqueue(&new_transfer, later));
    // The time of the first grant stays recorded after the slot was released.
    let slot_granted_at = Some(epoch());
    assert_eq!(
        with_lost_response!(store.get(id)),
        Some(Transfer { slot_granted_at, ..new_transfer.clone() })
    );
    assert_eq!(with_lost_response!(store.begin_push(id, 1, epoch())).phase, Phase::Pushing);
    assert!(with_lost_response!(record_push(&store, id, 1, &push)));
    with_lost_response!(store.record_arrival(id, 1, &arrived()));
    // The repeated write increments the epoch again. The returned epoch is the newest one.
    let current_epoch = with_lost_response!(store.claim(id, 1)).epoch;
    assert_eq!(current_epoch, 2);
    let session = SealedSession { sealed_url: vec![1, 2, 3], expires_at: Some(later) };
    with_lost_response!(store.put_session(id, current_epoch, &session));
    assert_eq!(with_lost_response!(store.session(id)).unwrap().session, session);
    with_lost_response!(store.checkpoint(id, current_epoch, &checkpoint(700)));
    // After a new upload session, a checkpoint can have a lower offset than the one before.
    with_lost_response!(store.checkpoint(id, current_epoch, &checkpoint(300)));
    with_lost_response!(store.pause_until(id, current_epoch, later));
    let delivery: docferry_domain::transfer::Delivery =
        Artifact { key: "k".into(), size: 1_000, crc32: None }.into();
    with_lost_response!(store.record_delivery(id, current_epoch, &delivery));
    with_lost_response!(store.delete_session_record(id, current_epoch));
    assert!(store.session(id).await.unwrap().is_none());
    let read = store.get(id).await.unwrap().unwrap();
    let ended = with_lost_response!(store.finish(&read, Outcome::Completed, epoch()));
    assert_eq!((ended.phase, ended.bytes_done), (Phase::Completed, 1_000));
    assert!(with_lost_response!(store.outcome(id, 1)).is_some());
    with_lost_response!(store.mark_sent(id, 1));
    assert_eq!(store.outcome(id, 1).await.unwrap(), None);
    assert_eq!(
        with_lost_response!(store.release_key(id, 1, &push.key, epoch(), later)),
        Release::Last
    );
    with_lost_response!(store.mark_released(id, &push.key, epoch()));
    let repeated = store.release_key(id, 1, &push.key, epoch(), later).await.unwrap();
    assert_eq!(repeated, Release::StillReferenced);
}

#[tokio::test]
async fn lost_response_to_releasing_a_shared_key_is_harmless() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let proxy = LossyProxy::to(&emulator).await;
    let (direct, lossy) = (table.store(), table.store_through(&proxy.url).await);
    let push = pushed(&support::random_name("key"), 1);
    let users = [transfer(), transfer()];
    for user in &users {
        direct.create(user).await.unwrap();
        assert!(record_push(&direct, &user.transfer_id, 1, &push).await.unwrap());
    }
    let [first_user, last_user] = users.map(|user| user.transfer_id);

    proxy.drop_next_response();
    let released = lossy.release_key(&first_user, 1, &push.key, epoch(), epoch()).await.unwrap();
    assert_eq!(released, Release::StillReferenced);
    let released = direct.release_key(&last_user, 1, &push.key, epoch(), epoch()).await.unwrap();
    assert_eq!(released, Release::Last);
}

//! Every write may be applied and its answer lost. The SDK sends it again; the
//! caller must not notice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use docferry_app::ports::{
    Outbox as _, Release, SealedSession, SlotStore as _, TransferStore as _,
};
use docferry_domain::{Artifact, Outcome, Phase, Transfer};
use docferry_testkit::builders::record_push;
use docferry_testkit::builders::{arrived, checkpoint, epoch, pushed, transfer};
use jiff::SignedDuration;

use support::wire::Lossy;
use support::{TestTable, emulator};

#[tokio::test]
async fn a_lost_answer_to_any_write_goes_unnoticed() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let wire = Lossy::to(&emulator).await;
    let store = table.store_through(&wire.url).await;
    let later = epoch() + SignedDuration::from_secs(60);
    let made = transfer();
    let id = &made.transfer_id;
    let push = pushed(&support::random_name("key"), 1_000);
    // Runs the call with its first answer lost.
    macro_rules! lost {
        ($call:expr) => {{
            wire.lose_the_next_answer();
            let outcome = $call.await.expect(stringify!($call));
            assert!(wire.has_lost_it());
            outcome
        }};
    }

    lost!(store.create(&made));
    let slots = lost!(store.slots(made.pool));
    assert!(lost!(store.grant(made.pool, slots.version, &[made.waiting()], epoch(), later)));
    lost!(store.step_aside(&store.get(id).await.unwrap().unwrap()));
    lost!(store.enqueue(&made, later));
    // It had a slot for a moment.
    let admitted_at = Some(epoch());
    assert_eq!(lost!(store.get(id)), Some(Transfer { admitted_at, ..made.clone() }));
    assert_eq!(lost!(store.begin_push(id, 1, epoch())).phase, Phase::Pushing);
    assert!(lost!(record_push(&store, id, 1, &push)));
    lost!(store.record_arrival(id, 1, &arrived()));
    // A number is burnt; the newest is the one that is returned.
    let held = lost!(store.claim(id, 1)).epoch;
    assert_eq!(held, 2);
    let session = SealedSession { sealed_url: vec![1, 2, 3], expires_at: Some(later) };
    lost!(store.put_session(id, held, &session));
    assert_eq!(lost!(store.session(id)).unwrap().session, session);
    lost!(store.checkpoint(id, held, &checkpoint(700)));
    lost!(store.checkpoint(id, held, &checkpoint(300)));
    lost!(store.pause_until(id, held, later));
    let delivery: docferry_domain::Delivery = Artifact { key: "k".into(), size: 1_000 }.into();
    lost!(store.record_delivery(id, held, &delivery));
    lost!(store.drop_session(id, held));
    assert!(store.session(id).await.unwrap().is_none());
    let read = store.get(id).await.unwrap().unwrap();
    let ended = lost!(store.finish(&read, Outcome::Completed, epoch()));
    assert_eq!((ended.phase, ended.bytes_done), (Phase::Completed, 1_000));
    assert!(lost!(store.outcome(id, 1)).is_some());
    lost!(store.told(id, 1));
    assert_eq!(store.outcome(id, 1).await.unwrap(), None);
    assert_eq!(lost!(store.release_key(id, 1, &push.key, epoch(), later)), Release::Last);
    lost!(store.mark_released(id, &push.key, epoch()));
    let again = store.release_key(id, 1, &push.key, epoch(), later).await.unwrap();
    assert_eq!(again, Release::StillReferenced);
}

#[tokio::test]
async fn a_lost_answer_to_leaving_a_key_that_others_use_goes_unnoticed() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let wire = Lossy::to(&emulator).await;
    let (direct, lossy) = (table.store(), table.store_through(&wire.url).await);
    let push = pushed(&support::random_name("key"), 1);
    let users = [transfer(), transfer()];
    for user in &users {
        direct.create(user).await.unwrap();
        assert!(record_push(&direct, &user.transfer_id, 1, &push).await.unwrap());
    }
    let [a, b] = users.map(|user| user.transfer_id);
    wire.lose_the_next_answer();
    let left = lossy.release_key(&a, 1, &push.key, epoch(), epoch()).await.unwrap();
    assert_eq!(left, Release::StillReferenced);
    let left = direct.release_key(&b, 1, &push.key, epoch(), epoch()).await.unwrap();
    assert_eq!(left, Release::Last);
}

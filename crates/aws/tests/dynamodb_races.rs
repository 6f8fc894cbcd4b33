//! Concurrent invocations: the records stay consistent, whichever invocation wins.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use docferry_app::ports::{
    ExchangeKeyStore as _, Release, SealedSession, SlotStore as _, TransferStore as _,
    UploadStore as _, WriteError,
};
use docferry_aws::DynamoTransferStore;
use docferry_domain::document::Artifact;
use docferry_domain::ids::TransferId;
use docferry_domain::phase::Phase;
use docferry_domain::slots::{Pool, PoolLimits, SlotAllocator};
use docferry_domain::transfer::{Delivery, Outcome, Transfer};
use docferry_testkit::builders::record_push;
use docferry_testkit::builders::{arrived, checkpoint, epoch, pushed, transfer};
use futures::future::join_all;
use jiff::SignedDuration;

use support::{TestTable, emulator};

async fn pushing_transfer(store: &DynamoTransferStore) -> TransferId {
    let new_transfer = transfer();
    store.create(&new_transfer).await.unwrap();
    store.begin_push(&new_transfer.transfer_id, 1, epoch()).await.unwrap();
    new_transfer.transfer_id
}

async fn uploading_transfer(store: &DynamoTransferStore) -> TransferId {
    let id = pushing_transfer(store).await;
    assert!(record_push(store, &id, 1, &pushed(id.as_str(), 1_000)).await.unwrap());
    store.record_arrival(&id, 1, &arrived()).await.unwrap();
    id
}

async fn record(store: &DynamoTransferStore, id: &TransferId) -> Transfer {
    store.get(id).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_claims_get_distinct_epochs_and_only_the_newest_writes() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let store = table.store();
    let id = uploading_transfer(&store).await;
    let (a, b) = tokio::join!(store.claim(&id, 1), store.claim(&id, 1));
    let (a, b) = (a.unwrap().epoch, b.unwrap().epoch);
    assert_ne!(a, b);
    let (old, new) = (a.min(b), a.max(b));
    let stale = store.checkpoint(&id, old, &checkpoint(5)).await;
    assert!(matches!(stale, Err(WriteError::Superseded)), "{stale:?}");
    store.checkpoint(&id, new, &checkpoint(7)).await.unwrap();
    assert_eq!(record(&store, &id).await.bytes_done, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn newest_of_twenty_concurrent_invocations_wins_without_losing_progress() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let store = table.store();
    let id = uploading_transfer(&store).await;
    let invocations = (1..=20_u64).map(|n| {
        let (store, id) = (store.clone(), id.clone());
        tokio::spawn(async move {
            let begun = store.begin_push(&id, 1, epoch()).await.unwrap();
            assert_eq!(begun.phase, Phase::Uploading);
            let claimed = store.claim(&id, 1).await.unwrap().epoch;
            let mut acknowledged = 0;
            for offset in [n * 10, n * 5, n * 20] {
                match store.checkpoint(&id, claimed, &checkpoint(offset)).await {
                    Ok(_) => acknowledged = acknowledged.max(offset),
                    Err(WriteError::Superseded) => break,
                    Err(error) => panic!("{error:?}"),
                }
            }
            (claimed, acknowledged)
        })
    });
    let mut ended: Vec<_> = join_all(invocations).await.into_iter().map(Result::unwrap).collect();
    ended.sort_unstable();
    let epochs: Vec<_> = ended.iter().map(|(epoch, _)| *epoch).collect();
    assert_eq!(epochs, (1..=20).collect::<Vec<_>>());
    let record = record(&store, &id).await;
    assert_eq!(record.epoch, 20);
    assert_eq!(Some(record.bytes_done), ended.iter().map(|(_, bytes)| *bytes).max());
}

#[tokio::test(flavor = "multi_thread")]
async fn older_invocation_never_overwrites_a_newer_session() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let store = table.store();
    let session = |byte| SealedSession { sealed_url: vec![byte], expires_at: None };
    for _ in 0..20 {
        let id = uploading_transfer(&store).await;
        let old = store.claim(&id, 1).await.unwrap().epoch;
        let newer = async {
            let new = store.claim(&id, 1).await.unwrap().epoch;
            store.put_session(&id, new, &session(2)).await.unwrap();
            new
        };
        let older = async {
            // Repeats the write until it fails, so that some attempts come after the new claim.
            for _ in 0..6 {
                match store.put_session(&id, old, &session(1)).await {
                    Ok(()) => {}
                    Err(WriteError::Superseded) => break,
                    Err(error) => panic!("{error:?}"),
                }
            }
        };
        let ((), new) = tokio::join!(older, newer);
        let stored = store.session(&id).await.unwrap().unwrap();
        assert_eq!((stored.epoch, stored.session), (new, session(2)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_of_twenty_concurrent_releases_is_the_last() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let store = table.store();
    let key = support::random_name("shared");
    let users = join_all((0..20).map(|_| async {
        let id = pushing_transfer(&store).await;
        assert!(record_push(&store, &id, 1, &pushed(&key, 1)).await.unwrap());
        id
    }))
    .await;
    let later = epoch() + SignedDuration::from_secs(90);
    let release = |id: TransferId| {
        let (store, key) = (store.clone(), key.clone());
        tokio::spawn(async move { store.release_key(&id, 1, &key, epoch(), later).await.unwrap() })
    };
    let result: Vec<_> = join_all(users.into_iter().map(release)).await;
    let last = result.into_iter().filter(|result| matches!(result, Ok(Release::Last))).count();
    assert_eq!(last, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_push_and_last_release_never_both_succeed() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let store = table.store();
    let later = epoch() + SignedDuration::from_secs(90);
    for _ in 0..20 {
        let (last_user, new_user) =
            (pushing_transfer(&store).await, pushing_transfer(&store).await);
        let push = pushed(&support::random_name("raced"), 1);
        assert!(record_push(&store, &last_user, 1, &push).await.unwrap());
        let (released, recorded) = tokio::join!(
            store.release_key(&last_user, 1, &push.key, epoch(), later),
            record_push(&store, &new_user, 1, &push),
        );
        let (released, recorded) = (released.unwrap(), recorded.unwrap());
        assert_eq!(released == Release::StillReferenced, recorded, "{released:?}");
        let phase = record(&store, &new_user).await.phase;
        assert_eq!(phase == Phase::AwaitingArrival, recorded, "all or nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_delivery_and_cancel_agree_on_one_outcome() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let store = table.store();
    let delivery: Delivery = Artifact { key: "k".into(), size: 1 }.into();
    for _ in 0..20 {
        let id = uploading_transfer(&store).await;
        let held = store.claim(&id, 1).await.unwrap().epoch;
        let read = record(&store, &id).await;
        let (delivered, ended) = tokio::join!(
            store.record_delivery(&id, held, &delivery),
            store.finish(&read, Outcome::Canceled, epoch()),
        );
        match (delivered, ended.unwrap().phase) {
            (Ok(()), Phase::Uploading) | (Err(WriteError::Ended), Phase::Canceled) => {}
            both => panic!("{both:?}"),
        }
    }
}

/// Concurrent schedulers never grant more slots than the pool has.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_concurrent_schedulers_never_exceed_the_slot_limit() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let store = table.store();
    let limits = PoolLimits::new(5, 50);
    for _ in 0..20 {
        store.create(&transfer()).await.unwrap();
    }
    let tasks = (0..20).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let slots = store.slots(Pool::Onedrive).await.unwrap();
            let mut admission = SlotAllocator::new(limits, &slots);
            let queue = store.queue(Pool::Onedrive, None, 100).await.unwrap();
            let chosen: Vec<_> = queue.into_iter().filter(|w| admission.admits(w)).collect();
            if !chosen.is_empty() {
                let _lost =
                    store.grant(Pool::Onedrive, slots.version, &chosen, epoch(), epoch()).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let held = store.slots(Pool::Onedrive).await.unwrap().holders.len();
    let queued = store.queue(Pool::Onedrive, None, 100).await.unwrap().len();
    assert_eq!((held, queued), (5, 15));
}

//! Tests that concurrent writers keep the DynamoDB records consistent, against the emulator.
//!
//! Each test races several invocations against each other. Its assertions hold for every order of
//! their writes. An epoch is the fencing token of one invocation: only the newest epoch may write.

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
use docferry_testkit::builders::{arrived, checkpoint, epoch, pushed, record_push, transfer};
use futures::future::join_all;
use jiff::SignedDuration;

use support::{TestTable, emulator};

/// Creates a transfer whose push has begun.
async fn pushing_transfer(store: &DynamoTransferStore) -> TransferId {
    let new_transfer = transfer();
    store.create(&new_transfer).await.unwrap();
    store.begin_push(&new_transfer.transfer_id, 1, epoch()).await.unwrap();
    new_transfer.transfer_id
}

/// Creates a transfer whose document has arrived.
async fn uploading_transfer(store: &DynamoTransferStore) -> TransferId {
    let id = pushing_transfer(store).await;
    assert!(record_push(store, &id, 1, &pushed(id.as_str(), 1_000)).await.unwrap());
    store.record_arrival(&id, 1, &arrived()).await.unwrap();
    id
}

/// Reads the stored record of a transfer.
async fn record(store: &DynamoTransferStore, id: &TransferId) -> Transfer {
    store.get(id).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_claims_get_distinct_epochs_and_only_the_newest_writes() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let store = table.store();
    let id = uploading_transfer(&store).await;

    let (first, second) = tokio::join!(store.claim(&id, 1), store.claim(&id, 1));

    let mut epochs = [first.unwrap().epoch, second.unwrap().epoch];
    epochs.sort_unstable();
    let [old_epoch, new_epoch] = epochs;
    assert_ne!(old_epoch, new_epoch);
    let stale_write = store.checkpoint(&id, old_epoch, &checkpoint(5)).await;
    assert!(matches!(stale_write, Err(WriteError::Superseded)), "{stale_write:?}");
    store.checkpoint(&id, new_epoch, &checkpoint(7)).await.unwrap();
    assert_eq!(record(&store, &id).await.bytes_done, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn newest_of_twenty_concurrent_invocations_wins_without_losing_progress() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let store = table.store();
    let id = uploading_transfer(&store).await;
    let invocations = (1..=20_u64).map(|number| {
        let (store, id) = (store.clone(), id.clone());
        tokio::spawn(async move {
            let begun = store.begin_push(&id, 1, epoch()).await.unwrap();
            assert_eq!(begun.phase, Phase::Uploading);
            let own_epoch = store.claim(&id, 1).await.unwrap().epoch;
            let mut acknowledged_bytes = 0;
            for offset in [number * 10, number * 5, number * 20] {
                match store.checkpoint(&id, own_epoch, &checkpoint(offset)).await {
                    Ok(_) => acknowledged_bytes = acknowledged_bytes.max(offset),
                    Err(WriteError::Superseded) => break,
                    Err(error) => panic!("{error:?}"),
                }
            }
            (own_epoch, acknowledged_bytes)
        })
    });

    let mut results: Vec<_> = join_all(invocations).await.into_iter().map(Result::unwrap).collect();

    results.sort_unstable();
    let epochs: Vec<_> = results.iter().map(|(epoch, _)| *epoch).collect();
    assert_eq!(epochs, (1..=20).collect::<Vec<_>>());
    let stored = record(&store, &id).await;
    assert_eq!(stored.epoch, 20);
    assert_eq!(Some(stored.bytes_done), results.iter().map(|(_, bytes)| *bytes).max());
}

#[tokio::test(flavor = "multi_thread")]
async fn older_invocation_never_overwrites_a_newer_session() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let store = table.store();
    let session = |byte| SealedSession { sealed_url: vec![byte], expires_at: None };
    for _ in 0..20 {
        let id = uploading_transfer(&store).await;
        let old_epoch = store.claim(&id, 1).await.unwrap().epoch;
        let newer_invocation = async {
            let new_epoch = store.claim(&id, 1).await.unwrap().epoch;
            store.put_session(&id, new_epoch, &session(2)).await.unwrap();
            new_epoch
        };
        let older_invocation = async {
            // The write is repeated until it fails, so that some repetitions come after the new
            // claim.
            for _ in 0..6 {
                match store.put_session(&id, old_epoch, &session(1)).await {
                    Ok(()) => {}
                    Err(WriteError::Superseded) => break,
                    Err(error) => panic!("{error:?}"),
                }
            }
        };

        let ((), new_epoch) = tokio::join!(older_invocation, newer_invocation);

        let stored = store.session(&id).await.unwrap().unwrap();
        assert_eq!((stored.epoch, stored.session), (new_epoch, session(2)));
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
    let lease_end = epoch() + SignedDuration::from_secs(90);
    let release = |id: TransferId| {
        let (store, key) = (store.clone(), key.clone());
        tokio::spawn(
            async move { store.release_key(&id, 1, &key, epoch(), lease_end).await.unwrap() },
        )
    };

    let results = join_all(users.into_iter().map(release)).await;

    let last_releases = results.iter().filter(|result| matches!(result, Ok(Release::Last)));
    assert_eq!(last_releases.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_push_and_last_release_never_both_succeed() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let store = table.store();
    let lease_end = epoch() + SignedDuration::from_secs(90);
    for _ in 0..20 {
        let (last_user, new_user) =
            (pushing_transfer(&store).await, pushing_transfer(&store).await);
        let push = pushed(&support::random_name("raced"), 1);
        assert!(record_push(&store, &last_user, 1, &push).await.unwrap());
        let (released, recorded) = tokio::join!(
            store.release_key(&last_user, 1, &push.key, epoch(), lease_end),
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
    let delivery: Delivery = Artifact { key: "k".into(), size: 1, crc32: None }.into();
    for _ in 0..20 {
        let id = uploading_transfer(&store).await;
        let own_epoch = store.claim(&id, 1).await.unwrap().epoch;
        let read = record(&store, &id).await;
        let (delivered, ended) = tokio::join!(
            store.record_delivery(&id, own_epoch, &delivery),
            store.finish(&read, Outcome::Canceled, epoch()),
        );
        match (delivered, ended.unwrap().phase) {
            (Ok(()), Phase::Uploading) | (Err(WriteError::Ended), Phase::Canceled) => {}
            contradiction => panic!("{contradiction:?}"),
        }
    }
}

/// The pool has 5 slots, and 20 transfers are queued for them.
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
            let mut allocator = SlotAllocator::new(limits, &slots);
            let queue = store.queue(Pool::Onedrive, None, 100).await.unwrap();
            let chosen: Vec<_> =
                queue.into_iter().filter(|entry| allocator.admits(entry)).collect();
            if !chosen.is_empty() {
                // Another scheduler may have changed the slots first, in which case nothing is
                // granted.
                let _result =
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

//! Tests that this version can continue the work that stored records of earlier versions describe,
//! against the emulator.

use docferry_app::ports::{
    ExchangeKeyStore as _, PushRecord, PushStore as _, RecoveryStore as _, Release, SlotStore as _,
    TransferStore as _,
};
use docferry_domain::phase::Phase;
use docferry_domain::slots::Pool;
use docferry_domain::transfer::{Outcome, OutstandingPush, PushedSource, Transfer};
use docferry_testkit::builders::{epoch, pushed};
use jiff::SignedDuration;

use crate::fixtures::{Item, load, untyped, versions};
use crate::support::{TestTable, emulator};

/// Writes a stored item into the table.
async fn put(table: &TestTable, item: &Item) {
    let request = table.client.put_item().table_name(&table.name);
    request.set_item(Some(untyped(item))).send().await.unwrap();
}

#[tokio::test]
async fn transfer_of_an_earlier_version_ends_and_frees_its_slot() {
    let Some(emulator) = emulator() else { return };
    for version in versions() {
        let table = TestTable::create(&emulator).await;
        let (store, records) = (table.store(), load(&version));
        for (name, item) in &records["transfers-onedrive"] {
            let label = format!("{version}: {name}");
            let shared_items = records["slots"].values().chain(records["exchange-keys"].values());
            for item in shared_items.chain([item]) {
                put(&table, item).await;
            }
            let id = item["transferId"]["S"].as_str().unwrap().parse().unwrap();
            let read = store.get(&id).await.unwrap().unwrap();
            if read.phase.is_terminal() {
                continue;
            }
            let (outcome, phase) = match read.delivery {
                Some(_) => (Outcome::Completed, Phase::Completed),
                None => (Outcome::Canceled, Phase::Canceled),
            };
            let ended = store.finish(&read, outcome, epoch()).await.unwrap();
            assert_eq!(ended.phase, phase, "{label}");
            let slots = store.slots(Pool::Onedrive).await.unwrap();
            assert!(!slots.holders.contains_key(&id), "{label}");
            let queue = store.queue(Pool::Onedrive, None, 100).await.unwrap();
            assert!(queue.iter().all(|entry| entry.transfer_id != id), "{label}");
            let now = epoch() + SignedDuration::from_hours(1);
            store.mark_closed(&id, read.execution_number).await.unwrap();
            store.mark_cleaned_up(&id, read.execution_number, now).await.unwrap();
            let cleaned_up = table.item(&format!("T#{id}"), "META").await;
            assert!(!cleaned_up.contains_key("dueAt"), "{label}");
        }
    }
}

/// Version 0.1.0 did not record the document of an exchange key.
#[tokio::test]
async fn transfer_of_an_earlier_version_pushes_again_under_its_own_key() {
    let Some(emulator) = emulator() else { return };
    for version in versions() {
        let table = TestTable::create(&emulator).await;
        let (store, records) = (table.store(), load(&version));
        put(&table, &records["transfers-onedrive"]["awaiting arrival"]).await;
        let used = &records["exchange-keys"]["used"];
        put(&table, used).await;
        let id = used["refs"]["SS"][0].as_str().unwrap().parse().unwrap();
        let read: Transfer = store.get(&id).await.unwrap().unwrap();
        let key = used["pk"]["S"].as_str().unwrap().strip_prefix("K#").unwrap();
        let now = epoch() + SignedDuration::from_secs(100);

        store.discard_object(&id, read.epoch, true).await.unwrap();
        let acquired = store.acquire_key(&id, 1, &read.object_guid, key, now).await.unwrap();
        assert!(acquired, "{version}: the transfer is the only user of the key");
        // Restores the item without a document, because `acquire_key` has recorded the document.
        put(&table, used).await;
        store.begin_push(&id, 1, now).await.unwrap();
        let source = PushedSource { requested_at: now, pushed_at: now, ..pushed(key, 1) };
        let push = OutstandingPush::of(&id, &read.object_guid, &source);
        let record = store.record_push(&id, 1, &push, &source).await.unwrap();
        assert_eq!(record, PushRecord::Recorded, "{version}");
        assert_eq!(store.release_key(&id, 1, key, now, now).await.unwrap(), Release::Last);
    }
}

/// Version 0.1.0 did not record the document of a key. Transfers of any other document must not
/// take such a key.
#[tokio::test]
async fn key_of_an_earlier_version_stays_closed_to_other_transfers() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let (store, records) = (table.store(), load("v0.1.0"));
    put(&table, &records["exchange-keys"]["used"]).await;
    let new_transfer = docferry_testkit::builders::transfer();
    let id = &new_transfer.transfer_id;
    store.create(&new_transfer).await.unwrap();
    store.begin_push(id, 1, epoch()).await.unwrap();

    let source = pushed("docferry/order.pdf", 1);
    let push = OutstandingPush::of(id, &new_transfer.object_guid, &source);
    let record = store.record_push(id, 1, &push, &source).await.unwrap();

    assert_eq!(record, PushRecord::HeldByAnother);
}

//! Tests that this version can continue the work that stored records of earlier versions describe,
//! against the emulator.

use aws_sdk_dynamodb::types::AttributeValue;
use docferry_app::ports::{
    ExchangeKeyStore as _, PushRecord, PushStore as _, RecoveryStore as _, Release, SlotStore as _,
    TransferStore as _,
};
use docferry_aws::DynamoTransferStore;
use docferry_domain::ids::TransferId;
use docferry_domain::phase::Phase;
use docferry_domain::slots::{Pool, SlotState};
use docferry_domain::transfer::{Outcome, OutstandingPush, PushedSource, Transfer};
use docferry_testkit::builders::{pushed, transfer};
use jiff::{SignedDuration, Timestamp};

use crate::check::text;
use crate::fixtures::{VERSION_0_1_0, item, load, versions};
use crate::keys::{self, EXCHANGE_KEY_PREFIX, ItemKey};
use crate::labels::{exchange_key, kinds, onedrive};
use crate::support::{TestTable, emulator};
use crate::times::START;
use crate::typed_json::{Item, untyped};
use crate::values::{EXCHANGE_KEY, FIRST_EXECUTION, PERSON};

/// Size of the documents that these tests push, in bytes.
const PUSHED_BYTES: u64 = 1;

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

        for (state, transfer_item) in &records[kinds::ONEDRIVE_TRANSFERS] {
            let context = format!("{version}: {state}");
            let slots = records[kinds::SLOTS].values();
            let exchange_keys = records[kinds::EXCHANGE_KEYS].values();
            for shared_item in slots.chain(exchange_keys) {
                put(&table, shared_item).await;
            }
            put(&table, transfer_item).await;

            let id = text(transfer_item, "transferId").parse().unwrap();
            let read = store.get(&id).await.unwrap().unwrap();
            if read.phase.is_terminal() {
                continue;
            }
            if read.slot_state == SlotState::Holding {
                add_holder(&table, &id).await;
            }
            assert!(uses_slots(&store, &id).await, "{context}");

            end_transfer(&context, &store, &read).await;
            assert!(!uses_slots(&store, &id).await, "{context}");
            clean_up_transfer(&context, &table, &read).await;
        }
    }
}

/// Ends the transfer as completed if its document is delivered, otherwise as canceled.
async fn end_transfer(context: &str, store: &DynamoTransferStore, read: &Transfer) {
    let (outcome, phase) = match read.delivery {
        Some(_) => (Outcome::Completed, Phase::Completed),
        None => (Outcome::Canceled, Phase::Canceled),
    };
    let ended = store.finish(read, outcome, START).await.unwrap();
    assert_eq!(ended.phase, phase, "{context}");
}

/// Makes the transfer a holder of a slot, as its record says. The stored item of the holders is of
/// one moment, in which only some of the transfers held a slot.
async fn add_holder(table: &TestTable, id: &TransferId) {
    let ItemKey { pk, sk } = keys::slot_holders(Pool::Onedrive);
    let request = table.client.update_item().table_name(&table.name);
    let request = request.key("pk", AttributeValue::S(pk)).key("sk", AttributeValue::S(sk));
    let request = request.update_expression(format!("SET h{id} = :person"));
    let person = AttributeValue::S(PERSON.to_owned());
    request.expression_attribute_values(":person", person).send().await.unwrap();
}

/// Returns whether the transfer holds a slot or waits for one.
async fn uses_slots(store: &DynamoTransferStore, id: &TransferId) -> bool {
    let slots = store.slots(Pool::Onedrive).await.unwrap();
    let queue = store.queue(Pool::Onedrive, None, 100).await.unwrap();
    slots.holders.contains_key(id) || queue.iter().any(|entry| entry.transfer_id == *id)
}

/// Cleans up the ended transfer, and asserts that the sweeper will not check it any more.
async fn clean_up_transfer(context: &str, table: &TestTable, read: &Transfer) {
    let (store, id) = (table.store(), &read.transfer_id);
    let purge_at = START + SignedDuration::from_hours(1);
    store.mark_closed(id, read.execution_number).await.unwrap();
    store.mark_cleaned_up(id, read.execution_number, purge_at).await.unwrap();

    let ItemKey { pk, sk } = keys::transfer(id);
    let cleaned_up = table.item(&pk, &sk).await;
    assert!(!cleaned_up.contains_key("dueAt"), "{context}");
}

/// Version 0.1.0 did not record the document of an exchange key.
#[tokio::test]
async fn transfer_of_an_earlier_version_pushes_again_under_its_own_key() {
    let Some(emulator) = emulator() else { return };
    for version in versions() {
        let table = TestTable::create(&emulator).await;
        let (store, records) = (table.store(), load(&version));
        let used_key = item(&records, exchange_key::USED);
        put(&table, item(&records, onedrive::AWAITING_ARRIVAL)).await;
        put(&table, used_key).await;

        // The transfer awaits its arrival and is the only user of the key.
        let id = used_key["refs"]["SS"][0].as_str().unwrap().parse().unwrap();
        let key = text(used_key, "pk").strip_prefix(EXCHANGE_KEY_PREFIX).unwrap();
        let waiting = store.get(&id).await.unwrap().unwrap();
        let now = START + SignedDuration::from_secs(100);

        // Its document is lost, so the transfer registers the key for another push.
        let push_again = true;
        store.discard_object(&id, waiting.epoch, push_again).await.unwrap();
        let acquired =
            store.acquire_key(&id, FIRST_EXECUTION, &waiting.object_guid, key, now).await.unwrap();
        assert!(acquired, "{version}: the transfer is the only user of the key");

        // Restores the item without a document, because `acquire_key` has recorded the document.
        put(&table, used_key).await;
        let record = push_document(&store, &waiting, key, now).await;
        assert_eq!(record, PushRecord::Recorded, "{version}");

        let lease_end = now;
        let release = store.release_key(&id, FIRST_EXECUTION, key, now, lease_end).await.unwrap();
        assert_eq!(release, Release::Last, "{version}");
    }
}

/// Version 0.1.0 did not record the document of a key. Transfers of any other document must not
/// take such a key.
#[tokio::test]
async fn key_of_an_earlier_version_stays_closed_to_other_transfers() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let (store, records) = (table.store(), load(VERSION_0_1_0));
    put(&table, item(&records, exchange_key::USED)).await;
    let new_transfer = transfer();
    store.create(&new_transfer).await.unwrap();

    let record = push_document(&store, &new_transfer, EXCHANGE_KEY, START).await;

    assert_eq!(record, PushRecord::HeldByAnother);
}

/// Runs the step `push` of a transfer at `now`. The source answers with the exchange key `key`.
async fn push_document(
    store: &DynamoTransferStore,
    transfer: &Transfer,
    key: &str,
    now: Timestamp,
) -> PushRecord {
    let id = &transfer.transfer_id;
    store.begin_push(id, FIRST_EXECUTION, now).await.unwrap();
    let response = PushedSource { requested_at: now, pushed_at: now, ..pushed(key, PUSHED_BYTES) };
    let push = OutstandingPush::of(id, &transfer.object_guid, &response);
    store.record_push(id, FIRST_EXECUTION, &push, &response).await.unwrap()
}

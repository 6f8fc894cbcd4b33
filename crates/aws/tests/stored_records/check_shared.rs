//! Checks that the store reads the records that several transfers share: artifacts, exchange keys,
//! slots, queue entries, and counters.
//!
//! A check begins with a table that contains only the item of the sample. The table rejects every
//! update and returns the stored item, so the result of an update depends only on that item.

use docferry_app::ports::{
    ArtifactStore as _, CallCounter as _, ExchangeKeyStore as _, PushStore as _, SlotStore as _,
    ThrottleBudget as _,
};
use docferry_domain::slots::Pool;
use serde_json::json;

use crate::check::{assert_nothing_lost, read_transfer, text};
use crate::fixtures::{Records, VERSION_0_1_0};
use crate::keys::{
    ANNOUNCED_PUSHES, EXCHANGE_KEY_PREFIX, HOLDERS_SORT_KEY, NEWEST_SORT_KEY, PAUSE_SORT_KEY,
};
use crate::labels::{artifact, kinds};
use crate::table::FixtureTable;
use crate::times::{PUSH_REQUESTED, PUSHED, SHARED_PAUSE_BEGIN, SHARED_PAUSE_END, START};
use crate::typed_json::{Item, plain_item};
use crate::values::OWNER;

/// Checks an artifact, or the entry that leads from a document to its newest artifact.
pub(crate) async fn check_artifact(
    context: &str,
    version: &str,
    state: &str,
    item: &Item,
    table: &FixtureTable,
) {
    let store = table.store();
    if text(item, "sk") == NEWEST_SORT_KEY {
        let guid = text(item, "objectGuid").parse().unwrap();
        let newest = store.find_artifact(&guid).await.unwrap().unwrap();
        assert_nothing_lost(context, item, &newest);
        return;
    }

    // Only an artifact that other downloads may reuse can be retained.
    let retained = store.retain_artifact(text(item, "key"), START).await.unwrap();
    // Version 0.1.0 offered an artifact for reuse before its delivery was recorded.
    let offered_early = state == artifact::WRITTEN.state && version == VERSION_0_1_0;
    let expected = state == artifact::DELIVERED.state || offered_early;
    assert_eq!(retained, expected, "{context}");
}

/// Checks an exchange key, or the announcement of a push whose exchange key is not known yet.
pub(crate) async fn check_exchange_key(
    context: &str,
    version: &str,
    item: &Item,
    table: &FixtureTable,
) {
    if text(item, "pk") == ANNOUNCED_PUSHES {
        check_announced_push(context, item, table).await;
        return;
    }

    let key = text(item, "pk").strip_prefix(EXCHANGE_KEY_PREFIX).unwrap();
    let exchange_key = table.store().exchange_key(key).await.unwrap();

    let stored = plain_item(item);
    let guid = stored.get("guid").cloned().unwrap_or_default();
    assert_eq!(guid, json!(exchange_key.holder), "{context}");

    let outstanding: Vec<String> =
        exchange_key.outstanding.iter().map(ToString::to_string).collect();
    let pushes = stored.get("outstanding").cloned().unwrap_or_else(|| json!([]));
    assert_eq!(pushes, json!(outstanding), "{context}");
    // Version 0.1.0 recorded no outstanding pushes.
    assert_eq!(outstanding.is_empty(), version == VERSION_0_1_0, "{context}");
}

/// Checks the announcement of a push.
async fn check_announced_push(context: &str, item: &Item, table: &FixtureTable) {
    let pushes = table.store().pushes_in_flight().await.unwrap();
    assert_eq!(pushes.len(), 1, "{context}");

    let push = &pushes[0];
    assert_eq!(push.transfer_id.as_str(), text(item, "sk"), "{context}");
    assert_eq!((push.requested_at, push.pushed_at), (PUSH_REQUESTED, PUSHED), "{context}");
}

/// Checks the holders of slots, or a queue entry.
pub(crate) async fn check_slots(
    context: &str,
    records: &Records,
    item: &Item,
    table: &FixtureTable,
) {
    if text(item, "sk") == HOLDERS_SORT_KEY {
        check_slot_holders(context, item, table).await;
    } else {
        check_queue_entry(context, records, item, table).await;
    }
}

/// Checks the holders of slots. The item has one attribute for each holder: the letter `h` and the
/// transfer's id. Its value is the person to whom the slot counts.
async fn check_slot_holders(context: &str, item: &Item, table: &FixtureTable) {
    let slots = table.store().slots(Pool::Onedrive).await.unwrap();

    let stored = plain_item(item);
    assert_eq!(stored["version"], slots.version, "{context}");
    let holders = stored.as_object().unwrap().keys().filter(|name| name.starts_with('h'));
    assert_eq!(holders.count(), slots.holders.len(), "{context}");
    for (holder, person) in slots.holders {
        assert_eq!(stored[format!("h{holder}")], person.as_str(), "{context}");
    }
}

/// Checks a queue entry.
async fn check_queue_entry(context: &str, records: &Records, item: &Item, table: &FixtureTable) {
    let store = table.store();
    let queue = store.queue(Pool::Onedrive, None, 10).await.unwrap();
    assert_eq!(queue.len(), 1, "{context}");
    assert_eq!(queue[0].transfer_id.as_str(), text(item, "transferId"), "{context}");

    // The entry that is derived from the transfer's own record must be the same. If it were another
    // entry, the stored entry would never be removed.
    let mut transfers = records[kinds::ONEDRIVE_TRANSFERS].values();
    let is_queued_one = |transfer: &&Item| transfer["transferId"] == item["transferId"];
    let transfer = read_transfer(table, transfers.find(is_queued_one).unwrap()).await;
    assert_eq!(queue[0], transfer.queue_entry(), "{context}");

    store.enqueue(&transfer, START).await.unwrap();
    assert_eq!(table.take_written(), std::slice::from_ref(item), "{context}");
}

/// Checks the count of API calls in a minute, or the pause of all transfers.
pub(crate) async fn check_counter(context: &str, item: &Item, table: &FixtureTable) {
    if text(item, "sk") == PAUSE_SORT_KEY {
        let pause = table.throttle_budget().paused().await.unwrap().unwrap();
        let expected = (SHARED_PAUSE_BEGIN, SHARED_PAUSE_END);
        assert_eq!((pause.since, pause.until), expected, "{context}");
    } else {
        // The table rejects the update, so this call is not added to the two stored calls.
        let calls = table.quota().count_call(OWNER, START).await.unwrap();
        assert_eq!(calls, 2, "{context}");
    }
}

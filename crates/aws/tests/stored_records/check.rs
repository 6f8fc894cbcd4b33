//! Checks that the store reads one stored record without losing a value.
//!
//! There is one check for each kind of record, such as batches or artifacts. The `label` of a check
//! names the version, kind and state of the record in messages.

use docferry_app::ports::{
    ArtifactStore as _, BatchStore as _, CallCounter as _, ExchangeKeyStore as _,
    NotificationOutbox as _, Outbox as _, PushStore as _, SlotStore as _, ThrottleBudget as _,
    TransferStore as _, UploadStore as _,
};
use docferry_domain::ids::TransferId;
use docferry_domain::slots::Pool;
use docferry_domain::transfer::Transfer;
use docferry_testkit::builders::epoch;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::fixtures::{Item, Records, plain_item};
use crate::table::FixtureTable;

/// Attributes that only the store uses. They are not members of the record that an item contains.
pub(crate) const STORE_ATTRIBUTES: [&str; 10] = [
    "pk",
    "sk",
    "sweepShard",
    "dueAt",
    "jobOwner",
    "jobOrder",
    "expiresAt",
    "retainUntil",
    "delivered",
    "givenUp",
];

/// Returns the time `seconds` after the start of all records.
pub(crate) fn at(seconds: i64) -> Timestamp {
    epoch() + SignedDuration::from_secs(seconds)
}

/// Returns the value of a string attribute.
pub(crate) fn text<'a>(item: &'a Item, attribute: &str) -> &'a str {
    item[attribute]["S"].as_str().unwrap()
}

/// Returns the transfer id in the key of a transfer, a session or a message of the outbox.
pub(crate) fn transfer_id(item: &Item) -> TransferId {
    let id: TransferId = text(item, "pk").strip_prefix("T#").unwrap().parse().unwrap();
    match text(item, "sk").split('#').collect::<Vec<_>>()[..] {
        ["DOC" | "SESSION", number] if id.is_batch() => id.document(number.parse().unwrap()),
        ["OUTBOX", number, _] => id.document(number.parse().unwrap()),
        _ => id,
    }
}

/// Asserts that the record has every value of its item. A member of the record that the item does
/// not contain must be zero, `false`, empty or the default pool.
pub(crate) fn assert_nothing_lost(label: &str, item: &Item, record: &impl Serialize) {
    let members = |mut value: Value| {
        let members = value.as_object_mut().unwrap();
        members.retain(|name, _| !STORE_ATTRIBUTES.contains(&name.as_str()));
        value
    };
    let read = serde_json::to_value(record).unwrap();
    assert_contains(label, &members(plain_item(item)), &members(read));
}

/// Asserts that `read` contains all values of `stored`. `path` names the place of the two values in
/// messages.
pub(crate) fn assert_contains(path: &str, stored: &Value, read: &Value) {
    let (Some(stored), Some(read)) = (stored.as_object(), read.as_object()) else {
        assert_eq!(stored, read, "{path}");
        return;
    };
    for (name, value) in stored {
        let member = read.get(name).unwrap_or_else(|| panic!("{path}: {name} is lost"));
        assert_contains(&format!("{path}: {name}"), value, member);
    }
    let added = read.iter().filter(|(name, _)| !stored.contains_key(*name));
    for (name, value) in added {
        // Version 0.1.0 wrote no pool into outcomes, because it had the same audit action for all
        // transfers.
        let defaults = [json!(0), json!(false), json!([]), json!(""), json!(Pool::default())];
        assert!(defaults.contains(value), "{path}: {name} is {value}, but not stored");
    }
}

/// Reads a transfer from its stored item.
pub(crate) async fn read_transfer(table: &FixtureTable, item: &Item) -> Transfer {
    table.set_items(&[item]);
    table.store().get(&transfer_id(item)).await.unwrap().expect("the item is found")
}

pub(crate) async fn check_batch(
    label: &str,
    items: &std::collections::BTreeMap<String, Item>,
    item: &Item,
    table: &FixtureTable,
) {
    match text(item, "sk") {
        "BUNDLE" => {
            let (batch, counts) = table.store().batch(&transfer_id(item)).await.unwrap().unwrap();
            assert_nothing_lost(label, item, &batch);
            assert_eq!(counts, docferry_domain::job::BatchCounts::default(), "{label}");
        }
        "COUNTS" => {
            table.set_items(&[&items["running"], item]);
            let (_, counts) = table.store().batch(&transfer_id(item)).await.unwrap().unwrap();
            let stored = plain_item(item);
            assert_eq!(stored["ended"], counts.ended, "{label}");
            assert_eq!(stored["completed"], counts.completed, "{label}");
            assert_eq!(stored["bytes"], counts.bytes, "{label}");
            assert_eq!(stored["firstFailure"], json!(counts.first_failure), "{label}");
        }
        // No code reads a reserved name. Only the condition of a write compares its attribute
        // `document`.
        sort_key => {
            assert_eq!(sort_key, "NAME#order 1.pdf", "{label}");
            assert_eq!(text(item, "document"), transfer_id(item).document(0).as_str(), "{label}");
        }
    }
}

pub(crate) async fn check_session(label: &str, item: &Item, table: &FixtureTable) {
    let record = table.store().session(&transfer_id(item)).await.unwrap().unwrap();
    let stored = plain_item(item);
    assert_eq!(stored["epoch"], record.epoch, "{label}");
    let sealed = aws_smithy_types::base64::encode(&record.session.sealed_url);
    assert_eq!(stored["sealedUrl"], sealed, "{label}");
    let expires_at = stored.get("sessionExpiresAt").cloned().unwrap_or_default();
    assert_eq!(expires_at, json!(record.session.expires_at), "{label}");
}

pub(crate) async fn check_message(label: &str, item: &Item, table: &FixtureTable) {
    let execution_number: u32 = text(item, "sk").rsplit('#').next().unwrap().parse().unwrap();
    if text(item, "sk").starts_with("OUTBOX#") {
        let record =
            table.store().outcome(&transfer_id(item), execution_number).await.unwrap().unwrap();
        assert_nothing_lost(label, item, &record);
        assert_eq!(
            record.message_id(),
            format!("{}/{execution_number}", transfer_id(item)),
            "{label}"
        );
    } else {
        let notification = table
            .store()
            .notification(&transfer_id(item), execution_number)
            .await
            .unwrap()
            .unwrap();
        assert_nothing_lost(label, item, &notification);
        assert_eq!(
            notification.message_id(),
            format!("{}-{execution_number}", transfer_id(item)),
            "{label}"
        );
    }
}

pub(crate) async fn check_artifact(
    label: &str,
    version: &str,
    name: &str,
    item: &Item,
    table: &FixtureTable,
) {
    let store = table.store();
    if text(item, "sk") == "NEWEST" {
        let guid = text(item, "objectGuid").parse().unwrap();
        assert_nothing_lost(label, item, &store.find_artifact(&guid).await.unwrap().unwrap());
        return;
    }
    // The fake table rejects the update, so the result depends only on the stored attributes.
    let retained = store.retain_artifact(text(item, "key"), at(0)).await.unwrap();
    // Version 0.1.0 offered an artifact for reuse before its delivery was recorded.
    let expected = name == "delivered" || (name == "written" && version == "v0.1.0");
    assert_eq!(retained, expected, "{label}");
}

pub(crate) async fn check_exchange_key(
    label: &str,
    version: &str,
    item: &Item,
    table: &FixtureTable,
) {
    let store = table.store();
    if text(item, "pk") == "P#pushes" {
        let pushes = store.pushes_in_flight().await.unwrap();
        assert_eq!(pushes.len(), 1, "{label}");
        let push = &pushes[0];
        assert_eq!(push.transfer_id.as_str(), text(item, "sk"), "{label}");
        assert_eq!((push.requested_at, push.pushed_at), (at(2), at(3)), "{label}");
        return;
    }
    let key = store.exchange_key(text(item, "pk").strip_prefix("K#").unwrap()).await.unwrap();
    let stored = plain_item(item);
    let guid = stored.get("guid").cloned().unwrap_or_default();
    assert_eq!(guid, json!(key.holder), "{label}");
    let outstanding: Vec<String> = key.outstanding.iter().map(ToString::to_string).collect();
    let pushes = stored.get("outstanding").cloned().unwrap_or_else(|| json!([]));
    assert_eq!(pushes, json!(outstanding), "{label}");
    // Version 0.1.0 recorded no outstanding pushes.
    assert_eq!(outstanding.is_empty(), version == "v0.1.0", "{label}");
}

pub(crate) async fn check_slots(label: &str, records: &Records, item: &Item, table: &FixtureTable) {
    let store = table.store();
    if text(item, "sk") == "SLOTS" {
        let slots = store.slots(Pool::Onedrive).await.unwrap();
        let stored = plain_item(item);
        assert_eq!(stored["version"], slots.version, "{label}");
        let holders = stored.as_object().unwrap().keys().filter(|name| name.starts_with('h'));
        assert_eq!(holders.count(), slots.holders.len(), "{label}");
        for (holder, person) in slots.holders {
            assert_eq!(stored[format!("h{holder}")], person.as_str(), "{label}");
        }
        return;
    }
    let queue = store.queue(Pool::Onedrive, None, 10).await.unwrap();
    assert_eq!(queue.len(), 1, "{label}");
    assert_eq!(queue[0].transfer_id.as_str(), text(item, "transferId"), "{label}");
    // The entry that is derived from the transfer's own record must be the same. If it were another
    // entry, the stored entry would never be removed.
    let mut transfers = records["transfers-onedrive"].values();
    let is_queued_one = |transfer: &&Item| transfer["transferId"] == item["transferId"];
    let transfer = read_transfer(table, transfers.find(is_queued_one).unwrap()).await;
    assert_eq!(queue[0], transfer.queue_entry(), "{label}");
    store.enqueue(&transfer, at(0)).await.unwrap();
    assert_eq!(table.take_written(), std::slice::from_ref(item), "{label}");
}

pub(crate) async fn check_counter(label: &str, item: &Item, table: &FixtureTable) {
    if text(item, "sk") == "PAUSE" {
        let pause = table.throttle_budget().paused().await.unwrap().unwrap();
        assert_eq!((pause.since, pause.until), (at(10), at(40)), "{label}");
    } else {
        assert_eq!(table.quota().count_call("scv", at(0)).await.unwrap(), 2, "{label}");
    }
}

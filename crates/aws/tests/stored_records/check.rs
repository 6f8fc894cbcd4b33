//! Checks of single kinds of records.

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

/// Attributes of the store, which are not members of a record.
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

pub(crate) fn at(seconds: i64) -> Timestamp {
    epoch() + SignedDuration::from_secs(seconds)
}

pub(crate) fn text<'a>(item: &'a Item, attribute: &str) -> &'a str {
    item[attribute]["S"].as_str().unwrap()
}

/// Returns the id in the key of a transfer, a session or a message of the outbox.
pub(crate) fn id(item: &Item) -> TransferId {
    let id: TransferId = text(item, "pk").strip_prefix("T#").unwrap().parse().unwrap();
    match text(item, "sk").split('#').collect::<Vec<_>>()[..] {
        ["DOC" | "SESSION", number] if id.is_batch() => id.document(number.parse().unwrap()),
        ["OUTBOX", number, _] => id.document(number.parse().unwrap()),
        _ => id,
    }
}

/// Asserts that the record has every attribute of its item, and that the members that the item
/// does not have are zero, `false`, empty or the default pool.
pub(crate) fn assert_nothing_lost(what: &str, item: &Item, record: &impl Serialize) {
    let members = |mut value: Value| {
        let members = value.as_object_mut().unwrap();
        members.retain(|name, _| !STORE_ATTRIBUTES.contains(&name.as_str()));
        value
    };
    let read = serde_json::to_value(record).unwrap();
    assert_contains(what, &members(plain_item(item)), &members(read));
}

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
        // Version 0.1.0 wrote no pool into outcomes. Its audit trail had one action for all.
        let empty = [json!(0), json!(false), json!([]), json!(""), json!(Pool::default())];
        assert!(empty.contains(value), "{path}: {name} is {value}, but not stored");
    }
}

pub(crate) async fn read_transfer(table: &FixtureTable, item: &Item) -> Transfer {
    table.hold(&[item]);
    table.store().get(&id(item)).await.unwrap().expect("the item is found")
}

pub(crate) async fn check_batch(
    what: &str,
    items: &std::collections::BTreeMap<String, Item>,
    item: &Item,
    table: &FixtureTable,
) {
    match text(item, "sk") {
        "BUNDLE" => {
            let (batch, counts) = table.store().batch(&id(item)).await.unwrap().unwrap();
            assert_nothing_lost(what, item, &batch);
            assert_eq!(counts, docferry_domain::job::BatchCounts::default(), "{what}");
        }
        "COUNTS" => {
            table.hold(&[&items["running"], item]);
            let (_, counts) = table.store().batch(&id(item)).await.unwrap().unwrap();
            let stored = plain_item(item);
            assert_eq!(stored["ended"], counts.ended, "{what}");
            assert_eq!(stored["completed"], counts.completed, "{what}");
            assert_eq!(stored["bytes"], counts.bytes, "{what}");
            assert_eq!(stored["firstFailure"], json!(counts.first_failure), "{what}");
        }
        // No code reads it: the condition of a write compares its attribute `document`.
        sort => {
            assert_eq!(sort, "NAME#order 1.pdf", "{what}");
            assert_eq!(text(item, "document"), id(item).document(0).as_str(), "{what}");
        }
    }
}

pub(crate) async fn check_session(what: &str, item: &Item, table: &FixtureTable) {
    let record = table.store().session(&id(item)).await.unwrap().unwrap();
    let stored = plain_item(item);
    assert_eq!(stored["epoch"], record.epoch, "{what}");
    let sealed = aws_smithy_types::base64::encode(&record.session.sealed_url);
    assert_eq!(stored["sealedUrl"], sealed, "{what}");
    let expires_at = stored.get("sessionExpiresAt").cloned().unwrap_or_default();
    assert_eq!(expires_at, json!(record.session.expires_at), "{what}");
}

pub(crate) async fn check_message(what: &str, item: &Item, table: &FixtureTable) {
    let execution_number: u32 = text(item, "sk").rsplit('#').next().unwrap().parse().unwrap();
    if text(item, "sk").starts_with("OUTBOX#") {
        let record = table.store().outcome(&id(item), execution_number).await.unwrap().unwrap();
        assert_nothing_lost(what, item, &record);
        assert_eq!(record.message_id(), format!("{}/{execution_number}", id(item)), "{what}");
    } else {
        let notification =
            table.store().notification(&id(item), execution_number).await.unwrap().unwrap();
        assert_nothing_lost(what, item, &notification);
        assert_eq!(notification.message_id(), format!("{}-{execution_number}", id(item)), "{what}");
    }
}

pub(crate) async fn check_artifact(
    what: &str,
    version: &str,
    name: &str,
    item: &Item,
    table: &FixtureTable,
) {
    let store = table.store();
    if text(item, "sk") == "NEWEST" {
        let guid = text(item, "objectGuid").parse().unwrap();
        assert_nothing_lost(what, item, &store.find_artifact(&guid).await.unwrap().unwrap());
        return;
    }
    // The table rejects the update: the result depends on the stored attributes alone.
    let retained = store.retain_artifact(text(item, "key"), at(0)).await.unwrap();
    // Version 0.1.0 offered an artifact for reuse before its delivery was recorded.
    let expected = name == "delivered" || (name == "written" && version == "v0.1.0");
    assert_eq!(retained, expected, "{what}");
}

pub(crate) async fn check_exchange_key(
    what: &str,
    version: &str,
    item: &Item,
    table: &FixtureTable,
) {
    let store = table.store();
    if text(item, "pk") == "P#pushes" {
        let pushes = store.pushes_in_flight().await.unwrap();
        assert_eq!(pushes.len(), 1, "{what}");
        let push = &pushes[0];
        assert_eq!(push.transfer_id.as_str(), text(item, "sk"), "{what}");
        assert_eq!((push.requested_at, push.pushed_at), (at(2), at(3)), "{what}");
        return;
    }
    let key = store.exchange_key(text(item, "pk").strip_prefix("K#").unwrap()).await.unwrap();
    let stored = plain_item(item);
    let guid = stored.get("guid").cloned().unwrap_or_default();
    assert_eq!(guid, json!(key.holder), "{what}");
    let outstanding: Vec<String> = key.outstanding.iter().map(ToString::to_string).collect();
    let pushes = stored.get("outstanding").cloned().unwrap_or_else(|| json!([]));
    assert_eq!(pushes, json!(outstanding), "{what}");
    // Version 0.1.0 recorded neither.
    assert_eq!(outstanding.is_empty(), version == "v0.1.0", "{what}");
}

pub(crate) async fn check_slots(what: &str, records: &Records, item: &Item, table: &FixtureTable) {
    let store = table.store();
    if text(item, "sk") == "SLOTS" {
        let slots = store.slots(Pool::Onedrive).await.unwrap();
        let stored = plain_item(item);
        assert_eq!(stored["version"], slots.version, "{what}");
        let holders = stored.as_object().unwrap().keys().filter(|name| name.starts_with('h'));
        assert_eq!(holders.count(), slots.holders.len(), "{what}");
        for (holder, person) in slots.holders {
            assert_eq!(stored[format!("h{holder}")], person.as_str(), "{what}");
        }
        return;
    }
    let queue = store.queue(Pool::Onedrive, None, 10).await.unwrap();
    assert_eq!(queue.len(), 1, "{what}");
    assert_eq!(queue[0].transfer_id.as_str(), text(item, "transferId"), "{what}");
    // The transfer's own record leads to the same entry. Otherwise it would stay queued.
    let mut transfers = records["transfers-onedrive"].values();
    let of_queue = |transfer: &&Item| transfer["transferId"] == item["transferId"];
    let transfer = read_transfer(table, transfers.find(of_queue).unwrap()).await;
    assert_eq!(queue[0], transfer.queue_entry(), "{what}");
    store.enqueue(&transfer, at(0)).await.unwrap();
    assert_eq!(table.take_written(), std::slice::from_ref(item), "{what}");
}

pub(crate) async fn check_counter(what: &str, item: &Item, table: &FixtureTable) {
    if text(item, "sk") == "PAUSE" {
        let pause = table.throttle_budget().paused().await.unwrap().unwrap();
        assert_eq!((pause.since, pause.until), (at(10), at(40)), "{what}");
    } else {
        assert_eq!(table.quota().count_call("scv", at(0)).await.unwrap(), 2, "{what}");
    }
}

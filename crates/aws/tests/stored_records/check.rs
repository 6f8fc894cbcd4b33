//! Parts that the checks of all kinds of records share: they read a transfer from its item, and
//! compare a record with the item from which the store has read it.
//!
//! In all checks, `context` names the version, kind and state of the sample in messages.

use docferry_app::ports::TransferStore as _;
use docferry_domain::ids::TransferId;
use docferry_domain::slots::Pool;
use docferry_domain::transfer::Transfer;
use serde::Serialize;
use serde_json::{Value, json};

use crate::keys::JOB_PREFIX;
use crate::table::FixtureTable;
use crate::typed_json::{Item, plain_item};

/// Attributes that only the store uses. They are not members of the record that an item contains.
const STORE_ATTRIBUTES: [&str; 10] = [
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

/// Returns the value of a string attribute.
pub(crate) fn text<'a>(item: &'a Item, attribute: &str) -> &'a str {
    item[attribute]["S"].as_str().unwrap()
}

/// Returns the transfer or batch to which an item belongs, according to the item's key. The item is
/// a transfer, a batch, a session or a message of the outbox.
pub(crate) fn transfer_id(item: &Item) -> TransferId {
    let job_id = text(item, "pk").strip_prefix(JOB_PREFIX).unwrap();
    let job_id: TransferId = job_id.parse().unwrap();
    match text(item, "sk").split('#').collect::<Vec<_>>()[..] {
        ["DOC" | "SESSION", number] if job_id.is_batch() => {
            job_id.document(number.parse().unwrap())
        }
        // Only the outcome records of documents of a batch have a third part.
        ["OUTBOX", number, _execution_number] => job_id.document(number.parse().unwrap()),
        _ => job_id,
    }
}

/// Reads a transfer from its stored item.
pub(crate) async fn read_transfer(table: &FixtureTable, item: &Item) -> Transfer {
    table.set_items(&[item]);
    table.store().get(&transfer_id(item)).await.unwrap().expect("the item is found")
}

/// Asserts that the record has every value of its item. A member of the record that the item does
/// not contain must be zero, `false`, empty or the default pool.
pub(crate) fn assert_nothing_lost(context: &str, item: &Item, record: &impl Serialize) {
    let stored = plain_item(item);
    let read = serde_json::to_value(record).unwrap();
    assert_contains(context, &without_store_attributes(stored), &without_store_attributes(read));
}

/// Removes the attributes that only the store uses.
fn without_store_attributes(mut record: Value) -> Value {
    let members = record.as_object_mut().unwrap();
    members.retain(|name, _| !STORE_ATTRIBUTES.contains(&name.as_str()));
    record
}

/// Asserts that `read` contains all values of `stored`. `path` names the place of the two values in
/// messages.
fn assert_contains(path: &str, stored: &Value, read: &Value) {
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

//! Tests of the registry's feed: the records that the system of record sends one by one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::time::Duration;

use common::FAULT_MODES;
use docferry_app::document::feed::{FeedError, FeedResult, feed_record};
use docferry_app::ports::{Clock as _, RejectedRecord};
use docferry_domain::document::{DocumentRecord, SystemSetting};
use docferry_domain::ids::FileId;
use docferry_testkit::builders::document_record;
use docferry_testkit::{Fault, Mode, World};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// Maximum size of a message's reason in bytes.
const MAX_REASON_BYTES: usize = 16 * 1024;

fn message(record: &DocumentRecord) -> String {
    serde_json::to_string(record).unwrap()
}

/// Returns the message of a valid record in which one member is replaced.
fn with(field: &str, value: Value) -> String {
    let mut record = serde_json::to_value(document_record(1)).unwrap();
    record[field] = value;
    record.to_string()
}

/// Delivers a message once.
async fn feed(world: &World, message: &str) -> Result<FeedResult, FeedError> {
    let system = document_record(1).subject.system().to_owned();
    let setting = SystemSetting { system, pattern: "court-file".to_owned() };
    let subjects = vec![setting].try_into().unwrap();
    feed_record(world, world, &subjects, world, message.to_owned()).await
}

/// Delivers a message until it is handled, as the queue does.
async fn feed_until_handled(world: &World, message: &str) -> FeedResult {
    for _ in 0..3 {
        // After an injected crash, the call never returns. The clock of the test is paused, so the
        // time limit passes at once.
        let call = tokio::time::timeout(Duration::from_secs(30), feed(world, message));
        if let Ok(Ok(result)) = call.await {
            return result;
        }
    }
    panic!("the message was not handled");
}

/// Delivers a message that must be rejected, and returns the rejection.
async fn rejection_of(world: &World, message: &str) -> RejectedRecord {
    let result = feed(world, message).await.unwrap();
    let rejected = world.state().rejected_records.pop().unwrap();
    assert_eq!(result, FeedResult::Rejected { field: rejected.field }, "{message}");
    assert_eq!(rejected.message, message);
    rejected
}

#[tokio::test]
async fn fed_record_is_stored_and_its_repetition_changes_nothing() {
    let world = World::default();
    let record = document_record(1);
    for expected in [FeedResult::Stored, FeedResult::Unchanged, FeedResult::Unchanged] {
        assert_eq!(feed(&world, &message(&record)).await.unwrap(), expected);
    }
    assert_eq!(
        feed(&world, &format!("\n {} \r\n", message(&record))).await.unwrap(),
        FeedResult::Unchanged
    );
    assert_eq!(world.registry().take_records(), [record]);
    assert_eq!(world.state().rejected_records, []);
}

#[tokio::test]
async fn older_fed_record_replaces_no_newer_one_but_its_withdrawal_counts() {
    let world = World::default();
    let older = document_record(1);
    let indexed = older.indexed - SignedDuration::from_hours(1);
    let withdrawn = DocumentRecord { withdrawn_at: Some(indexed), ..older.clone() };
    let newer = DocumentRecord { size: 7, ..older.clone() };
    let older = DocumentRecord { indexed, ..older };
    let withdrawn = DocumentRecord { indexed, ..withdrawn };
    for (record, expected) in [
        (&newer, FeedResult::Stored),
        (&older, FeedResult::Unchanged),
        (&withdrawn, FeedResult::Stored),
        (&newer, FeedResult::Unchanged),
    ] {
        assert_eq!(feed(&world, &message(record)).await.unwrap(), expected);
    }
    let merged = DocumentRecord { withdrawn_at: Some(indexed), ..newer };
    assert_eq!(world.registry().take_records(), [merged]);
}

#[tokio::test]
async fn bad_record_is_rejected_with_its_field_and_every_broken_rule() {
    let world = World::default();
    let valid = message(&document_record(1));
    let future = (world.now() + SignedDuration::from_hours(1)).to_string();
    let subject = json!({ "system": "urn:other", "value": "S-1" });
    for (message, field, rule) in [
        ("no JSON".to_owned(), "record", "record: is not JSON (column 2)"),
        (format!("{valid}\n{valid}"), "record", "record: is not JSON"),
        (format!("[{valid}]"), "record", "record: must be a JSON object"),
        ("{}".to_owned(), "id", "id: is required"),
        (with("owner", json!("Ada")), "record", "owner: is not a member of a record"),
        (with("", json!("Ada")), "record", ": is not a member of a record"),
        (with("size", json!("many")), "size", "size: must be a whole number"),
        (with("indexed", json!(future)), "indexed", "indexed: must not be in the future"),
        (with("subject", subject), "subject", "subject: the system is not known"),
    ] {
        let rejected = rejection_of(&world, &message).await;
        assert_eq!(rejected.field, field, "{message}");
        assert!(rejected.reason.contains(rule), "{message}: {}", rejected.reason);
    }
    let rejected = rejection_of(&world, r#"{"id": "doc 1", "fileName": "a/b.pdf"}"#).await;
    let rules = rejected.reason.lines().count();
    assert_eq!((rejected.field, rules), ("id", 10), "{}", rejected.reason);
    assert!(!rejected.reason.contains("doc 1") && !rejected.reason.contains("a/b"));
    assert_eq!(world.registry().take_records(), []);
}

#[tokio::test]
async fn reason_of_a_message_with_many_errors_is_bounded() {
    let world = World::default();
    let members: Vec<_> = (0..1000).map(|n| format!("\"{n:\u{10ffff}>40}\": 1")).collect();
    let rejected = rejection_of(&world, &format!("{{{}}}", members.join(","))).await;
    assert!(rejected.reason.len() < MAX_REASON_BYTES, "{}", rejected.reason.len());
    assert!(rejected.reason.ends_with("more errors"), "{}", rejected.reason);
}

#[tokio::test]
async fn fed_record_with_the_number_or_guid_of_another_document_is_rejected() {
    let world = World::default();
    let [first, second] = [1, 2].map(document_record);
    world.registry().insert(first.clone());
    world.registry().insert(second.clone());
    let same_number = DocumentRecord { file_id: Some(FileId::new(1)), ..document_record(3) };
    let same_guid = DocumentRecord { obj_guid: first.obj_guid.clone(), ..document_record(3) };
    let other_guid = DocumentRecord { obj_guid: document_record(4).obj_guid, ..first.clone() };
    for (record, field) in
        [(same_number, "fileId"), (same_guid, "objGuid"), (other_guid, "objGuid")]
    {
        let rejected = rejection_of(&world, &message(&record)).await;
        let reason = format!("{field}: conflicts with a registered document");
        assert_eq!((rejected.field, rejected.reason), (field, reason));
    }
    assert_eq!(world.registry().take_records(), [first, second]);
}

#[tokio::test]
async fn message_is_not_handled_while_store_or_dead_letter_queue_fails() {
    let valid = message(&document_record(1));
    for message in [valid.as_str(), "no JSON"] {
        let world = World::default();
        world.inject(Fault { at: 0, mode: Mode::ResponseLost });
        let error = feed(&world, message).await.unwrap_err();
        let is_expected = match error {
            FeedError::Registry(_) => message == valid,
            FeedError::DeadLetters(_) => message != valid,
        };
        assert!(is_expected, "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn fed_messages_survive_one_fault_at_any_effect() {
    let [first, second] = [1, 2].map(document_record);
    let conflict = DocumentRecord { file_id: first.file_id, ..document_record(3) };
    let messages = [message(&first), "no JSON".to_owned(), message(&conflict), message(&second)];
    // A conflict has two effects, each other message has one.
    for at in 0..5 {
        for mode in FAULT_MODES {
            let world = World::default();
            world.inject(Fault { at, mode });
            for message in &messages {
                feed_until_handled(&world, message).await;
            }
            let mut rejected = world.state().rejected_records.clone();
            rejected.dedup();
            let rejected: Vec<_> = rejected.into_iter().map(|rejected| rejected.message).collect();
            assert_eq!(rejected, messages[1..3], "effect {at}, {mode:?}");
            let records = world.registry().take_records();
            assert_eq!(records, [first.clone(), second.clone()], "effect {at}, {mode:?}");
        }
    }
}

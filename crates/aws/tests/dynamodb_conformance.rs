//! Tests that the DynamoDB adapters conform to their ports, against the emulator.
//!
//! The first tests run the conformance suites of `docferry_testkit`, which every implementation of
//! a port has to pass. The other tests check what only the DynamoDB adapters do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use aws_sdk_dynamodb::types::AttributeValue;
use docferry_app::ports::{
    ArtifactStore as _, ExchangeKeyStore as _, RecoveryStore as _, SealedSession, StoreError,
    ThrottleBudget as _, TransferStore as _, UploadStore as _, WorkItem,
};
use docferry_aws::{DynamoAuditLog, DynamoThrottleBudget};
use docferry_domain::transfer::{Outcome, SCHEMA_VERSION};
use docferry_testkit::builders::{arrived, drive_target, epoch, pushed, record_push, transfer};
use jiff::SignedDuration;

use support::{TestTable, emulator};

#[tokio::test]
async fn dynamodb_transfer_store_conforms_to_its_port() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    docferry_testkit::conformance::transfer_store(&table.store()).await;
}

#[tokio::test]
async fn dynamodb_slot_outbox_batch_artifact_and_job_stores_conform() {
    let Some(emulator) = emulator() else { return };
    // All users of a table share the slots of a pool, so the slot suite needs its own table.
    docferry_testkit::conformance::slot_store(&TestTable::create(&emulator).await.store()).await;
    let table = TestTable::create(&emulator).await;
    docferry_testkit::conformance::outbox(&table.store()).await;
    docferry_testkit::conformance::notifications(&table.store()).await;
    docferry_testkit::conformance::batch_store(&table.store()).await;
    docferry_testkit::conformance::artifact_store(&table.store()).await;
    docferry_testkit::conformance::job_store(&table.store()).await;
}

#[tokio::test]
async fn dynamodb_registry_conforms_to_its_ports() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    docferry_testkit::conformance::registry(&table.registry()).await;
}

#[tokio::test]
async fn dynamodb_audit_log_conforms_to_its_ports() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let log = DynamoAuditLog::new(table.client.clone(), &table.name);
    docferry_testkit::conformance::audit_log(&log).await;
}

#[tokio::test]
async fn dynamodb_registry_pages_a_thousand_documents_while_others_are_added() {
    let Some(emulator) = emulator() else { return };
    let registry = TestTable::create(&emulator).await.registry();
    docferry_testkit::conformance::paging_while_documents_are_added(&registry, 30, 4).await;
    docferry_testkit::conformance::paging_while_documents_are_added(&registry, 1_010, 160).await;
}

#[tokio::test]
async fn dynamodb_throttle_budget_conforms_to_its_port() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let budget = DynamoThrottleBudget::new(table.client.clone(), &table.name, "graph");
    docferry_testkit::conformance::throttle_budget(&budget).await;
    let other_pool = DynamoThrottleBudget::new(table.client.clone(), &table.name, "other");
    assert_eq!(other_pool.paused().await.unwrap(), None, "pools are separate");
}

#[tokio::test]
async fn different_transfer_with_the_same_id_is_rejected() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let store = table.store();
    let stored = transfer();
    store.create(&stored).await.unwrap();
    let mut other_request = stored.clone();
    other_request.spec.owner = "another-owner".into();
    let result = store.create(&other_request).await;
    assert!(matches!(result, Err(StoreError::Corrupt(_))), "{result:?}");
    assert_eq!(store.get(&stored.transfer_id).await.unwrap(), Some(stored));
}

#[tokio::test]
async fn item_with_newer_schema_is_rejected_without_quoting_values() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let mut stored = transfer();
    stored.schema_version = SCHEMA_VERSION + 1;
    stored.target = drive_target("ada@court.example", "").into();
    table.store().create(&stored).await.unwrap();
    let Err(StoreError::Corrupt(cause)) = table.store().get(&stored.transfer_id).await else {
        panic!("the item of a newer version was read");
    };
    assert!(!cause.to_string().contains("ada"), "{cause}");
}

#[tokio::test]
async fn both_keys_await_release_when_a_repeated_push_returns_a_new_key() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let store = table.store();
    let (first, second) = (support::random_name("first"), support::random_name("second"));
    let new_transfer = transfer();
    let id = new_transfer.transfer_id.clone();
    store.create(&new_transfer).await.unwrap();
    store.begin_push(&id, 1, epoch()).await.unwrap();
    assert!(record_push(&store, &id, 1, &pushed(&first, 1)).await.unwrap());
    assert!(record_push(&store, &id, 1, &pushed(&second, 2)).await.unwrap());
    assert!(record_push(&store, &id, 1, &pushed(&second, 2)).await.unwrap());
    assert_eq!(store.get(&id).await.unwrap().unwrap().source, Some(pushed(&second, 2)));
    let awaiting = store.get(&id).await.unwrap().unwrap().keys_awaiting_arrival();
    let keys: Vec<_> = awaiting.iter().map(|awaited| awaited.key.as_str()).collect();
    assert_eq!(keys, [&first, &second], "both keys are released at the end");

    let now = epoch();
    let released = store.release_key(&id, 1, &first, now, now).await.unwrap();
    assert_eq!(released, docferry_app::ports::Release::Last);
    let second_item = table.item(&format!("K#{second}"), "REFS").await;
    assert_eq!(second_item.get("refs"), Some(&AttributeValue::Ss(vec![id.to_string()])));
}

#[tokio::test]
async fn only_finished_records_get_a_ttl() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let store = table.store();
    let key = support::random_name("key");
    let stored = transfer();
    let id = &stored.transfer_id;
    store.create(&stored).await.unwrap();
    record_push(&store, id, 1, &pushed(&key, 1)).await.unwrap();
    store.record_arrival(id, 1, &arrived()).await.unwrap();
    let epoch_number = store.claim(id, 1).await.unwrap().epoch;
    let session = SealedSession { sealed_url: vec![7], expires_at: Some(epoch()) };
    store.put_session(id, epoch_number, &session).await.unwrap();
    let expiry = async |pk: String, sk: &str| table.item(&pk, sk).await.remove("expiresAt");
    let hours_after_epoch = |hours| {
        let at = epoch() + SignedDuration::from_hours(hours);
        Some(AttributeValue::N(at.as_second().to_string()))
    };

    // While the transfer runs, only its session has an expiry: 7 days after the session expires.
    assert_eq!(expiry(format!("T#{id}"), "META").await, None);
    assert_eq!(expiry(format!("K#{key}"), "REFS").await, None);
    assert_eq!(expiry(format!("T#{id}"), "SESSION#0").await, hours_after_epoch(7 * 24));

    // The end of the transfer sets the expiry `purge_at`. The release of its key sets an expiry of
    // 24 hours.
    let purge_at = epoch() + SignedDuration::from_hours(1);
    let read = store.get(id).await.unwrap().unwrap();
    store.finish(&read, Outcome::Canceled, epoch()).await.unwrap();
    store.mark_cleaned_up(id, 1, purge_at).await.unwrap();
    assert_eq!(expiry(format!("T#{id}"), "META").await, hours_after_epoch(1));
    store.release_key(id, 1, &key, epoch(), epoch()).await.unwrap();
    store.mark_released(id, &key, epoch()).await.unwrap();
    assert_eq!(expiry(format!("K#{key}"), "REFS").await, hours_after_epoch(24));

    // A new user of the key removes the expiry.
    let next_user = transfer();
    store.create(&next_user).await.unwrap();
    let mut push = pushed(&key, 1);
    push.requested_at = epoch() + SignedDuration::from_secs(1);
    assert!(record_push(&store, &next_user.transfer_id, 1, &push).await.unwrap());
    assert_eq!(expiry(format!("K#{key}"), "REFS").await, None);
}

/// Older versions wrote one attribute, `dueAt`, for both the retention and the sweeper's next
/// check, and offered an artifact for reuse before its delivery was recorded.
#[tokio::test]
async fn artifact_written_by_an_older_version_keeps_its_retention() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let store = table.store();
    let key = format!("downloads/{}/0", support::random_name("old"));
    let at = |hours| epoch() + SignedDuration::from_hours(hours);
    let text = |text: &str| AttributeValue::S(text.into());
    let due = AttributeValue::N(at(10).as_millisecond().to_string());
    let request = table.client.put_item().table_name(&table.name);
    let attributes = [
        ("pk", text(&format!("A#{key}"))),
        ("sk", text("ARTIFACT")),
        ("key", text(&key)),
        ("objectGuid", text("AAAA")),
        ("size", AttributeValue::N("1000".into())),
        ("name", text("a.pdf")),
        ("writtenAt", text(&epoch().to_string())),
        ("keepUntil", text(&at(4).to_string())),
        ("sweepShard", text("A0")),
        ("dueAt", due),
    ];
    let request = attributes.into_iter().fold(request, |put, (name, value)| put.item(name, value));
    request.send().await.unwrap();

    let due_item = WorkItem::Artifact(key.clone());
    assert!(!store.withdraw_artifact(&key).await.unwrap(), "another job may have reused it");
    store.reschedule(&due_item, at(1)).await.unwrap();
    assert!(!store.expire_artifact(&key, at(9)).await.unwrap(), "it was retained for 10 hours");
    assert!(store.retain_artifact(&key, at(12)).await.unwrap());
    store.reschedule(&due_item, at(1)).await.unwrap();
    assert!(!store.expire_artifact(&key, at(11)).await.unwrap());
    assert!(store.expire_artifact(&key, at(12)).await.unwrap());
    assert!(!store.retain_artifact(&key, at(20)).await.unwrap());
}

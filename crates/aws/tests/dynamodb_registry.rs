//! Tests of what only the DynamoDB registry does, against the emulator: its copies, its items of
//! work, its number of calls, and concurrent writes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use docferry_app::ports::{
    Registry as _, RegistryRange, RegistryWork as _, RegistryWriter as _, UpsertResult,
};
use docferry_domain::document::{
    Coverage, DocumentKey, DocumentRecord, Grant, Position, RecordStatus,
};
use docferry_domain::ids::FileId;
use docferry_domain::person::Person;
use docferry_testkit::builders::{document_record, epoch, subject};
use jiff::SignedDuration;

use support::wire::LossyProxy;
use support::{TestTable, emulator};

fn whole_list(limit: usize) -> RegistryRange {
    RegistryRange { sort_keys: None..None, after: None, newest_first: false, limit }
}

#[tokio::test]
async fn registry_calls_depend_on_the_number_of_keys_only() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let proxy = LossyProxy::to(&emulator).await;
    let registry = table.registry_through(&proxy.url).await;
    let known: Vec<_> = (0..5).map(document_record).collect();
    for record in &known {
        registry.upsert(record).await.unwrap();
    }
    registry.withdraw(&DocumentKey::Id(known[0].id.clone()), epoch()).await.unwrap();
    let person = Person::new("ada");
    let group = Coverage::Group("civil".parse().unwrap());
    registry.grant(&person, &Grant { coverage: group, expires_at: None }).await.unwrap();
    proxy.calls();

    let numbers = |range: std::ops::Range<u64>| -> Vec<_> {
        range.map(|number| DocumentKey::File(FileId::new(number))).collect()
    };
    // The second range contains no known number.
    for (range, found, calls) in [(0..100, 5, 1), (1_000..1_100, 0, 1), (0..101, 5, 2)] {
        let documents = registry.documents(&numbers(range)).await.unwrap();
        assert_eq!(documents.len(), found);
        assert_eq!(proxy.calls(), vec!["BatchGetItem"; calls]);
    }
    for (subject, found) in [(&known[1].subject, 1), (&known[0].subject, 0), (&subject("S-9"), 0)] {
        let page = registry.page(subject, &whole_list(100)).await.unwrap();
        assert_eq!(page.documents.len(), found);
        assert_eq!(proxy.calls(), ["Query"]);
    }
    for (person, found) in [(&person, 1), (&Person::new("bob"), 0)] {
        assert_eq!(registry.grants(person).await.unwrap().len(), found);
        assert_eq!(proxy.calls(), ["Query"]);
    }
}

#[tokio::test]
async fn page_continues_after_a_document_that_is_no_longer_listed() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let registry = table.registry();
    let shared = subject("S-1");
    let records: Vec<_> = (0..6)
        .map(|number| {
            let indexed = epoch() + SignedDuration::from_secs(i64::try_from(number).unwrap());
            DocumentRecord { subject: shared.clone(), indexed, ..document_record(number) }
        })
        .collect();
    for record in &records {
        registry.upsert(record).await.unwrap();
    }
    registry.withdraw(&DocumentKey::Id(records[3].id.clone()), epoch()).await.unwrap();

    let time = |number: usize| Some(Position::time_key(records[number].indexed));
    let after = Some(records[3].position());
    for (newest_first, sort_keys, expected) in [
        (false, None..None, vec![4, 5]),
        (true, None..None, vec![2, 1, 0]),
        (false, time(1)..time(5), vec![4]),
        (true, time(1)..time(5), vec![2, 1]),
        // The position is outside the range.
        (false, time(5)..None, vec![5]),
        (true, None..time(2), vec![1, 0]),
        (false, None..time(2), vec![]),
        (true, time(5)..None, vec![]),
    ] {
        let range = RegistryRange { sort_keys, after: after.clone(), newest_first, limit: 10 };
        let page = registry.page(&shared, &range).await.unwrap();
        let expected: Vec<_> =
            expected.into_iter().map(|number: usize| records[number].clone()).collect();
        assert_eq!(page.documents, expected, "{range:?}");
    }
}

#[tokio::test]
async fn superseded_or_withdrawn_record_has_no_copy_by_subject() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let registry = table.registry();
    let record = document_record(1);
    registry.upsert(&record).await.unwrap();
    let partition = format!("subject#{}", record.subject.key());
    let sort_key = record.position().sort_key();
    assert!(!table.item(&partition, &sort_key).await.is_empty());

    let superseded = DocumentRecord { status: RecordStatus::Superseded, ..record.clone() };
    assert_eq!(registry.upsert(&superseded).await.unwrap(), UpsertResult::Stored);
    assert!(table.item(&partition, &sort_key).await.is_empty());

    assert_eq!(registry.upsert(&record).await.unwrap(), UpsertResult::Stored);
    assert!(!table.item(&partition, &sort_key).await.is_empty());
    // A record of the feed that is withdrawn makes the work once.
    let at = epoch() + SignedDuration::from_secs(9);
    let withdrawn = DocumentRecord { withdrawn_at: Some(at), ..record.clone() };
    let larger = DocumentRecord { size: record.size + 1, ..withdrawn.clone() };
    for stored in [&withdrawn, &larger] {
        assert_eq!(registry.upsert(stored).await.unwrap(), UpsertResult::Stored);
        assert!(table.item(&partition, &sort_key).await.is_empty());
    }
    let work = registry.withdrawals(None, 10).await.unwrap();
    assert_eq!(work.len(), 1);
    registry.complete_withdrawal(&work[0]).await.unwrap();
    registry.upsert(&DocumentRecord { size: record.size + 2, ..larger }).await.unwrap();
    assert_eq!(registry.withdrawals(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn concurrent_writes_of_one_document_leave_copies_that_agree() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let registry = table.registry();
    let first = document_record(1);
    let records: Vec<_> = (0..4_u64)
        .map(|number| DocumentRecord {
            subject: subject(&format!("S-{number}")),
            file_id: Some(FileId::new(100 + number)),
            indexed: first.indexed + SignedDuration::from_secs(i64::try_from(number).unwrap()),
            ..first.clone()
        })
        .collect();
    let at = epoch() + SignedDuration::from_secs(9);
    let key = DocumentKey::Id(first.id.clone());
    registry.upsert(&records[0]).await.unwrap();
    let (a, b, c, withdrawn) = tokio::join!(
        registry.upsert(&records[1]),
        registry.upsert(&records[3]),
        registry.upsert(&records[2]),
        registry.withdraw(&key, at),
    );
    for result in [a, b, c] {
        assert!(!matches!(result.unwrap(), UpsertResult::Conflict { .. }));
    }
    assert_eq!(withdrawn.unwrap().unwrap().withdrawn_at, Some(at));

    let newest = DocumentRecord { withdrawn_at: Some(at), ..records[3].clone() };
    let keys: Vec<_> = records.iter().flat_map(DocumentKey::all_of).collect();
    let found = registry.documents(&keys).await.unwrap();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.values().all(|record| *record == newest));
    for record in &records {
        let page = registry.page(&record.subject, &whole_list(10)).await.unwrap();
        assert_eq!(page.documents, []);
    }
    assert_eq!(registry.withdrawals(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn lost_responses_do_not_change_the_results_of_registry_writes() {
    let Some(emulator) = emulator() else { return };
    let table = TestTable::create(&emulator).await;
    let proxy = LossyProxy::to(&emulator).await;
    let (registry, direct) = (table.registry_through(&proxy.url).await, table.registry());
    let record = document_record(1);
    let key = DocumentKey::Id(record.id.clone());
    proxy.drop_next_response();
    let written = registry.upsert(&record).await.unwrap();
    assert_eq!(written, UpsertResult::Stored);
    proxy.drop_next_response();
    let withdrawn = registry.withdraw(&key, epoch()).await.unwrap().unwrap();
    assert_eq!(direct.documents(std::slice::from_ref(&key)).await.unwrap()[&key], withdrawn);
    assert_eq!(direct.withdrawals(None, 10).await.unwrap().len(), 1);
}

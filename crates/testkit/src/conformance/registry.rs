//! Conformance checks of every implementation of the document registry.

use docferry_app::ports::{
    GrantResult, MAX_GRANTS_PER_PERSON, Registry, RegistryPage, RegistryRange, RegistryWork,
    RegistryWriter, UpsertResult,
};
use docferry_domain::document::{Coverage, DocumentKey, DocumentRecord, Grant, Subject};
use docferry_domain::ids::FileId;
use docferry_domain::person::Person;
use docferry_domain::transfer::DeliveredFile;
use jiff::{SignedDuration, Timestamp};

use crate::builders::{document_record, epoch, subject};

/// Runs every check. Each check uses documents of its own.
///
/// # Panics
/// When the registry breaks a rule of its ports.
pub async fn registry(registry: &(impl Registry + RegistryWriter + RegistryWork)) {
    record_is_found_by_each_of_its_keys(registry).await;
    newer_record_replaces_an_older_one(registry).await;
    number_and_guid_belong_to_one_document(registry).await;
    withdrawal_is_final_and_takes_effect_at_once(registry).await;
    withdrawal_in_an_older_record_counts(registry).await;
    pages_list_each_document_once_in_both_directions(registry).await;
    grants_of_a_person_are_listed_and_revoked(registry).await;
}

/// Returns a number that no other check uses.
pub(super) fn unique() -> u64 {
    // 48 bits, which every JSON parser reads exactly.
    let bits = uuid::Uuid::new_v4().as_u128();
    u64::try_from(bits >> 80).unwrap()
}

fn new_record() -> DocumentRecord {
    document_record(unique())
}

fn indexed_after(record: &DocumentRecord, seconds: i64) -> DocumentRecord {
    DocumentRecord {
        indexed: record.indexed + SignedDuration::from_secs(seconds),
        ..record.clone()
    }
}

async fn get(registry: &impl Registry, key: &DocumentKey) -> Option<DocumentRecord> {
    registry.documents(std::slice::from_ref(key)).await.unwrap().remove(key)
}

async fn record_is_found_by_each_of_its_keys(registry: &(impl Registry + RegistryWriter)) {
    let record = new_record();
    let keys = DocumentKey::all_of(&record);
    assert!(registry.documents(&keys).await.unwrap().is_empty());

    assert_eq!(registry.upsert(&record).await.unwrap(), UpsertResult::Stored);
    assert_eq!(registry.upsert(&record).await.unwrap(), UpsertResult::Unchanged);

    let found = registry.documents(&keys).await.unwrap();
    assert_eq!(found.len(), 3);
    assert!(found.values().all(|document| *document == record));
    // The same key may be given twice.
    let twice = [keys[0].clone(), keys[0].clone()];
    assert_eq!(registry.documents(&twice).await.unwrap().len(), 1);
}

async fn newer_record_replaces_an_older_one(registry: &(impl Registry + RegistryWriter)) {
    let first = new_record();
    let id = DocumentKey::Id(first.id.clone());
    registry.upsert(&first).await.unwrap();
    // The newer record has another number, another subject, and is listed at another time.
    let newer = DocumentRecord {
        file_id: Some(FileId::new(unique())),
        subject: subject(&format!("S-{}", unique())),
        size: first.size + 1,
        ..indexed_after(&first, 10)
    };
    assert_eq!(registry.upsert(&newer).await.unwrap(), UpsertResult::Stored);
    assert_eq!(registry.upsert(&first).await.unwrap(), UpsertResult::Unchanged);

    assert_eq!(get(registry, &id).await, Some(newer.clone()));
    let old_number = DocumentKey::File(first.file_id.unwrap());
    assert_eq!(get(registry, &old_number).await, None);
    assert_eq!(listed(registry, &first.subject).await, []);
    assert_eq!(listed(registry, &newer.subject).await, std::slice::from_ref(&newer));

    // A correction with the same time of indexing replaces the record.
    let corrected = DocumentRecord { size: newer.size + 1, file_id: None, ..newer.clone() };
    assert_eq!(registry.upsert(&corrected).await.unwrap(), UpsertResult::Stored);
    assert_eq!(get(registry, &id).await, Some(corrected.clone()));
    assert_eq!(get(registry, &DocumentKey::File(newer.file_id.unwrap())).await, None);
    assert_eq!(listed(registry, &newer.subject).await, [corrected]);
}

async fn number_and_guid_belong_to_one_document(registry: &(impl Registry + RegistryWriter)) {
    let (first, second) = (new_record(), new_record());
    registry.upsert(&first).await.unwrap();
    for (record, field) in [
        (DocumentRecord { file_id: first.file_id, ..second.clone() }, "fileId"),
        (DocumentRecord { obj_guid: first.obj_guid.clone(), ..second.clone() }, "objGuid"),
    ] {
        assert_eq!(registry.upsert(&record).await.unwrap(), UpsertResult::Conflict { field });
        assert_eq!(get(registry, &DocumentKey::Id(second.id.clone())).await, None);
    }
    assert_eq!(registry.upsert(&second).await.unwrap(), UpsertResult::Stored);
    let number = DocumentKey::File(first.file_id.unwrap());
    assert_eq!(get(registry, &number).await, Some(first.clone()));
    // The GUID of a document never changes.
    let guid = new_record().obj_guid;
    let changed = DocumentRecord { obj_guid: guid, ..indexed_after(&first, 10) };
    let conflict = UpsertResult::Conflict { field: "objGuid" };
    assert_eq!(registry.upsert(&changed).await.unwrap(), conflict);
    assert_eq!(get(registry, &number).await, Some(first));
}

async fn withdrawal_is_final_and_takes_effect_at_once(
    registry: &(impl Registry + RegistryWriter + RegistryWork),
) {
    let record = new_record();
    let at = epoch() + SignedDuration::from_secs(5);
    let number = DocumentKey::File(record.file_id.unwrap());
    assert_eq!(registry.withdraw(&number, at).await.unwrap(), None);
    registry.upsert(&record).await.unwrap();

    let withdrawn = DocumentRecord { withdrawn_at: Some(at), ..record.clone() };
    assert_eq!(registry.withdraw(&number, at).await.unwrap(), Some(withdrawn.clone()));

    for key in DocumentKey::all_of(&record) {
        assert_eq!(get(registry, &key).await, Some(withdrawn.clone()), "{key:?}");
    }
    assert_eq!(listed(registry, &record.subject).await, []);
    // The system of record repeats its records, which do not mention the withdrawal.
    registry.upsert(&indexed_after(&record, 60)).await.unwrap();
    let repeated = DocumentRecord { withdrawn_at: Some(at), ..indexed_after(&record, 60) };
    assert_eq!(get(registry, &number).await, Some(repeated.clone()));
    assert_eq!(listed(registry, &record.subject).await, []);
    // The time of the first withdrawal stays.
    let repeated_withdrawal =
        registry.withdraw(&number, at + SignedDuration::from_secs(1)).await.unwrap();
    assert_eq!(repeated_withdrawal, Some(repeated));

    let is_this = |work: &docferry_app::ports::Withdrawal| work.id == record.id;
    let work = registry.withdrawals(None, 1_000).await.unwrap();
    let work: Vec<_> = work.into_iter().filter(is_this).collect();
    assert_eq!(work.len(), 1);
    assert_eq!((&work[0].obj_guid, work[0].withdrawn_at), (&record.obj_guid, at));
    assert_eq!(work[0].subject.as_ref(), Some(&record.subject));
    assert_eq!(work[0].file, Some(DeliveredFile::from(&record)));
    assert_eq!(work[0].audited_at, None);
    let audited_at = at + SignedDuration::from_secs(60);
    for later in [0, 1] {
        let audited_at = audited_at + SignedDuration::from_secs(later);
        registry.mark_withdrawal_audited(&work[0], audited_at).await.unwrap();
    }
    let all = registry.withdrawals(None, 1_000).await.unwrap();
    assert_eq!(all.into_iter().find(is_this).unwrap().audited_at, Some(audited_at));
    for _ in 0..2 {
        registry.complete_withdrawal(&work[0]).await.unwrap();
    }
    // A late mark does not bring the work back.
    registry.mark_withdrawal_audited(&work[0], audited_at).await.unwrap();
    assert!(!registry.withdrawals(None, 1_000).await.unwrap().iter().any(is_this));
}

/// The feed is unordered, so the record with the withdrawal may arrive after a newer one.
async fn withdrawal_in_an_older_record_counts(
    registry: &(impl Registry + RegistryWriter + RegistryWork),
) {
    let older = DocumentRecord { withdrawn_at: Some(epoch()), ..new_record() };
    let number = Some(FileId::new(unique()));
    let newer = DocumentRecord { withdrawn_at: None, file_id: number, ..indexed_after(&older, 10) };
    registry.upsert(&newer).await.unwrap();
    // Meanwhile, another document has got the number of the older record.
    registry.upsert(&DocumentRecord { file_id: older.file_id, ..new_record() }).await.unwrap();
    assert_eq!(registry.upsert(&older).await.unwrap(), UpsertResult::Stored);
    assert_eq!(registry.upsert(&older).await.unwrap(), UpsertResult::Unchanged);

    let expected = DocumentRecord { withdrawn_at: Some(epoch()), ..newer };
    assert_eq!(get(registry, &DocumentKey::Id(older.id.clone())).await, Some(expected));
    let is_this = |work: &&docferry_app::ports::Withdrawal| work.id == older.id;
    let all = registry.withdrawals(None, 1_000).await.unwrap();
    let work = all.iter().find(is_this).unwrap();
    // The list continues after a withdrawal.
    let rest = registry.withdrawals(Some(work), 1_000).await.unwrap();
    assert!(!rest.iter().any(|other| other.id == older.id) && rest.len() < all.len());
    registry.complete_withdrawal(work).await.unwrap();
}

/// Lists the documents of a subject, the oldest first.
async fn listed(registry: &impl Registry, subject: &Subject) -> Vec<DocumentRecord> {
    let RegistryPage { documents, more_after } =
        registry.page(subject, &range(None, None, false, 100)).await.unwrap();
    assert_eq!(more_after, None);
    documents
}

fn range(
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    newest_first: bool,
    limit: usize,
) -> RegistryRange {
    let key = docferry_domain::document::Position::time_key;
    RegistryRange { sort_keys: from.map(key)..until.map(key), after: None, newest_first, limit }
}

async fn pages_list_each_document_once_in_both_directions(
    registry: &(impl Registry + RegistryWriter),
) {
    let shared = subject(&format!("S-{}", unique()));
    let mut records: Vec<_> = (0..7)
        .map(|number| {
            // Three documents have the same time.
            let indexed = epoch() + SignedDuration::from_secs(if number < 3 { 0 } else { number });
            DocumentRecord { subject: shared.clone(), indexed, ..new_record() }
        })
        .collect();
    for record in &records {
        registry.upsert(record).await.unwrap();
    }
    records.sort_by_key(DocumentRecord::position);

    for newest_first in [false, true] {
        for limit in [1, 2, 3, 6, 7, 8] {
            let mut read = Vec::new();
            let mut part = range(None, None, newest_first, limit);
            for _ in 0..8 {
                let page = registry.page(&shared, &part).await.unwrap();
                assert!(page.documents.len() <= limit);
                read.extend(page.documents);
                let Some(after) = page.more_after else { break };
                part.after = Some(after);
            }
            if newest_first {
                read.reverse();
            }
            assert_eq!(read, records, "{limit}");
        }
    }

    // The start of a range is inclusive, its end is exclusive.
    let (from, until) = (records[3].indexed, records[5].indexed);
    let part = range(Some(from), Some(until), true, 10);
    let page = registry.page(&shared, &part).await.unwrap();
    assert_eq!(page.documents, [records[4].clone(), records[3].clone()]);
    assert_eq!(page.more_after, None);
    let empty = range(Some(until), Some(from), false, 10);
    assert_eq!(registry.page(&shared, &empty).await.unwrap().documents, []);
}

async fn grants_of_a_person_are_listed_and_revoked(registry: &(impl Registry + RegistryWriter)) {
    let person = Person::new(format!("ada-{}", unique()));
    assert_eq!(registry.grants(&person).await.unwrap(), []);
    let grant = |name: &str, expires_at| Grant {
        coverage: Coverage::Group(name.parse().unwrap()),
        expires_at,
    };
    let by_subject = Grant { coverage: Coverage::Subject(subject("S-1")), expires_at: None };
    for stored in [&by_subject, &grant("civil", None), &grant("civil", Some(epoch()))] {
        assert_eq!(registry.grant(&person, stored).await.unwrap(), GrantResult::Stored);
    }

    let mut grants = registry.grants(&person).await.unwrap();
    grants.sort_by(|a, b| a.coverage.cmp(&b.coverage));
    assert_eq!(grants, [by_subject.clone(), grant("civil", Some(epoch()))]);
    assert!(registry.revoke(&person, &by_subject.coverage).await.unwrap());
    assert!(!registry.revoke(&person, &by_subject.coverage).await.unwrap());
    assert_eq!(registry.grants(&person).await.unwrap(), [grant("civil", Some(epoch()))]);

    for number in 1..MAX_GRANTS_PER_PERSON {
        let stored = registry.grant(&person, &grant(&format!("group {number}"), None)).await;
        assert_eq!(stored.unwrap(), GrantResult::Stored);
    }
    let rejected = registry.grant(&person, &grant("one more", None)).await.unwrap();
    assert_eq!(rejected, GrantResult::TooMany);
    assert_eq!(registry.grant(&person, &grant("civil", None)).await.unwrap(), GrantResult::Stored);
    assert_eq!(registry.grants(&person).await.unwrap().len(), MAX_GRANTS_PER_PERSON);
}

//! Documents in the registry that exist in no document source, for tests of the search.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docferry_app::ports::{RegistryWriter as _, UpsertResult};
use docferry_domain::document::{DocumentRecord, SubjectPatterns};
use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{Cloud, Sandbox, random_file_id};

/// Number of records that are written at a time.
const CONCURRENT_WRITES: usize = 4;

impl Sandbox {
    /// Registers `count` documents of a new subject, and returns the value of the subject. The
    /// document `n` has the id `{subject}-{n}`, and was indexed in minute `n` of the year 2026.
    pub async fn register_subject(&self, count: u32) -> String {
        let subject = format!("S-{}", random_file_id());
        let records = (0..count).map(|number| {
            subject_document(&subject, &format!("{subject}-{number}"), i64::from(number) * 60)
        });
        self.cloud.register(records).await;
        subject
    }
}

impl Cloud {
    /// Adds new records to the registry.
    pub async fn register(&self, records: impl IntoIterator<Item = DocumentRecord>) {
        let registry = &self.registry();
        let writes = records.into_iter().map(|record| async move {
            assert_eq!(registry.upsert(&record).await.unwrap(), UpsertResult::Stored);
        });
        stream::iter(writes).buffer_unordered(CONCURRENT_WRITES).collect::<()>().await;
    }
}

/// Returns a record of a document of a subject, indexed some seconds after the year 2026 began.
#[must_use]
pub fn subject_document(subject: &str, id: &str, second: i64) -> DocumentRecord {
    let year: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let number = id.rsplit('-').next().unwrap();
    serde_json::from_value(json!({
        "id": id,
        "subject": SubjectPatterns::default().read_text(subject).unwrap(),
        "fileId": random_file_id(),
        "objGuid": STANDARD.encode(fastrand::u128(..).to_le_bytes()),
        "fileName": format!("document {number}.pdf"),
        "contentType": "application/pdf",
        "size": 1000,
        "created": "2025-12-31T23:59:59Z",
        "indexed": year + SignedDuration::from_secs(second),
        "type": "order",
        "category": "criminal",
        "docStatus": "final",
        "status": "current",
        "scanResult": "clean",
        "groups": ["criminal"],
    }))
    .unwrap()
}

//! Item layout of the registry's table: keys, and conversions from and to domain types. The
//! documentation of the parent module lists all keys.
//!
//! A document has three unique keys: its id, its number and its GUID. The table holds a copy of the
//! record under each of them. While the document is *listed*, there is also a copy in the list of
//! its subject.
//!
//! | term | meaning |
//! |---|---|
//! | subject | the court file or patient that a document concerns |
//! | version | the number of writes of a record; all copies have the same version |
//! | grant | the right of a person to see documents |
//! | coverage | the subject or group to whose documents a grant applies |
//! | withdrawal | makes a document unavailable for good |

use docferry_app::ports::{StoreError, Withdrawal};
use docferry_domain::document::{
    Coverage, DocumentId, DocumentKey, DocumentRecord, Grant, Position, Subject,
};
use docferry_domain::ids::ObjectGuid;
use docferry_domain::person::Person;
use docferry_domain::transfer::DeliveredFile;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::conditional_update::number;
use super::super::items::{corrupt, whole_item};
use super::super::keys::{Item, key};

/// Sort key of a record in the partitions of its unique keys.
const RECORD: &str = "record";

/// Attribute with the number of writes of a record.
pub(super) const VERSION: &str = "version";

/// Partition of the withdrawals that the sweeper (the background repair) has not completed yet.
pub(super) const WITHDRAWALS: &str = "withdrawals";

/// Attribute of a grant with its coverage.
pub(super) const COVERAGE: &str = "coverage";

/// Attribute of a grant with its expiry, in milliseconds since 1970. Its name differs from that of
/// the other table's TTL attribute, `expiresAt`, which is in seconds.
pub(super) const EXPIRY: &str = "expiresAtMs";

/// Attribute of a withdrawal with the time at which the withdrawal was sent to the audit trail.
pub(super) const AUDITED_AT: &str = "auditedAt";

/// Returns the partition of the record under one of its unique keys.
pub(super) fn record_partition(document: &DocumentKey) -> String {
    match document {
        DocumentKey::Id(id) => format!("doc#{id}"),
        DocumentKey::File(file) => format!("file#{file}"),
        DocumentKey::Object(guid) => format!("guid#{}", guid.as_str()),
    }
}

/// Returns the key of the record under one of its unique keys.
pub(super) fn record_key(document: &DocumentKey) -> Item {
    key(record_partition(document), RECORD)
}

/// Returns the partition of the listed documents of a subject.
pub(super) fn subject_partition(subject: &Subject) -> String {
    format!("subject#{}", subject.key())
}

/// Returns the key of a document in the list of its subject.
pub(super) fn listed_key(record: &DocumentRecord) -> Item {
    position_key(&record.subject, &record.position())
}

/// Returns the key of a position in the list of a subject.
pub(super) fn position_key(subject: &Subject, position: &Position) -> Item {
    key(subject_partition(subject), &position.sort_key())
}

/// Returns the partition of a person's grants.
pub(super) fn grants_partition(person: &Person) -> String {
    format!("grant#{}", person.as_str())
}

/// Returns the key of a person's grant.
pub(super) fn grant_key(person: &Person, coverage: &Coverage) -> Item {
    let sort_key = match coverage {
        Coverage::Subject(subject) => format!("subject#{}", subject.key()),
        Coverage::Group(group) => format!("group#{}", group.as_str()),
    };
    key(grants_partition(person), &sort_key)
}

/// Record of a document with its version, as stored.
#[derive(Debug, Clone)]
pub(super) struct StoredRecord {
    pub(super) record: DocumentRecord,
    pub(super) version: u64,
}

impl StoredRecord {
    /// Parses the record and its version. Every copy contains the whole record.
    pub(super) fn parse(item: Item) -> Result<Self, StoreError> {
        let version = item.get(VERSION).and_then(|value| value.as_n().ok()?.parse().ok());
        let record = read_record(item)?;
        Ok(Self { record, version: version.ok_or_else(|| corrupt("document record"))? })
    }

    /// Returns the item that holds a copy of the record under `key`.
    pub(super) fn copy(&self, key: Item) -> Result<Item, StoreError> {
        let mut item = whole_item(&self.record, key, "document record")?;
        item.insert(VERSION.into(), number(self.version));
        Ok(item)
    }
}

/// Parses the record in an item, without its version.
pub(super) fn read_record(item: Item) -> Result<DocumentRecord, StoreError> {
    serde_dynamo::aws_sdk_dynamodb_1::from_item(item).map_err(|_| corrupt("document record"))
}

/// Parses a grant.
pub(super) fn read_grant(item: &Item) -> Result<Grant, StoreError> {
    let unreadable = || corrupt("grant");
    let coverage = item.get(COVERAGE).cloned().ok_or_else(unreadable)?;
    let coverage = serde_dynamo::aws_sdk_dynamodb_1::from_attribute_value(coverage)
        .map_err(|_| unreadable())?;
    let milliseconds = |digits: &String| Timestamp::from_millisecond(digits.parse().ok()?).ok();
    let expires_at = match item.get(EXPIRY) {
        None => None,
        Some(value) => Some(value.as_n().ok().and_then(milliseconds).ok_or_else(unreadable)?),
    };
    Ok(Grant { coverage, expires_at })
}

/// Item of a withdrawal that the sweeper has not completed yet.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WithdrawalItem {
    id: DocumentId,
    obj_guid: ObjectGuid,
    withdrawn_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    withdrawn_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Subject>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<DeliveredFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audited_at: Option<Timestamp>,
}

/// Returns the key of a withdrawal in the partition of withdrawals.
pub(super) fn withdrawal_key(withdrawal: &Withdrawal) -> Item {
    key(WITHDRAWALS.to_owned(), &withdrawal_sort_key(withdrawal.withdrawn_at, &withdrawal.id))
}

/// Returns the sort key of a withdrawal. The keys sort the oldest withdrawal first.
pub(super) fn withdrawal_sort_key(withdrawn_at: Timestamp, id: &DocumentId) -> String {
    Position { indexed: withdrawn_at, id: id.clone() }.sort_key()
}

/// Returns the item of a withdrawal; `None` for a record that is not withdrawn.
pub(super) fn withdrawal_item(
    record: &DocumentRecord,
    withdrawn_by: Option<String>,
) -> Result<Option<Item>, StoreError> {
    let Some(withdrawn_at) = record.withdrawn_at else { return Ok(None) };
    let item = WithdrawalItem {
        id: record.id.clone(),
        obj_guid: record.obj_guid.clone(),
        withdrawn_at,
        withdrawn_by,
        subject: Some(record.subject.clone()),
        file: Some(DeliveredFile::from(record)),
        audited_at: None,
    };
    let sort_key = withdrawal_sort_key(withdrawn_at, &record.id);
    whole_item(&item, key(WITHDRAWALS.to_owned(), &sort_key), "withdrawal").map(Some)
}

/// Parses a withdrawal.
pub(super) fn read_withdrawal(item: Item) -> Result<Withdrawal, StoreError> {
    let WithdrawalItem { id, obj_guid, withdrawn_at, withdrawn_by, subject, file, audited_at } =
        serde_dynamo::aws_sdk_dynamodb_1::from_item(item).map_err(|_| corrupt("withdrawal"))?;
    Ok(Withdrawal { id, obj_guid, withdrawn_at, withdrawn_by, subject, file, audited_at })
}

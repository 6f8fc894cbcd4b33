//! Ports of the document registry: its records, its grants, and its withdrawals.
//!
//! | term | meaning |
//! |---|---|
//! | record | the registry's description of one document: its id, number, GUID, subject and file |
//! | subject | the court file or patient that a document concerns |
//! | grant | the right of a person to see documents, with an optional expiry |
//! | coverage | the subject or group to whose documents a grant applies |
//! | withdrawal | makes a document unavailable for good |
//! | feed | the queue by which the system of record sends records to the registry |
//! | sweeper | the background repair, which deletes the copies of withdrawn documents |

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Range;

use docferry_domain::document::{
    Coverage, DocumentId, DocumentKey, DocumentRecord, Grant, Position, Subject,
};
use docferry_domain::ids::ObjectGuid;
use docferry_domain::person::Person;
use docferry_domain::transfer::DeliveredFile;
use jiff::Timestamp;

use super::StoreError;

/// The part of a subject's list of documents that [`Registry::page`] reads. The list is ordered by
/// time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryRange {
    /// Bounds of the sort keys ([`Position::sort_key`]); `None` for no bound.
    pub sort_keys: Range<Option<String>>,
    /// Position after which the call continues to read; `None` for the beginning of the list.
    pub after: Option<Position>,
    /// Whether the newest documents come first.
    pub newest_first: bool,
    /// Maximum number of documents.
    pub limit: usize,
}

/// One page of a subject's list of documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryPage {
    /// The documents, in the order of reading.
    pub documents: Vec<DocumentRecord>,
    /// Position after which the next page continues; `None` if there are no more documents.
    pub more_after: Option<Position>,
}

/// Reader of the document registry. All reads are strongly consistent. After a withdrawal has
/// returned, every read sees it.
pub trait Registry: Send + Sync {
    /// Returns the documents with these keys, including withdrawn documents. Unknown keys are
    /// missing from the result.
    ///
    /// The number of calls to the store depends only on the number of keys, so it does not reveal
    /// whether a document exists.
    fn documents(
        &self,
        keys: &[DocumentKey],
    ) -> impl Future<Output = Result<BTreeMap<DocumentKey, DocumentRecord>, StoreError>> + Send;

    /// Reads a part of a subject's list of documents, in one call to the store. Withdrawn documents
    /// are missing from the list.
    fn page(
        &self,
        subject: &Subject,
        range: &RegistryRange,
    ) -> impl Future<Output = Result<RegistryPage, StoreError>> + Send;

    /// Returns the grants of a person, including expired grants.
    fn grants(
        &self,
        person: &Person,
    ) -> impl Future<Output = Result<Vec<Grant>, StoreError>> + Send;
}

/// Result of writing a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpsertResult {
    /// The record is stored.
    Stored,
    /// The registry has the record already, or a newer one of the same document. Nothing changed.
    Unchanged,
    /// Nothing changed. Either another document has the number (`fileId`) or the GUID (`objGuid`)
    /// of this record, or the stored record of the same document has another GUID.
    Conflict {
        /// Name of the field in conflict.
        field: &'static str,
    },
}

/// Result of adding a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantResult {
    /// The grant is stored.
    Stored,
    /// The person already has the maximum number of grants. Nothing changed.
    TooMany,
}

/// Maximum number of grants of one person.
pub const MAX_GRANTS_PER_PERSON: usize = 500;

/// Writer of the document registry, for the feed and for operators.
pub trait RegistryWriter: Send + Sync {
    /// Adds a record, or replaces an older record of the same document. The call can be repeated.
    ///
    /// - The record with the later `indexed` is newer. If these times are equal, `record` is newer
    ///   than the stored record.
    /// - If the stored record is newer, only a withdrawal in `record` takes effect.
    /// - A withdrawn document stays withdrawn.
    /// - The GUID of a document never changes, because a look-up by GUID must always find the
    ///   record.
    fn upsert(
        &self,
        record: &DocumentRecord,
    ) -> impl Future<Output = Result<UpsertResult, StoreError>> + Send;

    /// Withdraws a document, and lists the withdrawal for the sweeper ([`RegistryWork`]). After
    /// this call has returned, no read returns the document as available.
    ///
    /// Returns the record of the document; `None` if the document is unknown. The call can be
    /// repeated, and does not change the time of the first withdrawal.
    fn withdraw(
        &self,
        key: &DocumentKey,
        at: Timestamp,
    ) -> impl Future<Output = Result<Option<DocumentRecord>, StoreError>> + Send;

    /// Adds a grant, or replaces the person's grant with the same coverage.
    fn grant(
        &self,
        person: &Person,
        grant: &Grant,
    ) -> impl Future<Output = Result<GrantResult, StoreError>> + Send;

    /// Removes the grant with this coverage. Returns whether the grant existed.
    fn revoke(
        &self,
        person: &Person,
        coverage: &Coverage,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// A withdrawal that is not complete: copies of the document may still have to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// Id of the document.
    pub id: DocumentId,
    /// GUID of the document. The records of its copies are found by this GUID.
    pub obj_guid: ObjectGuid,
    /// Time of the withdrawal.
    pub withdrawn_at: Timestamp,
    /// Operator or system that withdrew the document, if known.
    pub withdrawn_by: Option<String>,
    /// Subject of the document. `None` if an older version of docferry wrote the withdrawal.
    pub subject: Option<Subject>,
    /// File of the document. `None` if an older version of docferry wrote the withdrawal.
    pub file: Option<DeliveredFile>,
    /// Time at which the withdrawal was sent to the audit trail; `None` before that.
    pub audited_at: Option<Timestamp>,
}

/// Withdrawals for the sweeper, which deletes the copies of withdrawn documents.
pub trait RegistryWork: Send + Sync {
    /// Returns at most `limit` withdrawals that are not complete, the oldest first. The list begins
    /// after the withdrawal `after`, or with the oldest withdrawal.
    ///
    /// The list does not contain items that this version of docferry cannot read. Such an item
    /// must not block the other withdrawals.
    fn withdrawals(
        &self,
        after: Option<&Withdrawal>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Withdrawal>, StoreError>> + Send;

    /// Records that the withdrawal was sent to the audit trail at `at`. Does nothing if the
    /// withdrawal is complete. The call can be repeated, and does not change the first time.
    fn mark_withdrawal_audited(
        &self,
        withdrawal: &Withdrawal,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes a withdrawal from the list. Call this after all copies were deleted. The call can be
    /// repeated.
    fn complete_withdrawal(
        &self,
        withdrawal: &Withdrawal,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

//! Ports of the document registry: its records, its grants, and its withdrawals.
//!
//! The registry has a record of each document. A *subject* is the court file or patient that a
//! document concerns. A *grant* is a person's right to see documents, and its *coverage* names the
//! subject or group of these documents. A *withdrawal* makes a document unavailable for good; the
//! sweeper then deletes the copies of the document.

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

/// Part of a subject's list of documents that is to be read. The list is in time order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryRange {
    /// Sort keys ([`Position::sort_key`]) between which the documents lie; `None` for all.
    pub sort_keys: Range<Option<String>>,
    /// Position after which the part begins, in the direction of reading; `None` for the start.
    pub after: Option<Position>,
    /// Whether the newest documents come first.
    pub newest_first: bool,
    /// Maximum number of documents.
    pub limit: usize,
}

/// Page of a subject's documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryPage {
    /// The documents, in the order of reading.
    pub documents: Vec<DocumentRecord>,
    /// Position at which the registry stopped reading; `None` if there are no more documents.
    pub more_after: Option<Position>,
}

/// Reader of the document registry. All reads are strongly consistent, so they see each withdrawal
/// whose call has returned.
pub trait Registry: Send + Sync {
    /// Returns the documents with these keys, withdrawn ones included. Unknown keys are missing
    /// from the result. The number of calls to the store depends only on the number of keys.
    fn documents(
        &self,
        keys: &[DocumentKey],
    ) -> impl Future<Output = Result<BTreeMap<DocumentKey, DocumentRecord>, StoreError>> + Send;

    /// Reads a part of a subject's documents in one call to the store. Withdrawn documents are
    /// missing from the result.
    fn page(
        &self,
        subject: &Subject,
        range: &RegistryRange,
    ) -> impl Future<Output = Result<RegistryPage, StoreError>> + Send;

    /// Returns the grants of a person, expired ones included.
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
    /// Nothing changed, because another document has the number (`fileId`) or the GUID (`objGuid`)
    /// of this record, or because the stored record of the document has another GUID.
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
    /// Adds a record, or replaces an older record of the same document. A withdrawal is final: the
    /// record stays withdrawn. The call can be repeated.
    ///
    /// The record with the later `indexed` is newer. If these times are equal, the record that is
    /// written later is newer. An older record changes nothing, except that its withdrawal takes
    /// effect. The GUID of a document never changes, because a check by GUID must always find the
    /// record.
    fn upsert(
        &self,
        record: &DocumentRecord,
    ) -> impl Future<Output = Result<UpsertResult, StoreError>> + Send;

    /// Withdraws a document and lists the withdrawal for the sweeper ([`RegistryWork`]). Returns
    /// the record of the document; `None` if the document is unknown. The call can be repeated; the
    /// time of the first withdrawal stays.
    ///
    /// From the response on, no read of the registry returns the document as available.
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

/// Withdrawal of a document whose copies still have to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// Id of the document.
    pub id: DocumentId,
    /// GUID, by which the records of the copies are found.
    pub obj_guid: ObjectGuid,
    /// Time of the withdrawal.
    pub withdrawn_at: Timestamp,
    /// Operator or system that withdrew the document; `None` if it is not known.
    pub withdrawn_by: Option<String>,
    /// Subject of the document; `None` for withdrawals of older versions.
    pub subject: Option<Subject>,
    /// File of the document; `None` for withdrawals of older versions.
    pub file: Option<DeliveredFile>,
    /// Time at which the withdrawal was sent to the audit trail.
    pub audited_at: Option<Timestamp>,
}

/// Withdrawals for the sweeper, which deletes the copies of withdrawn documents.
pub trait RegistryWork: Send + Sync {
    /// Returns at most `limit` withdrawals whose copies still have to be deleted, the oldest first.
    /// The list begins after the withdrawal `after`, or with the oldest withdrawal. Stored items
    /// that cannot be read are missing from the list, so that they do not block the others.
    fn withdrawals(
        &self,
        after: Option<&Withdrawal>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Withdrawal>, StoreError>> + Send;

    /// Records that the withdrawal was sent to the audit trail at `at`. Has no effect if the
    /// withdrawal is no longer listed. The call can be repeated; the first time stays.
    fn mark_withdrawal_audited(
        &self,
        withdrawal: &Withdrawal,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes a withdrawal from the list, once all copies are deleted. The call can be repeated.
    fn complete_withdrawal(
        &self,
        withdrawal: &Withdrawal,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

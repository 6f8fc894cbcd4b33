//! Port of the store for the work items of the sweeper, the background repair that runs once a
//! minute.

use std::future::Future;

use docferry_domain::ids::TransferId;
use docferry_domain::transfer::Transfer;
use jiff::{SignedDuration, Timestamp};

use crate::ports::{StoreError, WriteError};

/// Delay before the sweeper first checks a new transfer, so that its execution can start first.
pub const FIRST_CHECK_DELAY: SignedDuration = SignedDuration::from_secs(90);

/// Work item of the sweeper.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkItem {
    /// A transfer, which may be a document of a batch.
    Transfer(TransferId),
    /// A batch.
    Batch(TransferId),
    /// An object of the delivery bucket, by its key, whose retention may be over.
    Artifact(String),
}

/// Index of unfinished work, and the writes that recover or clean up a transfer.
///
/// Every write is conditional and can be repeated, as in [`TransferStore`](super::TransferStore).
pub trait RecoveryStore: Send + Sync {
    /// Returns at most `limit` transfers and batches that the sweeper has to check before `now`,
    /// beginning with the longest due. These have not ended, or are not cleaned up.
    ///
    /// A transfer that is recorded with a slot is first due [`FIRST_CHECK_DELAY`] after its
    /// creation. A transfer that waits for a slot has no execution yet, and is due at its deadline.
    /// The index is eventually consistent: it may lack a transfer, or still list a transfer that is
    /// cleaned up.
    fn unfinished(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<WorkItem>, StoreError>> + Send;

    /// Reschedules a work item to `due`. Does nothing for an item that is cleaned up.
    fn reschedule(
        &self,
        what: &WorkItem,
        due: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Increments the execution number of a transfer, so that a new execution can continue it with
    /// all progress. Fails unless `from` is the current execution number and the transfer has not
    /// ended and is not being ended.
    fn next_execution(
        &self,
        id: &TransferId,
        from: u32,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// Records that the sessions and uploads of an ended transfer are closed. Its document may
    /// still arrive late. Does nothing if `execution_number` is not the current execution.
    fn mark_closed(
        &self,
        id: &TransferId,
        execution_number: u32,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Records that an ended transfer is cleaned up. The transfer leaves the index of unfinished
    /// work, and the store may delete it after `purge_at`. Does nothing if `execution_number` is
    /// not the current execution.
    fn mark_cleaned_up(
        &self,
        id: &TransferId,
        execution_number: u32,
        purge_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

//! Port of the store for the work items of the *sweeper*, the background repair that runs once a
//! minute.
//!
//! A *work item* is a transfer, batch or artifact that the sweeper has to check when it is *due*.
//! The life of a transfer as a work item:
//!
//! 1. The transfer is created, and becomes a work item.
//! 2. The transfer ends.
//! 3. The transfer is *closed*: it has no open upload session and no open multipart upload. Its
//!    owner may now retry it. A copy of the document may still arrive in the exchange bucket.
//! 4. The transfer is *cleaned up*: no copy can arrive any more. It is no longer a work item.

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
    /// An artifact: an object of the delivery bucket, by its key. Its retention may be over.
    Artifact(String),
}

/// Index of unfinished work, and the writes that recover or clean up a transfer.
///
/// Every write is conditional and can be repeated, as in [`TransferStore`](super::TransferStore).
pub trait RecoveryStore: Send + Sync {
    /// Returns at most `limit` transfers and batches that are due before `now`. The item that is
    /// due for the longest time comes first.
    ///
    /// A transfer that is created with a slot is first due after [`FIRST_CHECK_DELAY`]. A transfer
    /// that waits for a slot has no execution yet, so it is due at its deadline.
    ///
    /// The index is eventually consistent: an item may be missing, or may already be cleaned up.
    fn unfinished(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<WorkItem>, StoreError>> + Send;

    /// Reschedules the check of a work item to `due`. Does nothing if the item is cleaned up.
    fn reschedule(
        &self,
        item: &WorkItem,
        due: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Increments the execution number of a transfer, so that a new execution can continue the
    /// transfer. The progress of the transfer stays.
    ///
    /// Fails if `from` is not the current execution number, or if the transfer has ended or is
    /// being ended.
    fn next_execution(
        &self,
        id: &TransferId,
        from: u32,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// Records that an ended transfer is closed. Does nothing if `execution_number` is not the
    /// current execution.
    fn mark_closed(
        &self,
        id: &TransferId,
        execution_number: u32,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Records that an ended transfer is cleaned up, and removes it from the index. The store may
    /// delete the transfer after `purge_at`. Does nothing if `execution_number` is not the current
    /// execution.
    fn mark_cleaned_up(
        &self,
        id: &TransferId,
        execution_number: u32,
        purge_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

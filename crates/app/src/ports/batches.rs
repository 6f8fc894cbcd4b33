//! Port of batches. A *batch* is a job that delivers many documents, each of which is a transfer.
//!
//! The life of a batch:
//!
//! 1. A request records the batch and then its documents, page by page.
//! 2. The batch is *committed*: all of its documents are recorded, and they may run. A batch that
//!    is not committed is *abandoned* if its process dies.
//! 3. Each document ends, and the batch counts it.
//! 4. The batch ends after its last document.
//! 5. The owner may retry the batch. The retry is another *run*; `retries` is the number of runs
//!    after the first one.
//!
//! The *sweeper* is the background repair that runs every minute. It checks a batch when the batch
//! is *due*.

use std::future::Future;

use docferry_domain::document::DocumentName;
use docferry_domain::ids::TransferId;
use docferry_domain::job::{Batch, BatchCounts, IdempotencyRecord};
use docferry_domain::transfer::{Outcome, Transfer};
use jiff::Timestamp;

use super::{CreateResult, StoreError};

/// Batches and their documents. Each document is also a transfer in
/// [`TransferStore`](super::TransferStore).
///
/// The transaction that ends a document also updates the counts of its batch. The batch therefore
/// counts each document once.
pub trait BatchStore: Send + Sync {
    /// Adds a new batch that is not committed yet, and the idempotency record of its `request`. The
    /// call can be repeated.
    fn record_batch(
        &self,
        batch: &Batch,
        request: Option<&IdempotencyRecord>,
    ) -> impl Future<Output = Result<CreateResult, StoreError>> + Send;

    /// Adds a new batch, as [`BatchStore::record_batch`] does, for a request without an idempotency
    /// key.
    fn create_batch(&self, batch: &Batch) -> impl Future<Output = Result<(), StoreError>> + Send {
        async move { self.record_batch(batch, None).await.map(drop) }
    }

    /// Adds documents of a batch. They hold no slot, the right to move bytes, and are not queued
    /// yet. Does nothing for documents that exist already.
    ///
    /// The store may delete a document after `purge_at` if it is never started.
    fn add_documents(
        &self,
        documents: &[Transfer],
        purge_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Commits the batch. Call this after all of its documents are recorded. Does nothing for a
    /// batch that has ended.
    fn commit_batch(&self, id: &TransferId) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns the batch and its counts; `None` when the batch does not exist.
    fn batch(
        &self,
        id: &TransferId,
    ) -> impl Future<Output = Result<Option<(Batch, BatchCounts)>, StoreError>> + Send;

    /// Returns the batch, its counts, and at most `limit` of its documents, ordered by number.
    /// Reads all of them in one paged query.
    fn batch_with_documents(
        &self,
        id: &TransferId,
        limit: usize,
    ) -> impl Future<Output = Result<Option<(Batch, BatchCounts, Vec<Transfer>)>, StoreError>> + Send;

    /// Returns at most `limit` documents of a batch, ordered by number, starting at number `from`.
    fn documents(
        &self,
        id: &TransferId,
        from: u16,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Transfer>, StoreError>> + Send;

    /// Reserves a file name for a document of a batch. Returns `false` if another document of the
    /// batch has reserved the name. Names that differ only in case are equal.
    ///
    /// The call can be repeated. The store may delete the reservation after `purge_at`.
    fn claim_name(
        &self,
        document: &TransferId,
        name: &DocumentName,
        purge_at: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Records a cancel request of the batch's owner. The sweeper checks the batch at `due`.
    ///
    /// Returns the batch. Returns `None` if the batch does not exist, has ended, or belongs to
    /// another owner.
    fn cancel_batch(
        &self,
        id: &TransferId,
        owner: &str,
        due: Timestamp,
    ) -> impl Future<Output = Result<Option<Batch>, StoreError>> + Send;

    /// Records that cancellation was requested for all documents that had not ended.
    ///
    /// Does nothing if the batch has begun another run, which means that its number of `retries`
    /// differs.
    fn documents_stopped(
        &self,
        id: &TransferId,
        retries: u32,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends the batch with this `outcome`. Also records how many documents were not delivered,
    /// according to `counts`; the webhook notification contains this number.
    ///
    /// Does nothing if the batch has ended, is restarting its documents, or has begun another run
    /// since the caller `read` it. The store may delete the batch after `purge_at`.
    fn end_batch(
        &self,
        read: &Batch,
        counts: &BatchCounts,
        outcome: Outcome,
        ended_at: Timestamp,
        purge_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

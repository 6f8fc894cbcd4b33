//! Port of batches. A *batch* is a job that delivers many documents. A batch is *committed* once
//! all of its documents are recorded; until then it can be abandoned.

use std::future::Future;

use docferry_domain::document::DocumentName;
use docferry_domain::ids::TransferId;
use docferry_domain::job::{Batch, BatchCounts, IdempotencyRecord};
use docferry_domain::transfer::{Outcome, Transfer};
use jiff::Timestamp;

use super::{CreateResult, StoreError};

/// Batches and their documents, each of which is also a transfer in
/// [`TransferStore`](super::TransferStore).
///
/// The transaction that ends a document also updates the counts of its batch, so each document is
/// counted once.
pub trait BatchStore: Send + Sync {
    /// Adds a new batch that is not committed yet. The call can be repeated.
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

    /// Adds documents of a batch, which hold no slot and are not queued yet. Does not change
    /// documents that exist already. The store may delete documents after `purge_at` if they are
    /// never started.
    fn add_documents(
        &self,
        documents: &[Transfer],
        purge_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Commits the batch, once all of its documents are recorded. Does nothing for a batch that
    /// has ended.
    fn commit_batch(&self, id: &TransferId) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns the batch and its counts; `None` when the batch does not exist.
    fn batch(
        &self,
        id: &TransferId,
    ) -> impl Future<Output = Result<Option<(Batch, BatchCounts)>, StoreError>> + Send;

    /// Returns the batch and its counts with at most `limit` documents, ordered by number, in
    /// one paged query.
    fn batch_with_documents(
        &self,
        id: &TransferId,
        limit: usize,
    ) -> impl Future<Output = Result<Option<(Batch, BatchCounts, Vec<Transfer>)>, StoreError>> + Send;

    /// Returns at most `limit` documents, ordered by number, starting at number `from`.
    fn documents(
        &self,
        id: &TransferId,
        from: u16,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Transfer>, StoreError>> + Send;

    /// Reserves a file name for a document of a batch. Returns `false` when another document of the
    /// batch has the name; names that differ only in case are equal. The call can be repeated. The
    /// store may delete the reservation after `purge_at`.
    fn claim_name(
        &self,
        document: &TransferId,
        name: &DocumentName,
        purge_at: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Records a cancel request of the batch's owner. The sweeper checks the batch at `due`.
    /// Returns the batch, or `None` when the owner has no such batch that is active.
    fn cancel_batch(
        &self,
        id: &TransferId,
        owner: &str,
        due: Timestamp,
    ) -> impl Future<Output = Result<Option<Batch>, StoreError>> + Send;

    /// Records that all documents that had not ended were asked to stop. Has no effect if the
    /// batch is in another run than the one with this number of `retries`.
    fn documents_stopped(
        &self,
        id: &TransferId,
        retries: u32,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends the batch, unless it has ended or was restarted since it was `read`. The store may
    /// delete the batch after `purge_at`. The number of documents that were not delivered,
    /// according to `counts`, is recorded and sent with the outcome.
    fn end_batch(
        &self,
        read: &Batch,
        counts: &BatchCounts,
        outcome: Outcome,
        ended_at: Timestamp,
        purge_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

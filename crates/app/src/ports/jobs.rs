//! Ports of jobs: their history, their retries, and the idempotency records of requests.
//!
//! A job is one request of an owner: a single transfer, or a batch of documents. A retry is another
//! *run* of the job. An idempotency record lets a repeated request return the response of the first
//! request.

use std::future::Future;

use docferry_domain::audit::RequestOrigin;
use docferry_domain::ids::TransferId;
use docferry_domain::job::{Batch, IdempotencyRecord, JobState};
use docferry_domain::person::Person;
use docferry_domain::transfer::Transfer;
use jiff::Timestamp;

use super::StoreError;

/// Additional writes in the transaction that records a new transfer.
#[derive(Debug, Clone, Copy, Default)]
pub struct CreateOptions<'a> {
    /// The request's idempotency record, if the caller sent a key.
    pub request: Option<&'a IdempotencyRecord>,
    /// Version of the pool's slots, as the scheduler read them. The transfer gets a slot if the
    /// slots still have this version. `None` puts the transfer into the queue.
    pub slot: Option<u64>,
}

/// Data of another run of a batch.
#[derive(Debug, Clone)]
pub struct BatchRetry {
    /// End of the retention of the batch and its deliveries.
    pub retain_until: Timestamp,
    /// Deadline of the documents.
    pub deadline: Timestamp,
    /// Time at which the sweeper checks the batch.
    pub due: Timestamp,
    /// Circumstances of the request, for the audit trail.
    pub origin: Option<RequestOrigin>,
}

/// Result of recording a new transfer or batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateResult {
    /// The record was written.
    Done,
    /// The slots have changed since the caller read them; nothing was recorded.
    SlotsChanged,
    /// An unexpired idempotency record with the same key exists; nothing was recorded.
    AlreadyExists(IdempotencyRecord),
}

/// A job in its owner's history.
#[derive(Debug, Clone)]
pub enum HistoryEntry {
    /// A job of one document.
    One(Box<Transfer>),
    /// A job of many documents.
    Many(Box<Batch>),
}

impl HistoryEntry {
    /// Returns the job's position in the history.
    #[must_use]
    pub fn place(&self) -> JobPosition {
        let (created_at, id) = match self {
            Self::One(transfer) => (transfer.created_at, &transfer.transfer_id),
            Self::Many(batch) => (batch.created_at, &batch.batch_id),
        };
        JobPosition { created_ms: created_at.as_millisecond(), id: id.clone() }
    }

    /// Returns the job's state as shown to its owner.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> JobState {
        match self {
            Self::One(transfer) => JobState::of(transfer.phase, transfer.spec.retain_until, now),
            Self::Many(batch) => JobState::of(batch.phase, batch.spec.retain_until, now),
        }
    }

    /// Returns the time at which the job ended, with any outcome.
    #[must_use]
    pub const fn ended_at(&self) -> Option<Timestamp> {
        match self {
            Self::One(transfer) => transfer.ended_at,
            Self::Many(batch) => batch.ended_at,
        }
    }

    /// Returns the person on whose behalf the job was requested, if that is not the owner.
    #[must_use]
    pub const fn person(&self) -> Option<&Person> {
        match self {
            Self::One(transfer) => transfer.spec.on_behalf_of.as_ref(),
            Self::Many(batch) => batch.spec.on_behalf_of.as_ref(),
        }
    }
}

/// A position in an owner's history, which is ordered by time and then by id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobPosition {
    /// Creation time of the job, in milliseconds since 1970.
    pub created_ms: i64,
    /// Id of the job.
    pub id: TransferId,
}

/// History of the jobs of each owner. The history includes transfers that were requested through
/// the HTTP API of the court viewer. It does not list the documents of a batch separately.
pub trait History: Send + Sync {
    /// Returns at most `limit` jobs of `owner` that are older than `before`, newest first. Also
    /// returns the position at which to continue; `None` at the end.
    ///
    /// Very recent jobs may be missing, because the index is eventually consistent. Jobs whose
    /// records were deleted are missing.
    fn jobs(
        &self,
        owner: &str,
        before: Option<&JobPosition>,
        limit: usize,
    ) -> impl Future<Output = Result<(Vec<HistoryEntry>, Option<JobPosition>), StoreError>> + Send;
}

/// Retries of jobs, and idempotency records.
///
/// Every write is conditional and can be repeated.
pub trait JobStore: Send + Sync {
    /// Starts another run of a transfer that has ended and is cleaned up; `restarted` is its new
    /// record. A transfer outside a batch is put into the queue. A document of a batch is no longer
    /// counted as ended in its batch, and is not queued. The sweeper checks the transfer at `due`.
    ///
    /// `read` is the record that the caller has read. Returns `false` when the transfer has changed
    /// since then, when it is not cleaned up, or when its batch is not resuming its documents in
    /// that run.
    fn restart_transfer(
        &self,
        read: &Transfer,
        restarted: &Transfer,
        due: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Starts another run of a batch that has ended, and sets [`Batch::resuming`]. Returns `false`
    /// when the batch has changed since it was `read`.
    fn resume_batch(
        &self,
        read: &Batch,
        retry: &BatchRetry,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Records that all documents of the batch that have to run again were restarted. Has no
    /// effect if the batch is in another run than the one with this number of `retries`.
    fn mark_documents_resumed(
        &self,
        id: &TransferId,
        retries: u32,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Extends the retention of an ended transfer's delivery to `retain_until`. The store may
    /// delete the record of the transfer after `purge_at`, not before.
    fn extend_retention(
        &self,
        id: &TransferId,
        retain_until: Timestamp,
        purge_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns the unexpired idempotency record with this key, if any.
    fn request(
        &self,
        key: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<IdempotencyRecord>, StoreError>> + Send;

    /// Deletes the idempotency record of a job that was never accepted, or that is not to be
    /// returned again, unless the stored record names another job.
    fn delete_idempotency_record(
        &self,
        request: &IdempotencyRecord,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

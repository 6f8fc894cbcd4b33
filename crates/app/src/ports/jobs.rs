//! Ports of jobs: their history, their retries, and the idempotency records of requests.
//!
//! A *job* is one request of an owner: a single transfer, or a batch of documents. The life of a
//! job:
//!
//! 1. A request records the job. If the request has an idempotency key, the store also records
//!    which job the request has created. A repeated request then returns the same job.
//! 2. A transfer waits in a queue for a *slot*, the right to move bytes, and then runs.
//! 3. The job ends and is cleaned up.
//! 4. The owner may retry the job. The retry is another *run* of the same job; `retries` is the
//!    number of runs after the first one.
//!
//! The *sweeper* is the background repair that runs every minute. It checks a job when the job is
//! *due*.

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
    /// Version of the slots, as the caller read it. With a version, the new transfer gets a slot at
    /// once; if another transfer was granted a slot since then, the call returns
    /// [`CreateResult::SlotsChanged`]. With `None`, the new transfer joins the queue.
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
    /// Another transfer was granted a slot since the caller read the slots. Nothing was recorded.
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

/// History of the jobs of each owner. The history includes transfers that the courts' viewer (SCV)
/// requested. It lists a batch as one job, without its documents.
pub trait History: Send + Sync {
    /// Returns at most `limit` jobs of `owner`, newest first. With `before`, the list contains only
    /// older jobs. Also returns the position at which the next call continues; `None` at the end.
    ///
    /// Very recent jobs may be missing, because the index is eventually consistent. Jobs with
    /// deleted records are missing.
    fn jobs(
        &self,
        owner: &str,
        before: Option<&JobPosition>,
        limit: usize,
    ) -> impl Future<Output = Result<(Vec<HistoryEntry>, Option<JobPosition>), StoreError>> + Send;
}

/// Retries of jobs, and idempotency records.
///
/// Every write checks a condition and can be repeated.
pub trait JobStore: Send + Sync {
    /// Starts another run of an ended transfer, and replaces its record with `restarted`. The
    /// sweeper checks the transfer at `due`.
    ///
    /// - A transfer outside a batch joins the queue for a slot.
    /// - A document of a batch does not join the queue yet. Its batch subtracts the document from
    ///   the number of ended documents.
    ///
    /// Returns `false` and changes nothing in these cases:
    ///
    /// - The transfer has changed since the caller `read` it.
    /// - The uploads of the last run are not closed yet ([`Transfer::closed`]).
    /// - The batch is not restarting its documents ([`Batch::resuming`]), or is in another run.
    fn restart_transfer(
        &self,
        read: &Transfer,
        restarted: &Transfer,
        due: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Starts another run of a batch that has ended, and sets [`Batch::resuming`]. While this flag
    /// is set, the caller and the sweeper restart the documents.
    ///
    /// Returns `false` and changes nothing if the batch has changed since the caller `read` it.
    fn resume_batch(
        &self,
        read: &Batch,
        retry: &BatchRetry,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Clears [`Batch::resuming`]. Call this after all documents that must run again were
    /// restarted.
    ///
    /// Does nothing if the batch has begun another run, which means that its number of `retries`
    /// differs.
    fn mark_documents_resumed(
        &self,
        id: &TransferId,
        retries: u32,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Extends the retention of an ended transfer's delivery to `retain_until`. The store retains
    /// the record of the transfer until `purge_at`.
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

    /// Deletes an idempotency record, so that its key can create another job. Callers delete the
    /// record of a job that was never accepted, or that a new job replaces.
    ///
    /// Does nothing if the stored record with this key names another job.
    fn delete_idempotency_record(
        &self,
        request: &IdempotencyRecord,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

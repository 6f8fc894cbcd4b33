//! Port of the store for transfer records. A transfer delivers one document.
//!
//! An *execution* is one run of the workflow for a transfer; `execution_number` counts them. The
//! *epoch* counts the invocations of the steps `upload` and `publish`.

use std::future::Future;

use docferry_domain::document::Artifact;
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::transfer::{
    ArrivedObject, Outcome, PushedSource, Step, Transfer, TransientError,
};
use jiff::Timestamp;

use crate::ports::{CreateOptions, CreateResult, StoreError, WriteError};

/// Transfer records, from creation to the terminal phase.
///
/// Every write is conditional and can be repeated. `execution_number` guards against writes of an
/// older execution. `epoch` guards against writes of an older invocation. A transfer that has ended
/// is not changed any more ([`WriteError::Ended`]).
///
/// Reads are strongly consistent: they see every write that was acknowledged before.
pub trait TransferStore: Send + Sync {
    /// Adds a new transfer, together with its [`CreateOptions`], in one transaction. The call can
    /// be repeated.
    fn create_with(
        &self,
        transfer: &Transfer,
        options: CreateOptions<'_>,
    ) -> impl Future<Output = Result<CreateResult, StoreError>> + Send;

    /// Adds a new transfer and puts it into the queue for a slot. The call can be repeated.
    fn create(&self, transfer: &Transfer) -> impl Future<Output = Result<(), StoreError>> + Send {
        async move { self.create_with(transfer, CreateOptions::default()).await.map(drop) }
    }

    /// Returns the transfer with this id, if it exists.
    fn get(
        &self,
        id: &TransferId,
    ) -> impl Future<Output = Result<Option<Transfer>, StoreError>> + Send;

    /// Begins a push: sets `started_at` unless it is set, moves `Accepted` to `Pushing`, and
    /// counts the push. A repeated push ([`Transfer::push_again`]) is counted as well. Later phases
    /// are not changed. Returns the updated record.
    fn begin_push(
        &self,
        id: &TransferId,
        execution_number: u32,
        now: Timestamp,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// Records an artifact that is already in the delivery bucket as the delivery, and moves to
    /// `Uploading`. The push that was counted is subtracted again, because it was not made. The
    /// call can be repeated.
    fn record_reuse(
        &self,
        id: &TransferId,
        execution_number: u32,
        source: &PushedSource,
        artifact: &Artifact,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Records the arrival and moves to `Uploading`, unless an object is recorded already or
    /// another push is due.
    fn record_arrival(
        &self,
        id: &TransferId,
        execution_number: u32,
        object: &ArrivedObject,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Removes the accepted object and the progress of the upload from the record, because the
    /// object is lost or may be another document. The workflow then polls for the arrival again,
    /// after another push if `push_again`. `epoch` is that of the record as read.
    fn discard_object(
        &self,
        id: &TransferId,
        epoch: u64,
        push_again: bool,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Counts a failed try of a step that will be retried, and records its error.
    fn record_failed_try(
        &self,
        id: &TransferId,
        execution_number: u32,
        step: Step,
        error: &TransientError,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Records a cancel request of the owner. The next step or checkpoint notices it, and the
    /// transfer becomes due for the sweeper. Returns the record. Returns `None` when the owner has
    /// no such active transfer, or when the number of its run ([`Transfer::retries`]) is greater
    /// than `last_run`.
    fn request_cancel(
        &self,
        id: &TransferId,
        owner: &str,
        last_run: u32,
    ) -> impl Future<Output = Result<Option<Transfer>, StoreError>> + Send;

    /// Records the reason why the transfer is about to end, unless a reason is recorded already.
    /// From then on, claims, new sessions and new executions are rejected, but a delivery may
    /// still be recorded. Returns the record.
    fn begin_ending(
        &self,
        id: &TransferId,
        execution_number: u32,
        reason: FailureCode,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// Ends the transfer, unless it has ended. This is the only way into a terminal phase. The same
    /// transaction frees its slot or queue entry, writes an
    /// [`OutcomeRecord`](docferry_domain::transfer::OutcomeRecord) to the outbox, and counts a
    /// document of a batch.
    ///
    /// `read` is the record on which the decision was based. Nothing changes if its execution,
    /// phase or slot state has changed since then, or if a delivery was recorded and `outcome` is
    /// not a delivery. Returns the current record. If its phase is not terminal, decide the outcome
    /// again from this record.
    fn finish(
        &self,
        read: &Transfer,
        outcome: Outcome,
        ended_at: Timestamp,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;
}

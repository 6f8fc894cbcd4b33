//! Port of the store for transfer records. A transfer delivers one document.
//!
//! | term | meaning |
//! |---|---|
//! | execution | one run of the workflow for a transfer; `execution_number` counts the executions |
//! | epoch | the number of invocations of the steps `upload` and `publish` |
//! | phase | `Accepted`, `Pushing`, `AwaitingArrival`, `Uploading`, then a terminal phase |
//! | push | the request to the document source to write the document to the exchange bucket |
//! | arrival | the pushed object is in the exchange bucket and accepted as the document |
//! | slot | the right to move bytes, for which transfers wait in a queue |
//! | sweeper | the background repair, which checks a transfer when the transfer is *due* |

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
/// Every write checks a condition and can be repeated. A write with an outdated `execution_number`
/// or `epoch` fails, so an older execution or invocation cannot write any more. A write to an ended
/// transfer fails with [`WriteError::Ended`].
///
/// Reads are strongly consistent: they see every write that was acknowledged before.
pub trait TransferStore: Send + Sync {
    /// Adds a new transfer and the additional writes of `options`, in one transaction. The call can
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

    /// Begins a push and returns the updated record.
    ///
    /// - Sets `started_at` if it is not set.
    /// - Moves the phase `Accepted` to `Pushing`. Later phases stay.
    /// - Counts the push, also if it is a repeated push ([`Transfer::push_again`]).
    fn begin_push(
        &self,
        id: &TransferId,
        execution_number: u32,
        now: Timestamp,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// Records the reuse of an artifact: an object that is already in the delivery bucket becomes
    /// the delivery of this transfer. Moves to `Uploading`. The call can be repeated.
    ///
    /// [`TransferStore::begin_push`] has counted a push that was not made, so this call subtracts
    /// it.
    fn record_reuse(
        &self,
        id: &TransferId,
        execution_number: u32,
        source: &PushedSource,
        artifact: &Artifact,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Records the arrival of `object` and moves to `Uploading`. Does nothing if an object is
    /// already recorded, or if the document has to be pushed again.
    fn record_arrival(
        &self,
        id: &TransferId,
        execution_number: u32,
        object: &ArrivedObject,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Removes the arrived object and the progress of the upload from the record, because the
    /// object is lost or may be another document. `epoch` is the epoch that the caller read.
    ///
    /// The workflow then waits for another arrival. With `push_again`, it pushes the document
    /// again before that.
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

    /// Records a cancel request of the owner, and returns the record. The next step or checkpoint
    /// of the transfer notices the request. The transfer also becomes due for the sweeper.
    ///
    /// Returns `None` and changes nothing in these cases:
    ///
    /// - The transfer does not exist, has ended, or belongs to another owner.
    /// - The transfer has begun a later run: [`Transfer::retries`] is greater than `last_run`.
    fn request_cancel(
        &self,
        id: &TransferId,
        owner: &str,
        last_run: u32,
    ) -> impl Future<Output = Result<Option<Transfer>, StoreError>> + Send;

    /// Begins the end of the transfer: records the `reason`, unless a reason is already recorded.
    /// Returns the record.
    ///
    /// After this call, the store rejects new invocations, upload sessions and executions of the
    /// transfer. It still accepts a delivery.
    fn begin_ending(
        &self,
        id: &TransferId,
        execution_number: u32,
        reason: FailureCode,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// Ends the transfer with this `outcome`. This is the only way into a terminal phase. The same
    /// transaction frees the slot or queue entry, writes an
    /// [`OutcomeRecord`](docferry_domain::transfer::OutcomeRecord) to the outbox, and counts the
    /// document in its batch.
    ///
    /// `read` is the record from which the caller has decided the outcome. The call does nothing in
    /// these cases:
    ///
    /// - The execution, phase or slot state has changed since then.
    /// - A delivery is recorded, and `outcome` is not a delivery.
    ///
    /// Returns the current record. If its phase is not terminal, the caller decides the outcome
    /// again from this record.
    fn finish(
        &self,
        read: &Transfer,
        outcome: Outcome,
        ended_at: Timestamp,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;
}

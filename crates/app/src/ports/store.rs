//! Store of transfer records, upload sessions and references to exchange keys.

use std::future::Future;

use docferry_domain::document::Artifact;
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::{ObjectGuid, TransferId};
use docferry_domain::transfer::{
    ArrivedObject, Delivery, ExchangeKey, LateArrivalKey, Outcome, OutstandingPush, PushedSource,
    Step, Transfer, TransientError,
};
use docferry_domain::upload::Checkpoint;
use jiff::{SignedDuration, Timestamp};

use super::{CreateResult, Entry, StoreError, WriteError};

/// Delay before the sweeper first checks a new transfer: its execution is just starting.
pub const FIRST_CHECK_DELAY: SignedDuration = SignedDuration::from_secs(90);

/// Result of writing a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointAck {
    /// Whether the upload has to stop: a cancel was requested, or the transfer is being ended.
    pub stop: bool,
}

/// An encrypted upload URL, bound to its transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSession {
    /// The ciphertext.
    pub sealed_url: Vec<u8>,
    /// When the drive drops the session, if it said so.
    pub expires_at: Option<Timestamp>,
}

/// A stored session and the invocation that stored it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// The sealed URL.
    pub session: SealedSession,
    /// Epoch of the invocation that opened it.
    pub epoch: u64,
}

/// Result of recording a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum PushRecord {
    /// Recorded; the transfer uses the key.
    Recorded,
    /// The last user of the key is deleting its object, or finished doing so at or after
    /// the push was requested: push again, because the object may have been deleted.
    Releasing,
    /// Transfers of another document use the key. The push is recorded as outstanding at the
    /// key, and the transfer records that its object may still arrive under the key. Push again
    /// once the key is free.
    HeldByAnother,
}

/// Result of releasing a reference to an exchange key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Other transfers still refer to the key: keep the object.
    StillReferenced,
    /// It was the last reference: delete the object, then call
    /// [`TransferStore::mark_released`]. New pushes of the key wait until then.
    Last,
}

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

/// Transfer records, and the references of transfers to exchange keys.
///
/// Every write is conditional and can be repeated. `attempt` (the number of the execution)
/// guards against writes of an older execution, `epoch` against writes of an older invocation
/// of `upload`. A transfer that has ended is not changed any more ([`WriteError::Ended`]).
/// Reads are strongly consistent: they see every write that was acknowledged before.
pub trait TransferStore: Send + Sync {
    /// Adds a new transfer, together with its [`Entry`], in one transaction. The call can be
    /// repeated.
    fn enter(
        &self,
        transfer: &Transfer,
        entry: Entry<'_>,
    ) -> impl Future<Output = Result<CreateResult, StoreError>> + Send;

    /// Adds a new transfer and puts it into the queue for a slot. The call can be repeated.
    fn create(&self, transfer: &Transfer) -> impl Future<Output = Result<(), StoreError>> + Send {
        async move { self.enter(transfer, Entry::default()).await.map(drop) }
    }

    /// Returns the transfer, or `None`.
    fn get(
        &self,
        id: &TransferId,
    ) -> impl Future<Output = Result<Option<Transfer>, StoreError>> + Send;

    /// Begins a push: sets `started_at` unless it is set, moves `Accepted` to `Pushing`, and
    /// counts the push that is about to be made, also one that is made again
    /// ([`Transfer::push_again`]). Later phases are not changed. Returns the updated record.
    fn begin_push(
        &self,
        id: &TransferId,
        attempt: u32,
        now: Timestamp,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// Records a push, moves to `AwaitingArrival`, and registers the transfer as a user of the
    /// exchange key, in one transaction.
    ///
    /// A push that is repeated after the object had arrived changes nothing and succeeds,
    /// unless the record says [`Transfer::push_again`], which it then clears.
    ///
    /// `push` is outstanding at the key until [`TransferStore::remove_outstanding_push`], also when transfers
    /// of another document use the key. If the transfer used another key before, its record
    /// retains that key, because an object may still arrive under it.
    fn record_push(
        &self,
        id: &TransferId,
        attempt: u32,
        push: &OutstandingPush,
        source: &PushedSource,
    ) -> impl Future<Output = Result<PushRecord, WriteError>> + Send;

    /// Registers the transfer as a user of a key that an earlier push named, before the
    /// document is pushed again. Returns `false` while transfers of another document use the
    /// key or its object is being deleted. The call can be repeated.
    fn acquire_key(
        &self,
        id: &TransferId,
        attempt: u32,
        document: &ObjectGuid,
        key: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, WriteError>> + Send;

    /// Records a key under which an object of this transfer may still arrive. The call can be
    /// repeated.
    fn record_owed_key(
        &self,
        id: &TransferId,
        attempt: u32,
        owed: &LateArrivalKey,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Returns the state of an exchange key. An unknown key is free and has no outstanding
    /// pushes.
    fn exchange_key(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<ExchangeKey, StoreError>> + Send;

    /// Removes a push from the outstanding ones, because its object was seen and identified.
    fn remove_outstanding_push(
        &self,
        key: &str,
        push: &OutstandingPush,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Announces a push before the source is called, because the exchange key is unknown until
    /// the source has answered. Returns the stored announcement. If an earlier try left an
    /// announcement (that try may have pushed), its `requested_at` is retained, and its
    /// `pushed_at` as well while it is younger than
    /// [`UNNAMED_PUSH_TIMEOUT`](docferry_domain::transfer::UNNAMED_PUSH_TIMEOUT).
    fn announce_push(
        &self,
        id: &TransferId,
        push: &OutstandingPush,
    ) -> impl Future<Output = Result<OutstandingPush, StoreError>> + Send;

    /// Withdraws the announcement of a push, once its key is recorded.
    fn withdraw_announcement(
        &self,
        id: &TransferId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns pushes that were announced and whose keys are not known yet. They may include
    /// those of transfers that died.
    fn pushes_in_flight(
        &self,
    ) -> impl Future<Output = Result<Vec<OutstandingPush>, StoreError>> + Send;

    /// Forgets the accepted object and the progress of the upload, because the object is lost
    /// or may be another document. The arrival is then polled for again, after another push if
    /// `push_again`. `epoch` is that of the record as read.
    fn discard_object(
        &self,
        id: &TransferId,
        epoch: u64,
        push_again: bool,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Records an artifact that is already in the delivery bucket as the delivery, and moves to
    /// `Uploading`. The push that was counted is subtracted again, because it was not made. The
    /// call can be repeated.
    fn record_reuse(
        &self,
        id: &TransferId,
        attempt: u32,
        source: &PushedSource,
        artifact: &Artifact,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Records the arrival and moves to `Uploading`, unless an object is recorded already or
    /// another push is due.
    fn record_arrival(
        &self,
        id: &TransferId,
        attempt: u32,
        object: &ArrivedObject,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Takes over the upload: increments the epoch and returns the record with the new epoch.
    /// Older invocations fail at their next write. Fails with [`WriteError::Ended`] while the
    /// transfer is being ended.
    fn claim(
        &self,
        id: &TransferId,
        attempt: u32,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// Returns the stored session, if any.
    fn session(
        &self,
        id: &TransferId,
    ) -> impl Future<Output = Result<Option<SessionRecord>, StoreError>> + Send;

    /// Stores the session of the invocation that holds `epoch`, replacing an earlier one. If
    /// the write fails, the caller must delete the session that it opened. Fails while the
    /// transfer is being ended.
    fn put_session(
        &self,
        id: &TransferId,
        epoch: u64,
        session: &SealedSession,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Deletes the record of the session stored at `epoch`; a newer one stays.
    fn delete_session_record(
        &self,
        id: &TransferId,
        epoch: u64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Replaces the accepted object after it was written again; reads continue with its new
    /// tag.
    fn replace_object(
        &self,
        id: &TransferId,
        epoch: u64,
        object: &ArrivedObject,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Stores the checkpoint. `bytes_done` never decreases by it.
    fn checkpoint(
        &self,
        id: &TransferId,
        epoch: u64,
        checkpoint: &Checkpoint,
    ) -> impl Future<Output = Result<CheckpointAck, WriteError>> + Send;

    /// Records that the drive asked for a pause until `resume_at`.
    fn pause_until(
        &self,
        id: &TransferId,
        epoch: u64,
        resume_at: Timestamp,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Records the verified delivery. In the same transaction, an artifact of the delivery
    /// bucket is offered for reuse. An artifact that is being removed cannot be delivered
    /// ([`StoreError::Unavailable`]).
    fn record_delivery(
        &self,
        id: &TransferId,
        epoch: u64,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Counts a failed try of a step that will be retried, and records its error.
    fn record_failed_try(
        &self,
        id: &TransferId,
        attempt: u32,
        step: Step,
        error: &TransientError,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Records a cancel request of the owner. The next step or checkpoint notices it, and the
    /// transfer becomes due for the sweeper. Returns the record, or `None` when the owner has
    /// no such transfer that is active, or when it is in a later run than `last_run`
    /// ([`Transfer::retries`]).
    fn request_cancel(
        &self,
        id: &TransferId,
        owner: &str,
        last_run: u32,
    ) -> impl Future<Output = Result<Option<Transfer>, StoreError>> + Send;

    /// Records why the transfer is about to end, unless that is recorded already. From then on
    /// nothing new begins (no claim, no session, no next execution), but a delivery may still
    /// be recorded. Returns the record.
    fn begin_ending(
        &self,
        id: &TransferId,
        attempt: u32,
        reason: FailureCode,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// Ends the transfer, unless it has ended. This is the only way into a terminal phase. The
    /// same transaction frees its slot or queue entry, writes an
    /// [`OutcomeRecord`](docferry_domain::transfer::OutcomeRecord) to the outbox, and counts a document
    /// of a batch.
    ///
    /// `read` is the record on which the decision was based. Nothing changes if its execution,
    /// phase or slot state has changed since, or if a delivery was recorded and `outcome` does
    /// not say so. Returns the current record; if it is not terminal, decide again.
    fn finish(
        &self,
        read: &Transfer,
        outcome: Outcome,
        ended_at: Timestamp,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// Records that everything an ended transfer had open is closed; its document may still
    /// arrive late. Does nothing if `attempt` is not the current execution.
    fn mark_settled(
        &self,
        id: &TransferId,
        attempt: u32,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Records that nothing of an ended transfer is left to clean up: it is settled, leaves the
    /// index of unfinished work, and the store may delete it after `purge_at`, not before. Does
    /// nothing if `attempt` is not the current execution.
    fn mark_cleaned_up(
        &self,
        id: &TransferId,
        attempt: u32,
        purge_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns at most `limit` transfers and batches that are due for the sweeper before `now`,
    /// longest due first: those that have not ended, and those that may have left something
    /// behind. A transfer that is recorded with a slot is first due [`FIRST_CHECK_DELAY`] after its
    /// creation. One that waits for a slot has no execution yet, and is due at its deadline.
    /// The index is eventually consistent: it may lack a transfer, or still list a finished
    /// one.
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

    /// Begins the next execution number of a transfer that has not ended, so that a new
    /// execution can continue it with all progress. Only if `from` is the current one and the
    /// transfer is not being ended.
    fn next_execution(
        &self,
        id: &TransferId,
        from: u32,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// Removes the transfer from the users of an exchange key. `until` bounds how long others
    /// wait for the deletion if the caller dies before it completes. After [`Release::Last`],
    /// repeating the call returns `Last` once more until [`TransferStore::mark_released`].
    /// The two callers then share the lease, which only `until` ends: they may be two
    /// processes, and neither knows when the other has deleted the object. After that, and for a transfer that never registered the key or is in another execution than
    /// `attempt`, it returns `StillReferenced`.
    fn release_key(
        &self,
        id: &TransferId,
        attempt: u32,
        key: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Release, StoreError>> + Send;

    /// Claims an unreferenced key in order to delete an object that arrived late. Returns
    /// `false` when a transfer uses the key or is deleting its object. As after
    /// [`Release::Last`], new pushes wait until [`TransferStore::mark_released`].
    fn acquire_unused_key(
        &self,
        id: &TransferId,
        key: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Records that the object of the key was deleted before `released_at`, by the exchange
    /// store's clock.
    fn mark_released(
        &self,
        id: &TransferId,
        key: &str,
        released_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

use std::future::Future;

use docferry_domain::{
    ArrivedObject, Checkpoint, Delivery, Outcome, PushedSource, Transfer, TransferId,
};
use jiff::Timestamp;

use super::Cause;

/// Why the store did not read or write.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No answer or throttled; a write may have been applied. All writes here
    /// may be repeated.
    #[error("the state store did not answer")]
    Unavailable(#[source] Cause),
    /// A stored item cannot be read by this version.
    #[error("a stored item cannot be read")]
    Corrupt(#[source] Cause),
}

/// Why a conditional write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The transfer has ended, or a newer attempt has begun: stop quietly.
    #[error("the transfer has ended or a newer attempt has begun")]
    Ended,
    /// A newer invocation holds the upload: stop at once.
    #[error("a newer invocation holds the upload")]
    Superseded,
    /// No such transfer.
    #[error("no such transfer")]
    NotFound,
    /// See [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The answer to a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointAck {
    /// Whether somebody asked to stop meanwhile.
    pub cancel_requested: bool,
}

/// An upload URL as it rests: sealed, bound to its transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSession {
    /// The ciphertext.
    pub sealed_url: Vec<u8>,
    /// When the drive said it would forget the session.
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

/// What releasing a reference led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Other transfers still refer to the key: leave the object.
    StillReferenced,
    /// It was the last one: delete the object, then call
    /// [`TransferStore::mark_released`]. New pushes of the key wait meanwhile.
    Last,
}

/// The records of transfers, and who refers to which exchange key.
///
/// Every write is conditional and may be repeated. `attempt` guards against an
/// execution of an earlier attempt, `epoch` against an older invocation of
/// `upload`; a transfer that has ended changes no more ([`WriteError::Ended`]).
/// Reads are consistent: they see every write that was answered before.
pub trait TransferStore: Send + Sync {
    /// Adds a transfer that does not exist yet. Repeating the same call is fine.
    fn create(&self, transfer: &Transfer) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The transfer, or `None`.
    fn get(
        &self,
        id: &TransferId,
    ) -> impl Future<Output = Result<Option<Transfer>, StoreError>> + Send;

    /// Work begins: sets `started_at` unless set and moves `Accepted` to
    /// `Pushing`. Later phases stay as they are. Returns the record as it is now.
    fn begin_push(
        &self,
        id: &TransferId,
        attempt: u32,
        now: Timestamp,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// Records what was pushed, moves to `AwaitingArrival`, and registers the
    /// transfer as a user of the exchange key, all or nothing.
    ///
    /// A push that is repeated after the object had arrived (phase `Uploading` or
    /// later) changes nothing and succeeds.
    ///
    /// Returns `false`, and records nothing, while somebody who was the last user
    /// of the key is deleting the object, or finished doing so at or after
    /// `source.pushed_at` minus 30 s (clocks of two functions may differ): the
    /// push must be repeated, because its object may have been deleted.
    fn record_push(
        &self,
        id: &TransferId,
        attempt: u32,
        source: &PushedSource,
    ) -> impl Future<Output = Result<bool, WriteError>> + Send;

    /// Records the arrival and moves to `Uploading`; later repeats change nothing.
    fn record_arrival(
        &self,
        id: &TransferId,
        attempt: u32,
        object: &ArrivedObject,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Takes over the upload: increments the epoch and returns the record with
    /// the new epoch. Older invocations fail at their next write.
    fn claim(
        &self,
        id: &TransferId,
        attempt: u32,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// The stored session, if any.
    fn session(
        &self,
        id: &TransferId,
    ) -> impl Future<Output = Result<Option<SessionRecord>, StoreError>> + Send;

    /// Stores the session of the invocation that holds `epoch`, replacing an
    /// earlier one. Who loses this write must delete the session it opened.
    fn put_session(
        &self,
        id: &TransferId,
        epoch: u64,
        session: &SealedSession,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Forgets the session stored at `epoch`; a newer one stays.
    fn drop_session(
        &self,
        id: &TransferId,
        epoch: u64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes the progress durable. `bytes_done` never goes down by it.
    fn checkpoint(
        &self,
        id: &TransferId,
        epoch: u64,
        checkpoint: &Checkpoint,
    ) -> impl Future<Output = Result<CheckpointAck, WriteError>> + Send;

    /// Records that the drive asked for a pause.
    fn pause_until(
        &self,
        id: &TransferId,
        epoch: u64,
        resume_at: Timestamp,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Records the verified delivery.
    fn record_delivery(
        &self,
        id: &TransferId,
        epoch: u64,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Ends the transfer, unless it has ended: the only way into a terminal
    /// phase. Returns the record as it is then. `purge_at` is when the store may
    /// forget it. When `outcome` is not `Completed` but a delivery has been
    /// recorded meanwhile, nothing changes and the record is returned not
    /// terminal: decide again.
    fn finish(
        &self,
        id: &TransferId,
        attempt: u32,
        outcome: Outcome,
        ended_at: Timestamp,
        purge_at: Timestamp,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// Takes the transfer off the users of an exchange key. `until` bounds how
    /// long others wait for the deletion should the caller die in it. Repeating
    /// the call after [`Release::Last`] returns `Last` again until
    /// [`TransferStore::mark_released`]; after that, and for a transfer that never
    /// registered the key, it returns `StillReferenced`.
    fn release_key(
        &self,
        id: &TransferId,
        key: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Release, StoreError>> + Send;

    /// The object of the key is deleted.
    fn mark_released(
        &self,
        id: &TransferId,
        key: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

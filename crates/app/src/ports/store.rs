use std::future::Future;

use docferry_domain::{
    ArrivedObject, Artifact, Checkpoint, Delivery, ExchangeKey, FailureCode, ObjectGuid, Outcome,
    OutstandingPush, OwedKey, PushedSource, Step, Transfer, TransferId, TransientError,
};
use jiff::{SignedDuration, Timestamp};

use super::{Cause, Entered, Entry};

/// A transfer younger than this is not looked at: its execution is just starting.
pub const FIRST_LOOK: SignedDuration = SignedDuration::from_secs(90);

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
    /// Whether to stop: somebody asked to, or the transfer is being ended.
    pub stop: bool,
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

/// Result of recording a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum PushRecord {
    /// Recorded; the transfer uses the key.
    Recorded,
    /// The last user of the key is deleting its object, or finished doing so at or after
    /// the push was requested: push again, because the object may have been deleted.
    Releasing,
    /// Transfers of another document use the key. The push is recorded as outstanding at
    /// the key, and the key as owed to this transfer: push again once the key is free.
    HeldByAnother,
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

/// Something that may need looking after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A transfer, which may be a document of a bundle.
    Transfer(TransferId),
    /// A bundle.
    Bundle(TransferId),
    /// An object of the delivery bucket, by its key: it has been kept long enough.
    Artifact(String),
}

/// The records of transfers, and who refers to which exchange key.
///
/// Every write is conditional and may be repeated. `attempt` guards against an
/// execution of an earlier attempt, `epoch` against an older invocation of
/// `upload`; a transfer that has ended changes no more ([`WriteError::Ended`]).
/// Reads are consistent: they see every write that was answered before.
pub trait TransferStore: Send + Sync {
    /// Adds a transfer that does not exist yet, with what comes with it. Repeating the
    /// same call is fine.
    fn enter(
        &self,
        transfer: &Transfer,
        entry: Entry<'_>,
    ) -> impl Future<Output = Result<Entered, StoreError>> + Send;

    /// Adds a transfer that does not exist yet, and puts it into the queue for a
    /// slot. Repeating the same call is fine.
    fn create(&self, transfer: &Transfer) -> impl Future<Output = Result<(), StoreError>> + Send {
        async move { self.enter(transfer, Entry::default()).await.map(drop) }
    }

    /// The transfer, or `None`.
    fn get(
        &self,
        id: &TransferId,
    ) -> impl Future<Output = Result<Option<Transfer>, StoreError>> + Send;

    /// Work begins: sets `started_at` unless set and moves `Accepted` to
    /// `Pushing`, and counts the push that is about to be made, also when it is made once
    /// more ([`Transfer::push_again`]). Later phases stay as they are. Returns the record
    /// as it is now.
    fn begin_push(
        &self,
        id: &TransferId,
        attempt: u32,
        now: Timestamp,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// Records what was pushed, moves to `AwaitingArrival`, and registers the
    /// transfer as a user of the exchange key, all or nothing.
    ///
    /// A push that is repeated after the object had arrived changes nothing and succeeds,
    /// unless the record says [`Transfer::push_again`], which it then clears.
    ///
    /// `push` is outstanding at the key until [`TransferStore::push_seen`], also when
    /// the key is held by another document. Its earlier key, if it had another one, stays
    /// owed to the transfer.
    fn record_push(
        &self,
        id: &TransferId,
        attempt: u32,
        push: &OutstandingPush,
        source: &PushedSource,
    ) -> impl Future<Output = Result<PushRecord, WriteError>> + Send;

    /// Takes a key that an earlier push named, before it is pushed again. `false` while
    /// transfers of another document use it or its object is being deleted. Repeating it
    /// is fine.
    fn hold_key(
        &self,
        id: &TransferId,
        attempt: u32,
        document: &ObjectGuid,
        key: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, WriteError>> + Send;

    /// Notes a key under which an object of this transfer may arrive. Repeating it is
    /// fine.
    fn owe_key(
        &self,
        id: &TransferId,
        attempt: u32,
        owed: &OwedKey,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// The state of an exchange key; free and without pushes when it is unknown.
    fn exchange_key(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<ExchangeKey, StoreError>> + Send;

    /// The own push of an object that was seen and identified is not outstanding any more.
    fn push_seen(
        &self,
        key: &str,
        push: &OutstandingPush,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Announces a push before the source is asked, because its key is unknown until the
    /// source has answered. Returns the announcement as it stands: one of an earlier try,
    /// which may have pushed, keeps its `requested_at`, and its `pushed_at` as well while
    /// it is younger than [`UNNAMED_PUSH_WAIT`](docferry_domain::UNNAMED_PUSH_WAIT).
    fn announce_push(
        &self,
        id: &TransferId,
        push: &OutstandingPush,
    ) -> impl Future<Output = Result<OutstandingPush, StoreError>> + Send;

    /// The key of the transfer's pushes is recorded: withdraws the announcement.
    fn push_named(&self, id: &TransferId) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Pushes that were announced and have not named their keys yet. Those of transfers
    /// that died may be among them.
    fn pushes_in_flight(
        &self,
    ) -> impl Future<Output = Result<Vec<OutstandingPush>, StoreError>> + Send;

    /// The object that was accepted is lost, or may be another document: forgets it and
    /// what was reached of the upload, so that the arrival is looked for again, after
    /// another push if `push_again`. `epoch` is that of the record as read.
    fn lose_object(
        &self,
        id: &TransferId,
        epoch: u64,
        push_again: bool,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// The document lies in the delivery bucket already: records it as delivered and
    /// moves to `Uploading`. The push that was counted was not made. Repeating it is
    /// fine.
    fn record_reuse(
        &self,
        id: &TransferId,
        attempt: u32,
        source: &PushedSource,
        artifact: &Artifact,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Records the arrival and moves to `Uploading`, unless an object is recorded or
    /// another push is due.
    fn record_arrival(
        &self,
        id: &TransferId,
        attempt: u32,
        object: &ArrivedObject,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Takes over the upload: increments the epoch and returns the record with
    /// the new epoch. Older invocations fail at their next write. Refused
    /// ([`WriteError::Ended`]) while the transfer is being ended.
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
    /// Refused while the transfer is being ended.
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

    /// The object was written again while it was read: reads go on with this tag.
    fn replace_object(
        &self,
        id: &TransferId,
        epoch: u64,
        object: &ArrivedObject,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

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

    /// Records the verified delivery. An artifact of the delivery bucket is offered for
    /// reuse from then on, all or nothing; one that is being removed cannot be delivered
    /// ([`StoreError::Unavailable`]).
    fn record_delivery(
        &self,
        id: &TransferId,
        epoch: u64,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Counts a failed try of a step that is tried again, and keeps why it failed.
    fn record_failed_try(
        &self,
        id: &TransferId,
        attempt: u32,
        step: Step,
        error: &TransientError,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Notes that its owner wants the transfer to stop; it is noticed at the next
    /// step or checkpoint, and the sweeper looks at it next. Returns the record, or `None` when there is none that runs, or
    /// it runs in a later run than `last_run` ([`Transfer::retries`]).
    fn request_cancel(
        &self,
        id: &TransferId,
        owner: &str,
        last_run: u32,
    ) -> impl Future<Output = Result<Option<Transfer>, StoreError>> + Send;

    /// Writes down why the transfer is about to end, unless an earlier ending did:
    /// from then on nothing new begins (no claim, no session, no next attempt),
    /// while a delivery may still be recorded. Returns the record.
    fn begin_ending(
        &self,
        id: &TransferId,
        attempt: u32,
        reason: FailureCode,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// Ends the transfer, unless it has ended: the only way into a terminal phase.
    /// In the same transaction its slot or place in the queue is freed, an
    /// [`OutcomeRecord`](docferry_domain::OutcomeRecord) gets into the outbox, and
    /// a document of a bundle is counted there.
    ///
    /// `read` is the record as it was when the outcome was decided. When its
    /// attempt, phase or turn has changed since, or it has been delivered and
    /// `outcome` says otherwise, nothing changes. Returns the record as it is then:
    /// while it is not terminal, decide again.
    fn finish(
        &self,
        read: &Transfer,
        outcome: Outcome,
        ended_at: Timestamp,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// What an ended transfer had open is closed. A document of it may still come.
    /// Nothing happens for another attempt than this one.
    fn mark_settled(
        &self,
        id: &TransferId,
        attempt: u32,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Nothing of an ended transfer is left to clean up: it is settled, leaves the
    /// index of unfinished ones, and the store may forget it after `purge_at`, not
    /// before. Nothing happens for another attempt than this one.
    fn mark_clean(
        &self,
        id: &TransferId,
        attempt: u32,
        purge_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Transfers and bundles that have not ended or may have left something behind, and
    /// whose next look is due before `now`: longest due first, at most `limit`. A transfer
    /// that is recorded with a slot is first due [`FIRST_LOOK`] after its creation; one that
    /// waits for a slot has no execution yet, and is due at its deadline. The index may
    /// lag: a transfer may be missing, or named though it is finished.
    fn unfinished(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Due>, StoreError>> + Send;

    /// It need not be looked at before `due`. Passed over when it is
    /// clean.
    fn postpone(
        &self,
        what: &Due,
        due: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Begins the next attempt of a transfer that has not ended, so that a new
    /// execution can carry it on: all that was reached stays. Only if `from` is
    /// the present attempt and the transfer is not being ended.
    fn next_attempt(
        &self,
        id: &TransferId,
        from: u32,
    ) -> impl Future<Output = Result<Transfer, WriteError>> + Send;

    /// Takes the transfer off the users of an exchange key. `until` bounds how
    /// long others wait for the deletion should the caller die in it. Repeating
    /// the call after [`Release::Last`] returns `Last` once more until
    /// [`TransferStore::mark_released`]; others wait until `until` then, because the two
    /// callers may be two processes, of which neither knows when the other has deleted.
    /// After that, for a transfer that never registered the key, and for one that is in
    /// another attempt than this one, it returns `StillReferenced`.
    fn release_key(
        &self,
        id: &TransferId,
        attempt: u32,
        key: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Release, StoreError>> + Send;

    /// Takes a key that nobody refers to, in order to delete an object that came
    /// late. `false` when somebody uses or deletes it. As after [`Release::Last`],
    /// new pushes wait until [`TransferStore::mark_released`].
    fn take_unused_key(
        &self,
        id: &TransferId,
        key: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// The object of the key was deleted before `released_at`, by the exchange
    /// store's clock.
    fn mark_released(
        &self,
        id: &TransferId,
        key: &str,
        released_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

//! Store ports of the [`World`]: each method calls the in-memory store as one effect.

use docferry_app::ports::{
    ArtifactStore, BundleStore, CheckpointAck, Due, Entered, Entry, History, JobPlace, JobStore,
    Listed, Notices, Outbox, PushRecord, Release, SealedSession, SessionRecord, SlotStore,
    StoreError, TransferStore, WriteError,
};
use docferry_domain::{
    ArrivedObject, Artifact, ArtifactRecord, Bundle, BundleCounts, Checkpoint, Delivery,
    DocumentName, ExchangeKey, FailureCode, NamedRequest, Notice, ObjectGuid, Outcome,
    OutcomeRecord, OutstandingPush, OwedKey, Pool, PushedSource, Slots, Step, Transfer, TransferId,
    TransientError, Waiting,
};
use jiff::Timestamp;

use crate::World;

/// Implements a port for [`World`]. Each line is a method, its result and its error, and a function
/// that makes the error for a lost response.
macro_rules! as_effects {
    ($port:ident: $($name:ident($($arg:ident: $type:ty),*) -> $ok:ty, $error:ty, $lost:expr;)+) => {
        impl $port for World {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$ok, $error> {
                self.effect(stringify!($name), $lost, async || self.store.$name($($arg),*).await).await
            })+
        }
    };
}

fn lost_write(cause: docferry_app::ports::Cause) -> WriteError {
    StoreError::Unavailable(cause).into()
}

as_effects! {
    TransferStore:
    enter(transfer: &Transfer, entry: Entry<'_>) -> Entered, StoreError, StoreError::Unavailable;
    get(id: &TransferId) -> Option<Transfer>, StoreError, StoreError::Unavailable;
    begin_push(id: &TransferId, attempt: u32, now: Timestamp) -> Transfer, WriteError, lost_write;
    record_push(id: &TransferId, attempt: u32, push: &OutstandingPush, source: &PushedSource) -> PushRecord, WriteError, lost_write;
    hold_key(id: &TransferId, attempt: u32, document: &ObjectGuid, key: &str, now: Timestamp) -> bool, WriteError, lost_write;
    owe_key(id: &TransferId, attempt: u32, owed: &OwedKey) -> (), WriteError, lost_write;
    exchange_key(key: &str) -> ExchangeKey, StoreError, StoreError::Unavailable;
    push_seen(key: &str, push: &OutstandingPush) -> (), StoreError, StoreError::Unavailable;
    announce_push(id: &TransferId, push: &OutstandingPush) -> OutstandingPush, StoreError, StoreError::Unavailable;
    push_named(id: &TransferId) -> (), StoreError, StoreError::Unavailable;
    pushes_in_flight() -> Vec<OutstandingPush>, StoreError, StoreError::Unavailable;
    lose_object(id: &TransferId, epoch: u64, push_again: bool) -> (), WriteError, lost_write;
    record_reuse(id: &TransferId, attempt: u32, source: &PushedSource, artifact: &Artifact) -> (), WriteError, lost_write;
    record_arrival(id: &TransferId, attempt: u32, object: &ArrivedObject) -> (), WriteError, lost_write;
    claim(id: &TransferId, attempt: u32) -> Transfer, WriteError, lost_write;
    session(id: &TransferId) -> Option<SessionRecord>, StoreError, StoreError::Unavailable;
    put_session(id: &TransferId, epoch: u64, session: &SealedSession) -> (), WriteError, lost_write;
    drop_session(id: &TransferId, epoch: u64) -> (), StoreError, StoreError::Unavailable;
    checkpoint(id: &TransferId, epoch: u64, checkpoint: &Checkpoint) -> CheckpointAck, WriteError, lost_write;
    pause_until(id: &TransferId, epoch: u64, resume_at: Timestamp) -> (), WriteError, lost_write;
    record_delivery(id: &TransferId, epoch: u64, delivery: &Delivery) -> (), WriteError, lost_write;
    record_failed_try(id: &TransferId, attempt: u32, step: Step, error: &TransientError) -> (), WriteError, lost_write;
    request_cancel(id: &TransferId, owner: &str, last_run: u32) -> Option<Transfer>, StoreError, StoreError::Unavailable;
    finish(read: &Transfer, outcome: Outcome, ended_at: Timestamp) -> Transfer, WriteError, lost_write;
    begin_ending(id: &TransferId, attempt: u32, reason: FailureCode) -> Transfer, WriteError, lost_write;
    replace_object(id: &TransferId, epoch: u64, object: &ArrivedObject) -> (), WriteError, lost_write;
    take_unused_key(id: &TransferId, key: &str, now: Timestamp, until: Timestamp) -> bool, StoreError, StoreError::Unavailable;
    postpone(what: &Due, due: Timestamp) -> (), StoreError, StoreError::Unavailable;
    mark_settled(id: &TransferId, attempt: u32) -> (), StoreError, StoreError::Unavailable;
    mark_clean(id: &TransferId, attempt: u32, purge_at: Timestamp) -> (), StoreError, StoreError::Unavailable;
    unfinished(now: Timestamp, limit: usize) -> Vec<Due>, StoreError, StoreError::Unavailable;
    next_attempt(id: &TransferId, from: u32) -> Transfer, WriteError, lost_write;
    release_key(id: &TransferId, attempt: u32, key: &str, now: Timestamp, until: Timestamp) -> Release, StoreError, StoreError::Unavailable;
    mark_released(id: &TransferId, key: &str, now: Timestamp) -> (), StoreError, StoreError::Unavailable;
}

as_effects! {
    SlotStore:
    slots(pool: Pool) -> Slots, StoreError, StoreError::Unavailable;
    queue(pool: Pool, after: Option<&Waiting>, limit: usize) -> Vec<Waiting>, StoreError, StoreError::Unavailable;
    grant(pool: Pool, version: u64, admitted: &[Waiting], now: Timestamp, due: Timestamp) -> bool, StoreError, StoreError::Unavailable;
    enqueue(transfer: &Transfer, due: Timestamp) -> (), WriteError, lost_write;
    step_aside(transfer: &Transfer) -> (), StoreError, StoreError::Unavailable;
    reclaim(pool: Pool, holder: &TransferId) -> bool, StoreError, StoreError::Unavailable;
}

as_effects! {
    ArtifactStore:
    put_artifact(artifact: &ArtifactRecord) -> (), StoreError, StoreError::Unavailable;
    find_artifact(document: &ObjectGuid) -> Option<ArtifactRecord>, StoreError, StoreError::Unavailable;
    keep_artifact(key: &str, until: Timestamp) -> bool, StoreError, StoreError::Unavailable;
    expired_artifacts(now: Timestamp, limit: usize) -> Vec<String>, StoreError, StoreError::Unavailable;
    withdraw_artifact(key: &str) -> bool, StoreError, StoreError::Unavailable;
    give_up_artifact(key: &str, now: Timestamp) -> bool, StoreError, StoreError::Unavailable;
    forget_artifact(key: &str) -> (), StoreError, StoreError::Unavailable;
}

as_effects! {
    JobStore:
    run_again(read: &Transfer, again: &Transfer, due: Timestamp) -> bool, StoreError, StoreError::Unavailable;
    resume_bundle(read: &Bundle, keep_until: Timestamp, deadline: Timestamp, due: Timestamp) -> bool, StoreError, StoreError::Unavailable;
    documents_resumed(id: &TransferId, retries: u32) -> (), StoreError, StoreError::Unavailable;
    keep_longer(id: &TransferId, keep_until: Timestamp, purge_at: Timestamp) -> (), StoreError, StoreError::Unavailable;
    request(key: &str, now: Timestamp) -> Option<NamedRequest>, StoreError, StoreError::Unavailable;
    forget_request(request: &NamedRequest) -> (), StoreError, StoreError::Unavailable;
}

as_effects! {
    History:
    jobs(owner: &str, before: Option<&JobPlace>, limit: usize) -> (Vec<Listed>, Option<JobPlace>), StoreError, StoreError::Unavailable;
}

as_effects! {
    Outbox:
    outcome(id: &TransferId, attempt: u32) -> Option<OutcomeRecord>, StoreError, StoreError::Unavailable;
    told(id: &TransferId, attempt: u32) -> (), StoreError, StoreError::Unavailable;
    untold(now: Timestamp, limit: usize) -> Vec<(TransferId, u32)>, StoreError, StoreError::Unavailable;
}

as_effects! {
    Notices:
    notice(job: &TransferId, attempt: u32) -> Option<Notice>, StoreError, StoreError::Unavailable;
    notice_queued(job: &TransferId, attempt: u32) -> (), StoreError, StoreError::Unavailable;
    resting_notices(now: Timestamp, limit: usize) -> Vec<(TransferId, u32)>, StoreError, StoreError::Unavailable;
}

as_effects! {
    BundleStore:
    enter_bundle(bundle: &Bundle, request: Option<&NamedRequest>) -> Entered, StoreError, StoreError::Unavailable;
    add_documents(documents: &[Transfer], purge_at: Timestamp) -> (), StoreError, StoreError::Unavailable;
    open_bundle(id: &TransferId) -> (), StoreError, StoreError::Unavailable;
    bundle(id: &TransferId) -> Option<(Bundle, BundleCounts)>, StoreError, StoreError::Unavailable;
    whole_bundle(id: &TransferId, limit: usize) -> Option<(Bundle, BundleCounts, Vec<Transfer>)>, StoreError, StoreError::Unavailable;
    documents(id: &TransferId, from: u16, limit: usize) -> Vec<Transfer>, StoreError, StoreError::Unavailable;
    claim_name(document: &TransferId, name: &DocumentName, purge_at: Timestamp) -> bool, StoreError, StoreError::Unavailable;
    cancel_bundle(id: &TransferId, owner: &str, due: Timestamp) -> Option<Bundle>, StoreError, StoreError::Unavailable;
    documents_stopped(id: &TransferId, retries: u32) -> (), StoreError, StoreError::Unavailable;
    end_bundle(read: &Bundle, counts: &BundleCounts, outcome: Outcome, ended_at: Timestamp, purge_at: Timestamp) -> (), StoreError, StoreError::Unavailable;
}

//! Implementation of the store ports by the [`World`]. Each method calls the in-memory store as one
//! effect, at which a test can inject a fault.

use docferry_app::ports::{
    ArtifactStore, BatchRetry, BatchStore, CheckpointAck, CreateOptions, CreateResult,
    ExchangeKeyStore, History, HistoryEntry, JobPosition, JobStore, NotificationOutbox, Outbox,
    PushRecord, PushStore, RecoveryStore, Release, SealedSession, SessionRecord, SlotStore,
    StoreError, TransferStore, UploadStore, WorkItem, WriteError,
};
use docferry_domain::document::{Artifact, ArtifactRecord, DocumentName};
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::{ObjectGuid, TransferId};
use docferry_domain::job::{Batch, BatchCounts, IdempotencyRecord, WebhookNotification};
use docferry_domain::slots::{Pool, QueueEntry, Slots};
use docferry_domain::transfer::{
    ArrivedObject, Delivery, ExchangeKey, LateArrivalKey, Outcome, OutcomeRecord, OutstandingPush,
    PushedSource, Step, Transfer, TransientError,
};
use docferry_domain::upload::Checkpoint;
use jiff::Timestamp;

use crate::World;

/// Implements a port for [`World`]. Each line contains a method, its result, its error, and a
/// function that makes the error for a lost response.
macro_rules! as_effects {
    ($port:ident: $($name:ident($($arg:ident: $type:ty),*) -> $ok:ty, $error:ty, $lost:expr;)+) => {
        impl $port for World {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$ok, $error> {
                self.effect(stringify!($name), $lost, async || self.store.$name($($arg),*).await).await
            })+
        }
    };
}

/// Returns the error of a write whose response is lost.
fn lost_write(cause: docferry_app::ports::Cause) -> WriteError {
    StoreError::Unavailable(cause).into()
}

as_effects! {
    TransferStore:
    create_with(transfer: &Transfer, options: CreateOptions<'_>) -> CreateResult, StoreError, StoreError::Unavailable;
    get(id: &TransferId) -> Option<Transfer>, StoreError, StoreError::Unavailable;
    begin_push(id: &TransferId, execution_number: u32, now: Timestamp) -> Transfer, WriteError, lost_write;
    record_reuse(id: &TransferId, execution_number: u32, source: &PushedSource, artifact: &Artifact) -> (), WriteError, lost_write;
    record_arrival(id: &TransferId, execution_number: u32, object: &ArrivedObject) -> (), WriteError, lost_write;
    discard_object(id: &TransferId, epoch: u64, push_again: bool) -> (), WriteError, lost_write;
    record_failed_try(id: &TransferId, execution_number: u32, step: Step, error: &TransientError) -> (), WriteError, lost_write;
    request_cancel(id: &TransferId, owner: &str, last_run: u32) -> Option<Transfer>, StoreError, StoreError::Unavailable;
    begin_ending(id: &TransferId, execution_number: u32, reason: FailureCode) -> Transfer, WriteError, lost_write;
    finish(read: &Transfer, outcome: Outcome, ended_at: Timestamp) -> Transfer, WriteError, lost_write;
}

as_effects! {
    UploadStore:
    claim(id: &TransferId, execution_number: u32) -> Transfer, WriteError, lost_write;
    session(id: &TransferId) -> Option<SessionRecord>, StoreError, StoreError::Unavailable;
    put_session(id: &TransferId, epoch: u64, session: &SealedSession) -> (), WriteError, lost_write;
    delete_session_record(id: &TransferId, epoch: u64) -> (), StoreError, StoreError::Unavailable;
    replace_object(id: &TransferId, epoch: u64, object: &ArrivedObject) -> (), WriteError, lost_write;
    checkpoint(id: &TransferId, epoch: u64, checkpoint: &Checkpoint) -> CheckpointAck, WriteError, lost_write;
    pause_until(id: &TransferId, epoch: u64, resume_at: Timestamp) -> (), WriteError, lost_write;
    record_delivery(id: &TransferId, epoch: u64, delivery: &Delivery) -> (), WriteError, lost_write;
}

as_effects! {
    PushStore:
    announce_push(id: &TransferId, push: &OutstandingPush) -> OutstandingPush, StoreError, StoreError::Unavailable;
    withdraw_announcement(id: &TransferId) -> (), StoreError, StoreError::Unavailable;
    pushes_in_flight() -> Vec<OutstandingPush>, StoreError, StoreError::Unavailable;
    record_push(id: &TransferId, execution_number: u32, push: &OutstandingPush, source: &PushedSource) -> PushRecord, WriteError, lost_write;
    record_late_arrival_key(id: &TransferId, execution_number: u32, owed: &LateArrivalKey) -> (), WriteError, lost_write;
}

as_effects! {
    ExchangeKeyStore:
    exchange_key(key: &str) -> ExchangeKey, StoreError, StoreError::Unavailable;
    acquire_key(id: &TransferId, execution_number: u32, document: &ObjectGuid, key: &str, now: Timestamp) -> bool, WriteError, lost_write;
    remove_outstanding_push(key: &str, push: &OutstandingPush) -> (), StoreError, StoreError::Unavailable;
    release_key(id: &TransferId, execution_number: u32, key: &str, now: Timestamp, until: Timestamp) -> Release, StoreError, StoreError::Unavailable;
    acquire_unused_key(id: &TransferId, key: &str, now: Timestamp, until: Timestamp) -> bool, StoreError, StoreError::Unavailable;
    mark_released(id: &TransferId, key: &str, now: Timestamp) -> (), StoreError, StoreError::Unavailable;
}

as_effects! {
    RecoveryStore:
    unfinished(now: Timestamp, limit: usize) -> Vec<WorkItem>, StoreError, StoreError::Unavailable;
    reschedule(what: &WorkItem, due: Timestamp) -> (), StoreError, StoreError::Unavailable;
    next_execution(id: &TransferId, from: u32) -> Transfer, WriteError, lost_write;
    mark_closed(id: &TransferId, execution_number: u32) -> (), StoreError, StoreError::Unavailable;
    mark_cleaned_up(id: &TransferId, execution_number: u32, purge_at: Timestamp) -> (), StoreError, StoreError::Unavailable;
}

as_effects! {
    SlotStore:
    slots(pool: Pool) -> Slots, StoreError, StoreError::Unavailable;
    queue(pool: Pool, after: Option<&QueueEntry>, limit: usize) -> Vec<QueueEntry>, StoreError, StoreError::Unavailable;
    grant(pool: Pool, version: u64, admitted: &[QueueEntry], now: Timestamp, due: Timestamp) -> bool, StoreError, StoreError::Unavailable;
    enqueue(transfer: &Transfer, due: Timestamp) -> (), WriteError, lost_write;
    release_slot(transfer: &Transfer) -> (), StoreError, StoreError::Unavailable;
    reclaim(pool: Pool, holder: &TransferId) -> bool, StoreError, StoreError::Unavailable;
}

as_effects! {
    ArtifactStore:
    put_artifact(artifact: &ArtifactRecord) -> (), StoreError, StoreError::Unavailable;
    find_artifact(document: &ObjectGuid) -> Option<ArtifactRecord>, StoreError, StoreError::Unavailable;
    artifacts_of(document: &ObjectGuid) -> Vec<String>, StoreError, StoreError::Unavailable;
    give_up_artifact(key: &str) -> bool, StoreError, StoreError::Unavailable;
    retain_artifact(key: &str, until: Timestamp) -> bool, StoreError, StoreError::Unavailable;
    expired_artifacts(now: Timestamp, limit: usize) -> Vec<String>, StoreError, StoreError::Unavailable;
    withdraw_artifact(key: &str) -> bool, StoreError, StoreError::Unavailable;
    expire_artifact(key: &str, now: Timestamp) -> bool, StoreError, StoreError::Unavailable;
    delete_artifact_record(key: &str) -> (), StoreError, StoreError::Unavailable;
}

as_effects! {
    JobStore:
    restart_transfer(read: &Transfer, restarted: &Transfer, due: Timestamp) -> bool, StoreError, StoreError::Unavailable;
    resume_batch(read: &Batch, retry: &BatchRetry) -> bool, StoreError, StoreError::Unavailable;
    mark_documents_resumed(id: &TransferId, retries: u32) -> (), StoreError, StoreError::Unavailable;
    extend_retention(id: &TransferId, retain_until: Timestamp, purge_at: Timestamp) -> (), StoreError, StoreError::Unavailable;
    request(key: &str, now: Timestamp) -> Option<IdempotencyRecord>, StoreError, StoreError::Unavailable;
    delete_idempotency_record(request: &IdempotencyRecord) -> (), StoreError, StoreError::Unavailable;
}

as_effects! {
    History:
    jobs(owner: &str, before: Option<&JobPosition>, limit: usize) -> (Vec<HistoryEntry>, Option<JobPosition>), StoreError, StoreError::Unavailable;
}

as_effects! {
    Outbox:
    outcome(id: &TransferId, execution_number: u32) -> Option<OutcomeRecord>, StoreError, StoreError::Unavailable;
    mark_sent(id: &TransferId, execution_number: u32) -> (), StoreError, StoreError::Unavailable;
    unsent(now: Timestamp, limit: usize) -> Vec<(TransferId, u32)>, StoreError, StoreError::Unavailable;
}

as_effects! {
    NotificationOutbox:
    notification(job: &TransferId, end_number: u32) -> Option<WebhookNotification>, StoreError, StoreError::Unavailable;
    remove_queued_notification(job: &TransferId, end_number: u32) -> (), StoreError, StoreError::Unavailable;
    unsent_notifications(now: Timestamp, limit: usize) -> Vec<(TransferId, u32)>, StoreError, StoreError::Unavailable;
}

as_effects! {
    BatchStore:
    record_batch(batch: &Batch, request: Option<&IdempotencyRecord>) -> CreateResult, StoreError, StoreError::Unavailable;
    add_documents(documents: &[Transfer], purge_at: Timestamp) -> (), StoreError, StoreError::Unavailable;
    commit_batch(id: &TransferId) -> (), StoreError, StoreError::Unavailable;
    batch(id: &TransferId) -> Option<(Batch, BatchCounts)>, StoreError, StoreError::Unavailable;
    batch_with_documents(id: &TransferId, limit: usize) -> Option<(Batch, BatchCounts, Vec<Transfer>)>, StoreError, StoreError::Unavailable;
    documents(id: &TransferId, from: u16, limit: usize) -> Vec<Transfer>, StoreError, StoreError::Unavailable;
    claim_name(document: &TransferId, name: &DocumentName, purge_at: Timestamp) -> bool, StoreError, StoreError::Unavailable;
    cancel_batch(id: &TransferId, owner: &str, due: Timestamp) -> Option<Batch>, StoreError, StoreError::Unavailable;
    documents_stopped(id: &TransferId, retries: u32) -> (), StoreError, StoreError::Unavailable;
    end_batch(read: &Batch, counts: &BatchCounts, outcome: Outcome, ended_at: Timestamp, purge_at: Timestamp) -> (), StoreError, StoreError::Unavailable;
}

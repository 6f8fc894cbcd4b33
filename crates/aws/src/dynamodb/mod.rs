//! DynamoDB adapters: all records of docferry in one table, and the document index in another.
//!
//! | pk | sk | holds |
//! |---|---|---|
//! | `T#{id}` | `META` | a transfer, serialized from `docferry_domain::transfer::Transfer` |
//! | `T#{id}` | `SESSION#0` | the sealed upload URL and the epoch that stored it |
//! | `T#{id}` | `BUNDLE`, `COUNTS` | a batch, and the counts of its ended documents |
//! | `T#{id}` | `DOC#{n}`, `SESSION#{n}` | a document of a batch, and its session |
//! | `T#{id}` | `NAME#{name}` | a file name and the document of the batch that has reserved it |
//! | `T#{id}` | `OUTBOX#{attempt}` | outbox: an outcome not yet sent to the audit queue |
//! | `T#{id}` | `NOTICE#{attempt}` | outbox: a webhook notification not yet sent to its queue |
//! | `S#{pool}` | `SLOTS` | the transfers that hold slots of a pool |
//! | `Q#{pool}` | `{order}#{id}` | a transfer that is queued for a slot |
//! | `K#{key}` | `REFS` | an exchange key: its document, users, pushes and deletion lease |
//! | `P#pushes` | `{id}` | an announced push whose exchange key is not known yet |
//! | `I#{hash}` | `REQUEST` | an idempotency record: the job that a request has created |
//! | `R#{caller}` | `{minute}` | the number of a caller's requests in a minute, for rate limiting |
//! | `A#{key}` | `ARTIFACT` | an object of the delivery bucket, and its retention |
//! | `D#{guid}` | `NEWEST` | the newest delivered object of a document |
//! | `B#{pool}` | `PAUSE` | the end of a pause in which no transfer of the pool calls the drive |
//!
//! Every write is one conditional request. If its condition fails, the response contains the
//! current item, so the reason is known without a second read that could see a later state.
//!
//! The SDK repeats a write whose response is lost. Therefore each condition is written so that
//! an item already changed by our own first attempt is not an error.
//!
//! `expiresAt` (seconds since 1970) is the table's TTL attribute. The index `unfinished`
//! (`sweepShard`, `dueAt`; keys only) lists the items that the sweeper has to check, and the
//! index `jobs` (`jobOwner`, `jobOrder`; keys only) lists the jobs of each caller.

mod artifacts;
mod batch;
mod bundles;
mod change;
mod index;
mod items;
mod jobs;
mod notices;
mod outbox;
mod pushes;
mod quota;
mod references;
mod sessions;
mod slots;
mod standing;
mod table;
mod throttle;
mod transfers;
mod unfinished;

use aws_sdk_dynamodb::Client;
use docferry_app::ports::{
    CheckpointAck, CreateResult, Entry, PushRecord, Release, SealedSession, SessionRecord,
    StoreError, TransferStore, WorkItem, WriteError,
};
use docferry_domain::document::Artifact;
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::{ObjectGuid, TransferId};
use docferry_domain::transfer::{
    ArrivedObject, Delivery, ExchangeKey, LateArrivalKey, Outcome, OutstandingPush, PushedSource,
    Step, Transfer, TransientError,
};
use docferry_domain::upload::Checkpoint;
use jiff::Timestamp;

pub use index::DynamoDocumentIndex;
pub use quota::DynamoQuota;
use table::Table;

pub use throttle::DynamoThrottleBudget;

/// [`TransferStore`] on DynamoDB. It also implements the ports for slots, batches, jobs,
/// artifacts and the outbox.
#[derive(Debug, Clone)]
pub struct DynamoTransferStore {
    table: Table,
}

impl DynamoTransferStore {
    /// Creates a store in `table`, whose primary key consists of the strings `pk` and `sk`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table.into()) }
    }
}

impl TransferStore for DynamoTransferStore {
    async fn enter(
        &self,
        transfer: &Transfer,
        entry: Entry<'_>,
    ) -> Result<CreateResult, StoreError> {
        transfers::enter(&self.table, transfer, entry).await
    }

    async fn get(&self, id: &TransferId) -> Result<Option<Transfer>, StoreError> {
        transfers::get(&self.table, id).await
    }

    async fn begin_push(
        &self,
        id: &TransferId,
        attempt: u32,
        now: Timestamp,
    ) -> Result<Transfer, WriteError> {
        transfers::begin_push(&self.table, id, attempt, now).await
    }

    async fn record_push(
        &self,
        id: &TransferId,
        attempt: u32,
        push: &OutstandingPush,
        source: &PushedSource,
    ) -> Result<PushRecord, WriteError> {
        pushes::record_push(&self.table, id, attempt, push, source).await
    }

    async fn acquire_key(
        &self,
        id: &TransferId,
        attempt: u32,
        document: &ObjectGuid,
        key: &str,
        now: Timestamp,
    ) -> Result<bool, WriteError> {
        pushes::acquire_key(&self.table, id, attempt, document, key, now).await
    }

    async fn record_owed_key(
        &self,
        id: &TransferId,
        attempt: u32,
        owed: &LateArrivalKey,
    ) -> Result<(), WriteError> {
        pushes::record_owed_key(&self.table, id, attempt, owed).await
    }

    async fn exchange_key(&self, key: &str) -> Result<ExchangeKey, StoreError> {
        pushes::exchange_key(&self.table, key).await
    }

    async fn remove_outstanding_push(
        &self,
        key: &str,
        push: &OutstandingPush,
    ) -> Result<(), StoreError> {
        pushes::remove_outstanding_push(&self.table, key, push).await
    }

    async fn announce_push(
        &self,
        id: &TransferId,
        push: &OutstandingPush,
    ) -> Result<OutstandingPush, StoreError> {
        pushes::announce(&self.table, id, push).await
    }

    async fn withdraw_announcement(&self, id: &TransferId) -> Result<(), StoreError> {
        pushes::withdraw(&self.table, id).await
    }

    async fn pushes_in_flight(&self) -> Result<Vec<OutstandingPush>, StoreError> {
        pushes::in_flight(&self.table).await
    }

    async fn discard_object(
        &self,
        id: &TransferId,
        epoch: u64,
        push_again: bool,
    ) -> Result<(), WriteError> {
        pushes::discard_object(&self.table, id, epoch, push_again).await
    }

    async fn record_reuse(
        &self,
        id: &TransferId,
        attempt: u32,
        source: &PushedSource,
        artifact: &Artifact,
    ) -> Result<(), WriteError> {
        transfers::record_reuse(&self.table, id, attempt, source, artifact).await
    }

    async fn record_arrival(
        &self,
        id: &TransferId,
        attempt: u32,
        object: &ArrivedObject,
    ) -> Result<(), WriteError> {
        transfers::record_arrival(&self.table, id, attempt, object).await
    }

    async fn claim(&self, id: &TransferId, attempt: u32) -> Result<Transfer, WriteError> {
        transfers::claim(&self.table, id, attempt).await
    }

    async fn session(&self, id: &TransferId) -> Result<Option<SessionRecord>, StoreError> {
        sessions::get(&self.table, id).await
    }

    async fn put_session(
        &self,
        id: &TransferId,
        epoch: u64,
        session: &SealedSession,
    ) -> Result<(), WriteError> {
        sessions::put(&self.table, id, epoch, session).await
    }

    async fn delete_session_record(&self, id: &TransferId, epoch: u64) -> Result<(), StoreError> {
        sessions::drop(&self.table, id, epoch).await
    }

    async fn replace_object(
        &self,
        id: &TransferId,
        epoch: u64,
        object: &ArrivedObject,
    ) -> Result<(), WriteError> {
        sessions::replace_object(&self.table, id, epoch, object).await
    }

    async fn checkpoint(
        &self,
        id: &TransferId,
        epoch: u64,
        checkpoint: &Checkpoint,
    ) -> Result<CheckpointAck, WriteError> {
        sessions::checkpoint(&self.table, id, epoch, checkpoint).await
    }

    async fn pause_until(
        &self,
        id: &TransferId,
        epoch: u64,
        resume_at: Timestamp,
    ) -> Result<(), WriteError> {
        sessions::pause_until(&self.table, id, epoch, resume_at).await
    }

    async fn record_failed_try(
        &self,
        id: &TransferId,
        attempt: u32,
        step: Step,
        error: &TransientError,
    ) -> Result<(), WriteError> {
        transfers::record_failed_try(&self.table, id, attempt, step, error).await
    }

    async fn record_delivery(
        &self,
        id: &TransferId,
        epoch: u64,
        delivery: &Delivery,
    ) -> Result<(), WriteError> {
        sessions::record_delivery(&self.table, id, epoch, delivery).await
    }

    async fn request_cancel(
        &self,
        id: &TransferId,
        owner: &str,
        last_run: u32,
    ) -> Result<Option<Transfer>, StoreError> {
        transfers::request_cancel(&self.table, id, owner, last_run).await
    }

    async fn begin_ending(
        &self,
        id: &TransferId,
        attempt: u32,
        reason: FailureCode,
    ) -> Result<Transfer, WriteError> {
        transfers::begin_ending(&self.table, id, attempt, reason).await
    }

    async fn finish(
        &self,
        read: &Transfer,
        outcome: Outcome,
        ended_at: Timestamp,
    ) -> Result<Transfer, WriteError> {
        transfers::finish(&self.table, read, outcome, ended_at).await
    }

    async fn mark_settled(&self, id: &TransferId, attempt: u32) -> Result<(), StoreError> {
        unfinished::mark_settled(&self.table, id, attempt).await
    }

    async fn mark_cleaned_up(
        &self,
        id: &TransferId,
        attempt: u32,
        purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        unfinished::mark_cleaned_up(&self.table, id, attempt, purge_at).await
    }

    async fn unfinished(&self, now: Timestamp, limit: usize) -> Result<Vec<WorkItem>, StoreError> {
        unfinished::list(&self.table, now, limit).await
    }

    async fn reschedule(&self, what: &WorkItem, due: Timestamp) -> Result<(), StoreError> {
        unfinished::reschedule(&self.table, what, due).await
    }

    async fn next_execution(&self, id: &TransferId, from: u32) -> Result<Transfer, WriteError> {
        transfers::next_execution(&self.table, id, from).await
    }

    async fn acquire_unused_key(
        &self,
        id: &TransferId,
        key: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        references::take_unused(&self.table, id, key, now, until).await
    }

    async fn release_key(
        &self,
        id: &TransferId,
        attempt: u32,
        key: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Release, StoreError> {
        references::release_key(&self.table, id, attempt, key, now, until).await
    }

    async fn mark_released(
        &self,
        id: &TransferId,
        key: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        references::mark_released(&self.table, id, key, now).await
    }
}

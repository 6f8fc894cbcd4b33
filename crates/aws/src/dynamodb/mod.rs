//! The records of transfers in one DynamoDB table.
//!
//! | pk | sk | holds |
//! |---|---|---|
//! | `T#{id}` | `META` | the transfer, as `docferry_domain::Transfer` writes itself |
//! | `T#{id}` | `SESSION#0` | the sealed upload URL and the epoch that stored it |
//! | `T#{id}` | `BUNDLE`, `COUNTS` | what the documents of a bundle have in common |
//! | `T#{id}` | `DOC#{n}`, `SESSION#{n}` | a document of a bundle: a transfer like any other |
//! | `T#{id}` | `OUTBOX#{attempt}` | an outcome that nobody was told of yet |
//! | `S#{pool}` | `SLOTS` | who holds the slots of a pool |
//! | `Q#{pool}` | `{order}#{id}` | who waits for one |
//! | `K#{key}` | `REFS` | who refers to an exchange key, who is deleting its object |
//! | `A#{key}` | `ARTIFACT` | an object of the delivery bucket, until when it is kept |
//! | `D#{guid}` | `NEWEST` | the newest object of a document |
//! | `B#{pool}` | `PAUSE` | until when all transfers of the pool leave the drive alone |
//!
//! Every write is one conditional request, and a failed condition brings back the
//! item as it stood, so that the reason is told without a second read that could
//! see something else. A write whose answer is lost is sent again by the SDK; each
//! condition is made so that finding our own first try there is not an error.
//! `expiresAt` (seconds since 1970) is the table's TTL attribute. The index
//! `unfinished` (`sweepShard`, `dueAt`; keys only) names what may need looking after.

mod artifacts;
mod bundles;
mod change;
mod index;
mod items;
mod outbox;
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
    ArtifactStore, BundleStore, CheckpointAck, Due, Outbox, Release, SealedSession, SessionRecord,
    SlotStore, StoreError, TransferStore, WriteError,
};
use docferry_domain::{
    ArrivedObject, Artifact, ArtifactRecord, Bundle, BundleCounts, Checkpoint, Delivery,
    FailureCode, ObjectGuid, Outcome, OutcomeRecord, Pool, PushedSource, Slots, Transfer,
    TransferId, Waiting,
};
use jiff::Timestamp;

pub use index::DynamoDocumentIndex;
pub use outbox::read_outcome;
use table::Table;

pub use throttle::DynamoThrottleBudget;

/// The [`TransferStore`] on DynamoDB.
#[derive(Debug, Clone)]
pub struct DynamoTransferStore {
    table: Table,
}

impl DynamoTransferStore {
    /// A store in `table`, which has the string keys `pk` and `sk`.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table::new(client, table.into()) }
    }
}

impl TransferStore for DynamoTransferStore {
    async fn create(&self, transfer: &Transfer) -> Result<(), StoreError> {
        transfers::create(&self.table, transfer).await
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
        source: &PushedSource,
    ) -> Result<bool, WriteError> {
        references::record_push(&self.table, id, attempt, source).await
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

    async fn drop_session(&self, id: &TransferId, epoch: u64) -> Result<(), StoreError> {
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
    ) -> Result<Option<Transfer>, StoreError> {
        transfers::request_cancel(&self.table, id, owner).await
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

    async fn mark_clean(&self, id: &TransferId, purge_at: Timestamp) -> Result<(), StoreError> {
        unfinished::mark_clean(&self.table, id, purge_at).await
    }

    async fn unfinished(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>, StoreError> {
        unfinished::list(&self.table, now, limit).await
    }

    async fn postpone(&self, what: &Due, due: Timestamp) -> Result<(), StoreError> {
        unfinished::postpone(&self.table, what, due).await
    }

    async fn next_attempt(&self, id: &TransferId, from: u32) -> Result<Transfer, WriteError> {
        transfers::next_attempt(&self.table, id, from).await
    }

    async fn take_unused_key(
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
        key: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Release, StoreError> {
        references::release_key(&self.table, id, key, now, until).await
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

impl SlotStore for DynamoTransferStore {
    async fn slots(&self, pool: Pool) -> Result<Slots, StoreError> {
        slots::slots(&self.table, pool).await
    }

    async fn queue(
        &self,
        pool: Pool,
        after: Option<&Waiting>,
        limit: usize,
    ) -> Result<Vec<Waiting>, StoreError> {
        slots::queue(&self.table, pool, after, limit).await
    }

    async fn grant(
        &self,
        pool: Pool,
        version: u64,
        admitted: &[Waiting],
        due: Timestamp,
    ) -> Result<bool, StoreError> {
        slots::grant(&self.table, pool, version, admitted, due).await
    }

    async fn enqueue(&self, transfer: &Transfer, due: Timestamp) -> Result<(), WriteError> {
        slots::enqueue(&self.table, transfer, due).await
    }

    async fn step_aside(&self, transfer: &Transfer) -> Result<(), StoreError> {
        slots::step_aside(&self.table, transfer).await
    }

    async fn reclaim(&self, pool: Pool, holder: &TransferId) -> Result<bool, StoreError> {
        slots::reclaim(&self.table, pool, holder).await
    }
}

impl ArtifactStore for DynamoTransferStore {
    async fn put_artifact(&self, artifact: &ArtifactRecord) -> Result<(), StoreError> {
        artifacts::put(&self.table, artifact).await
    }

    async fn find_artifact(
        &self,
        document: &ObjectGuid,
    ) -> Result<Option<ArtifactRecord>, StoreError> {
        artifacts::find(&self.table, document).await
    }

    async fn keep_artifact(&self, key: &str, until: Timestamp) -> Result<bool, StoreError> {
        artifacts::keep(&self.table, key, until).await
    }

    async fn give_up_artifact(&self, key: &str, now: Timestamp) -> Result<bool, StoreError> {
        artifacts::give_up(&self.table, key, now).await
    }

    async fn forget_artifact(&self, key: &str) -> Result<(), StoreError> {
        artifacts::forget(&self.table, key).await
    }
}

impl Outbox for DynamoTransferStore {
    async fn outcome(
        &self,
        id: &TransferId,
        attempt: u32,
    ) -> Result<Option<OutcomeRecord>, StoreError> {
        outbox::outcome(&self.table, id, attempt).await
    }

    async fn told(&self, id: &TransferId, attempt: u32) -> Result<(), StoreError> {
        outbox::told(&self.table, id, attempt).await
    }

    async fn untold(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(TransferId, u32)>, StoreError> {
        outbox::untold(&self.table, now, limit).await
    }
}

impl BundleStore for DynamoTransferStore {
    async fn create_bundle(&self, bundle: &Bundle) -> Result<(), StoreError> {
        bundles::create(&self.table, bundle).await
    }

    async fn add_documents(
        &self,
        documents: &[Transfer],
        purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        bundles::add_documents(&self.table, documents, purge_at).await
    }

    async fn open_bundle(&self, id: &TransferId) -> Result<(), StoreError> {
        bundles::open(&self.table, id).await
    }

    async fn bundle(&self, id: &TransferId) -> Result<Option<(Bundle, BundleCounts)>, StoreError> {
        bundles::get(&self.table, id).await
    }

    async fn documents(
        &self,
        id: &TransferId,
        from: u16,
        limit: usize,
    ) -> Result<Vec<Transfer>, StoreError> {
        bundles::documents(&self.table, id, from, limit).await
    }

    async fn cancel_bundle(
        &self,
        id: &TransferId,
        owner: &str,
        due: Timestamp,
    ) -> Result<Option<Bundle>, StoreError> {
        bundles::cancel(&self.table, id, owner, due).await
    }

    async fn documents_stopped(&self, id: &TransferId) -> Result<(), StoreError> {
        bundles::documents_stopped(&self.table, id).await
    }

    async fn end_bundle(
        &self,
        id: &TransferId,
        outcome: Outcome,
        ended_at: Timestamp,
        purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        bundles::end(&self.table, id, outcome, ended_at, purge_at).await
    }
}

//! The records of transfers in one DynamoDB table.
//!
//! | pk | sk | holds |
//! |---|---|---|
//! | `T#{id}` | `META` | the transfer, as `docferry_domain::Transfer` writes itself |
//! | `T#{id}` | `SESSION#0` | the sealed upload URL and the epoch that stored it |
//! | `K#{key}` | `REFS` | who refers to an exchange key, who is deleting its object |
//!
//! Every write is one conditional request, and a failed condition brings back the
//! item as it stood, so that the reason is told without a second read that could
//! see something else. A write whose answer is lost is sent again by the SDK; each
//! condition is made so that finding our own first try there is not an error.
//! `expiresAt` (seconds since 1970) is the table's TTL attribute.

mod change;
mod items;
mod references;
mod sessions;
mod standing;
mod table;
mod transfers;

use aws_sdk_dynamodb::Client;
use docferry_app::ports::{
    CheckpointAck, Release, SealedSession, SessionRecord, StoreError, TransferStore, WriteError,
};
use docferry_domain::{
    ArrivedObject, Checkpoint, Delivery, Outcome, PushedSource, Transfer, TransferId,
};
use jiff::Timestamp;

use table::Table;

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

    async fn finish(
        &self,
        id: &TransferId,
        attempt: u32,
        outcome: Outcome,
        ended_at: Timestamp,
        purge_at: Timestamp,
    ) -> Result<Transfer, WriteError> {
        transfers::finish(&self.table, id, attempt, outcome, ended_at, purge_at).await
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

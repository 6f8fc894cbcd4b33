//! Outbox of outcomes for the audit queue in DynamoDB: items `OUTBOX#…` in the partition of their
//! transfer.
//!
//! The transaction that ends a transfer writes its outcome into the outbox. The function `notify`
//! reads the outcome from the table's stream, sends it to the audit queue, and deletes it. The
//! *sweeper* (the background repair) does the same for outcomes that `notify` missed.

use docferry_app::ports::{OUTBOX_RESEND_DELAY, Outbox, StoreError};
use docferry_domain::ids::TransferId;
use docferry_domain::transfer::OutcomeRecord;
use jiff::Timestamp;

use super::DynamoTransferStore;
use super::conditional_update::ConditionalUpdate;
use super::items::{corrupt, whole_item};
use super::keys::{Item, outcome_key, read_outcome_key};
use super::unfinished_index::{OUTBOX_SHARD, indexed};

/// Builds the item of an outcome. The item becomes due for the sweeper in the index `unfinished`
/// after [`OUTBOX_RESEND_DELAY`].
pub(super) fn item(record: &OutcomeRecord) -> Result<Item, StoreError> {
    let key = outcome_key(&record.transfer_id, record.execution_number);
    let due = record.ended_at.saturating_add(OUTBOX_RESEND_DELAY).unwrap_or(record.ended_at);
    Ok(indexed(whole_item(record, key, "outcome")?, OUTBOX_SHARD, due))
}

fn read_outcome(item: Item) -> Result<OutcomeRecord, StoreError> {
    serde_dynamo::aws_sdk_dynamodb_1::from_item(item).map_err(|_| corrupt("outcome"))
}

impl Outbox for DynamoTransferStore {
    async fn outcome(
        &self,
        id: &TransferId,
        execution_number: u32,
    ) -> Result<Option<OutcomeRecord>, StoreError> {
        let table = &self.table;
        table.get(outcome_key(id, execution_number)).await?.map(read_outcome).transpose()
    }

    async fn mark_sent(&self, id: &TransferId, execution_number: u32) -> Result<(), StoreError> {
        let table = &self.table;
        match table.delete(outcome_key(id, execution_number), ConditionalUpdate::default()).await {
            Ok(()) => Ok(()),
            Err(failure) => failure.current_item(),
        }
    }

    async fn unsent(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(TransferId, u32)>, StoreError> {
        let table = &self.table;
        let found = table.due(OUTBOX_SHARD, now.as_millisecond(), limit).await?;
        Ok(found.iter().filter_map(|(_, key)| read_outcome_key(key)).collect())
    }
}

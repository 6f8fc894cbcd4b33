//! The DynamoDB index `unfinished`, which lists the transfers and batches that the sweeper has to
//! check.
//!
//! The *sweeper* is the background repair that runs every minute. A transfer is in the index from
//! its creation until its clean-up is complete. The index is divided into *shards*, so that the
//! writes of many transfers do not use one partition. It contains only keys, so that DynamoDB does
//! not copy every checkpoint of a transfer into it.
//!
//! If DynamoDB rejects a write because a condition does not hold, `WriteFailure::current_item`
//! returns the current item. For any other failure, it returns an error.

use aws_sdk_dynamodb::types::AttributeValue;
use docferry_app::ports::{RecoveryStore, StoreError, WorkItem, WriteError};
use docferry_domain::ids::TransferId;
use docferry_domain::transfer::Transfer;
use jiff::Timestamp;

use super::DynamoTransferStore;
use super::artifacts;
use super::conditional_update::{ConditionalUpdate, number};
use super::guards::{by_execution, contention_error, ensure_active, ensure_not_ending, not_ending};
use super::items::{read_transfer, ttl};
use super::keys::{artifact_key, batch_key, transfer_key};
use super::table::Table;
use super::unfinished_index::{DUE, SHARD, SHARDS, parse_work_item};

impl RecoveryStore for DynamoTransferStore {
    /// Lists the transfers and batches that are due before `now`, the earliest first.
    async fn unfinished(&self, now: Timestamp, limit: usize) -> Result<Vec<WorkItem>, StoreError> {
        let mut due_items = Vec::new();
        for shard in SHARDS {
            let due_keys = self.table.due(shard, now.as_millisecond(), limit).await?;
            due_items.extend(
                due_keys.iter().filter_map(|(due, key)| Some((*due, parse_work_item(key)?))),
            );
        }
        // Each shard is sorted by due time. Sorting all entries merges the shards.
        due_items.sort();
        Ok(due_items.into_iter().map(|(_, work_item)| work_item).take(limit).collect())
    }

    /// Sets the time of the next check.
    async fn reschedule(&self, work_item: &WorkItem, due: Timestamp) -> Result<(), StoreError> {
        let rescheduled = ConditionalUpdate::default().set(DUE, number(due.as_millisecond()));
        let (key, rescheduled) = match work_item {
            WorkItem::Transfer(id) => (transfer_key(id), rescheduled),
            WorkItem::Batch(id) => (batch_key(id), rescheduled),
            WorkItem::Artifact(key) => (artifact_key(key), artifacts::rescheduled(due)),
        };
        let rescheduled = rescheduled.when(format!("attribute_exists(#{SHARD})"));
        match self.table.update(key, rescheduled).await {
            Ok(_) => Ok(()),
            // The item has been cleaned up or deleted, so there is nothing to check.
            Err(failure) => failure.current_item().map(drop),
        }
    }

    /// Increments the execution number, if it still is `from`.
    ///
    /// If the response is lost, the SDK repeats the write. The repeated write fails, because the
    /// first attempt has already incremented the number. This is harmless, because the caller
    /// checks the transfer again later.
    async fn next_execution(&self, id: &TransferId, from: u32) -> Result<Transfer, WriteError> {
        let next = not_ending(by_execution(from)).increment("attempt");
        match self.table.update(transfer_key(id), next).await {
            Ok(item) => Ok(read_transfer(item)?),
            Err(failure) => {
                ensure_not_ending(ensure_active(failure.current_item()?, from)?)?;
                Err(contention_error("next_execution").into())
            }
        }
    }

    /// Marks an ended transfer as closed.
    async fn mark_closed(&self, id: &TransferId, execution_number: u32) -> Result<(), StoreError> {
        let table = &self.table;
        update_if_allowed(table, id, closed_change(execution_number)).await
    }

    /// Removes an ended transfer from the index and sets its TTL.
    async fn mark_cleaned_up(
        &self,
        id: &TransferId,
        execution_number: u32,
        purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        let table = &self.table;
        let cleaned_up = closed_change(execution_number)
            .remove(&[SHARD, DUE])
            .set("expiresAt", ttl(purge_at))
            .when(format!("attribute_exists(#{SHARD})"));
        update_if_allowed(table, id, cleaned_up).await
    }
}

/// Returns the change that marks an ended transfer as closed. A closed transfer has no open upload
/// session and no open multipart upload.
fn closed_change(execution_number: u32) -> ConditionalUpdate {
    ConditionalUpdate::default()
        .set("settled", AttributeValue::Bool(true))
        .when("attribute_exists(#endedAt) AND #attempt = :attempt")
        .value("attempt", number(execution_number))
}

/// Updates a transfer. Does nothing if a condition of `change` does not hold.
async fn update_if_allowed(
    table: &Table,
    id: &TransferId,
    change: ConditionalUpdate,
) -> Result<(), StoreError> {
    match table.update(transfer_key(id), change).await {
        Ok(_) => Ok(()),
        Err(failure) => failure.current_item().map(drop),
    }
}

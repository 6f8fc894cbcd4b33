//! Outbox of webhook notifications: items `NOTICE#…` in the partition of their job.
//!
//! The transaction that ends a job writes the notification, and it is deleted after it was sent
//! to the webhook queue.

use aws_sdk_dynamodb::types::TransactWriteItem;
use docferry_app::ports::{Notices, OUTBOX_REST, StoreError};
use docferry_domain::{Notice, TransferId};
use jiff::Timestamp;

use super::DynamoTransferStore;
use super::change::Change;
use super::items::{NOTICES_SHARD, corrupt, indexed, notice_key, read_notice_key, whole_item};
use super::table::Table;

/// Returns a transaction action that writes a webhook notification, for the transaction that
/// ends its job. It becomes due in the index after [`OUTBOX_REST`].
pub(super) fn putting(table: &Table, notice: &Notice) -> Result<TransactWriteItem, StoreError> {
    let key = notice_key(&notice.job_id, notice.attempt);
    let due = notice.ended_at.saturating_add(OUTBOX_REST).unwrap_or(notice.ended_at);
    table.putting(indexed(whole_item(notice, key, "notice")?, NOTICES_SHARD, due))
}

impl Notices for DynamoTransferStore {
    async fn notice(&self, job: &TransferId, attempt: u32) -> Result<Option<Notice>, StoreError> {
        let table = &self.table;
        let Some(item) = table.get(notice_key(job, attempt)).await? else { return Ok(None) };
        serde_dynamo::aws_sdk_dynamodb_1::from_item(item).map(Some).map_err(|_| corrupt("notice"))
    }

    async fn notice_queued(&self, job: &TransferId, attempt: u32) -> Result<(), StoreError> {
        let table = &self.table;
        match table.delete(notice_key(job, attempt), Change::default()).await {
            Ok(()) => Ok(()),
            Err(failure) => failure.stood(),
        }
    }

    async fn resting_notices(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(TransferId, u32)>, StoreError> {
        let table = &self.table;
        let found = table.due(NOTICES_SHARD, now.as_millisecond(), limit).await?;
        Ok(found.iter().filter_map(|(_, key)| read_notice_key(key)).collect())
    }
}

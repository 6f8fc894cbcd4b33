//! Outbox of webhook notifications in DynamoDB: items `NOTICE#…` in the partition of their job.
//!
//! The transaction that ends a job writes the notification into the outbox. The function `notify`
//! reads the notification from the table's stream, sends it to the webhook queue, and deletes it.
//! The *sweeper* (the background repair) does the same for notifications that `notify` missed.

use aws_sdk_dynamodb::types::TransactWriteItem;
use docferry_app::ports::{NotificationOutbox, OUTBOX_RESEND_DELAY, StoreError};
use docferry_domain::ids::TransferId;
use docferry_domain::job::WebhookNotification;
use jiff::Timestamp;

use super::DynamoTransferStore;
use super::conditional_update::ConditionalUpdate;
use super::items::{corrupt, whole_item};
use super::keys::{notification_key, read_notification_key};
use super::table::Table;
use super::unfinished_index::{NOTIFICATIONS_SHARD, indexed};

/// Returns a transaction action that writes a webhook notification. The transaction that ends the
/// job must contain this action.
///
/// The notification becomes due for the sweeper in the index `unfinished` after
/// [`OUTBOX_RESEND_DELAY`].
pub(super) fn put_action(
    table: &Table,
    notification: &WebhookNotification,
) -> Result<TransactWriteItem, StoreError> {
    let key = notification_key(&notification.job_id, notification.end_number);
    let due =
        notification.ended_at.saturating_add(OUTBOX_RESEND_DELAY).unwrap_or(notification.ended_at);
    table.put_action(indexed(
        whole_item(notification, key, "notification")?,
        NOTIFICATIONS_SHARD,
        due,
    ))
}

impl NotificationOutbox for DynamoTransferStore {
    async fn notification(
        &self,
        job: &TransferId,
        end_number: u32,
    ) -> Result<Option<WebhookNotification>, StoreError> {
        let table = &self.table;
        let Some(item) = table.get(notification_key(job, end_number)).await? else {
            return Ok(None);
        };
        serde_dynamo::aws_sdk_dynamodb_1::from_item(item)
            .map(Some)
            .map_err(|_| corrupt("notification"))
    }

    async fn remove_queued_notification(
        &self,
        job: &TransferId,
        end_number: u32,
    ) -> Result<(), StoreError> {
        let table = &self.table;
        match table.delete(notification_key(job, end_number), ConditionalUpdate::default()).await {
            Ok(()) => Ok(()),
            Err(failure) => failure.current_item(),
        }
    }

    async fn unsent_notifications(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(TransferId, u32)>, StoreError> {
        let table = &self.table;
        let found = table.due(NOTIFICATIONS_SHARD, now.as_millisecond(), limit).await?;
        Ok(found.iter().filter_map(|(_, key)| read_notification_key(key)).collect())
    }
}

//! Sends the records of the audit trail and webhook notifications from the outbox to their queues.

use docferry_domain::audit::AuditEvent;
use docferry_domain::job::WebhookNotification;
use docferry_domain::transfer::OutcomeRecord;

use crate::TaskError;
use crate::ports::{AuditQueue, EventKey, EventOutbox, NotificationOutbox, Outbox, WebhookQueue};

/// Sends an outcome record and removes it from the outbox.
///
/// The record is delivered at least once. After a crash between the two writes, it is sent again
/// under the same id. A slow consumer of the queue delays no transfer.
///
/// # Errors
/// The errors of the queue and the store. The record then stays in the outbox, and the sweeper
/// sends it again.
pub async fn notify(
    outbox: &impl Outbox,
    queue: &impl AuditQueue,
    record: &OutcomeRecord,
) -> Result<(), TaskError> {
    queue.send(&record.clone().into()).await?;
    Ok(outbox.mark_sent(&record.transfer_id, record.execution_number).await?)
}

/// Sends an audit event about a request and removes it from the outbox. The event is delivered at
/// least once, as in [`notify`].
///
/// # Errors
/// The errors of the queue and the store. The event then stays in the outbox, and the sweeper sends
/// it again.
pub async fn send_event(
    outbox: &impl EventOutbox,
    queue: &impl AuditQueue,
    key: &EventKey,
    event: AuditEvent,
) -> Result<(), TaskError> {
    queue.send(&event.into()).await?;
    Ok(outbox.mark_event_sent(key).await?)
}

/// Puts a webhook notification into the queue of the function `webhook`, and removes it from
/// the outbox. The notification is queued at least once, as in [`notify`].
///
/// # Errors
/// The errors of the queue and the store. A caller that also sends outcomes should not fail
/// because of this error, because the sweeper queues the notification again.
pub async fn forward(
    notifications: &impl NotificationOutbox,
    queue: &impl WebhookQueue,
    notification: &WebhookNotification,
) -> Result<(), TaskError> {
    queue.queue_notification(notification).await?;
    Ok(notifications
        .remove_queued_notification(&notification.job_id, notification.end_number)
        .await?)
}

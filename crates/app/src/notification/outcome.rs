//! Sends messages from the outboxes to their queues: the records of the audit trail, and webhook
//! notifications.
//!
//! An *outbox* holds a message until a queue has accepted the message. The function `notify` sends
//! each message soon after it was stored. The *sweeper*, the background repair that runs every
//! minute, sends the messages that `notify` missed. A crash between the call of the queue and the
//! removal from the outbox causes a repetition: each message is sent at least once.

use docferry_domain::audit::AuditEvent;
use docferry_domain::job::WebhookNotification;
use docferry_domain::transfer::OutcomeRecord;

use crate::TaskError;
use crate::ports::{AuditQueue, EventKey, EventOutbox, NotificationOutbox, Outbox, WebhookQueue};

/// Sends an outcome record, which reports the end of a transfer, and removes it from the outbox. A
/// repetition has the same id.
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

/// Sends an audit event about a request, and removes it from the outbox.
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

/// Puts a webhook notification into the queue of the function `webhook`, and removes it from the
/// outbox.
///
/// # Errors
/// The errors of the queue and the store. The notification then stays in the outbox, and the
/// sweeper queues it again. A caller that also sends outcome records should continue with them.
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

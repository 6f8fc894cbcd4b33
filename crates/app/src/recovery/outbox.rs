//! Part of the sweeper that empties the outboxes. An *outbox* holds a message until a queue has
//! accepted it: the outcome of a transfer, an audit event, or a webhook notification.
//!
//! The function `notify` sends each message soon after it was stored. The sweeper sends those that
//! `notify` did not send.

use docferry_domain::ids::TransferId;
use jiff::Timestamp;

use crate::TaskError;
use crate::finish::FinishPorts;
use crate::notification::outcome::{forward, notify, send_event};
use crate::ports::{
    AuditQueue, Clock, EventOutbox, FinishAdapters, NotificationOutbox as _, Outbox as _,
    StoreError, WebhookQueue,
};

/// Number of failed audit events after which a sweep sends no more events. One bad event must not
/// block the others. An unavailable queue must not use up the time of the sweep.
const MAX_FAILED_EVENTS: usize = 10;

/// Returns the record that was read, or `None` for a record that this version cannot read. A newer
/// version of docferry may have written that record. It must not block other records.
fn readable<T>(
    id: &TransferId,
    read: Result<Option<T>, StoreError>,
) -> Result<Option<T>, StoreError> {
    match read {
        Err(StoreError::Corrupt(_)) => {
            tracing::error!(transfer.id = id.as_str(), "unsent record cannot be read");
            Ok(None)
        }
        read => read,
    }
}

/// Sends outcomes that `notify` did not send. Returns the number of sent outcomes.
///
/// Stops at the first outcome that the queue does not accept, because the queue would probably not
/// accept further outcomes either.
pub(super) async fn send_unsent_outcomes<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    queue: &impl AuditQueue,
    limit: usize,
    stop_at: Timestamp,
) -> Result<usize, TaskError> {
    let mut sent = 0;
    for (id, execution_number) in ports.store.unsent(ports.clock.now(), limit).await? {
        if ports.clock.now() >= stop_at {
            break;
        }
        let Some(record) = readable(&id, ports.store.outcome(&id, execution_number).await)? else {
            continue;
        };
        if let Err(error) = notify(ports.store, queue, &record).await {
            let code = error.code.as_str();
            tracing::warn!(transfer.id = id.as_str(), error.code = code, "outcome not sent");
            break;
        }
        sent += 1;
    }
    Ok(sent)
}

/// Sends audit events that `notify` did not send, and all denials. A *denial* is a refused request
/// for documents: they do not exist, or the person may not see them. The denials of one person in
/// one minute form one event.
///
/// Returns the number of sent events. Stops after [`MAX_FAILED_EVENTS`] failures.
pub(super) async fn send_unsent_events(
    clock: &impl Clock,
    events: &impl EventOutbox,
    queue: &impl AuditQueue,
    limit: usize,
    stop_at: Timestamp,
) -> Result<usize, TaskError> {
    let (mut sent, mut failed) = (0, 0);
    for key in events.unsent_events(clock.now(), limit).await? {
        if clock.now() >= stop_at {
            break;
        }
        let event = match events.unsent_event(&key).await {
            Ok(Some(event)) => event,
            Ok(None) => continue,
            Err(StoreError::Corrupt(_)) => {
                tracing::error!("unsent audit event cannot be read");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if let Err(error) = send_event(events, queue, &key, event).await {
            tracing::warn!(error.code = error.code.as_str(), "audit event not sent");
            failed += 1;
            if failed >= MAX_FAILED_EVENTS {
                break;
            }
            continue;
        }
        sent += 1;
    }
    Ok(sent)
}

/// Queues webhook notifications that `notify` did not queue. Returns the number of queued
/// notifications. Stops at the first notification that the queue does not accept.
pub(super) async fn send_unsent_notifications<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    queue: &impl WebhookQueue,
    limit: usize,
    stop_at: Timestamp,
) -> Result<usize, TaskError> {
    let mut forwarded = 0;
    for (id, end_number) in ports.store.unsent_notifications(ports.clock.now(), limit).await? {
        if ports.clock.now() >= stop_at {
            break;
        }
        let Some(notification) = readable(&id, ports.store.notification(&id, end_number).await)?
        else {
            continue;
        };
        if let Err(error) = forward(ports.store, queue, &notification).await {
            let code = error.code.as_str();
            tracing::warn!(job.id = id.as_str(), error.code = code, "notification not queued");
            break;
        }
        forwarded += 1;
    }
    Ok(forwarded)
}

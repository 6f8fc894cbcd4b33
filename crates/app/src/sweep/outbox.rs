//! Outcomes and notices that were not sent when they were written.

use docferry_domain::TransferId;
use jiff::Timestamp;

use crate::TaskError;
use crate::finalize::Ports;
use crate::notify::{forward, notify};
use crate::ports::{AuditQueue, Clock, Store, StoreError, WebhookQueue};

/// What was read; none when it cannot be: a newer version may have written it, and
/// must not keep everything else from being looked after.
fn readable<T>(
    id: &TransferId,
    read: Result<Option<T>, StoreError>,
) -> Result<Option<T>, StoreError> {
    match read {
        Err(StoreError::Corrupt(_)) => {
            tracing::error!(transfer.id = id.as_str(), "what is to be told of it cannot be read");
            Ok(None)
        }
        read => read,
    }
}

/// Tells outcomes that `notify` did not tell. Stops at the first that the queue does
/// not take: the others would not fare better.
pub(super) async fn tell<S, D, G, L, A, C>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    queue: &impl AuditQueue,
    limit: usize,
    until: Timestamp,
) -> Result<usize, TaskError>
where
    S: Store,
    C: Clock,
{
    let mut told = 0;
    for (id, attempt) in ports.store.untold(ports.clock.now(), limit).await? {
        if ports.clock.now() >= until {
            break;
        }
        let Some(record) = readable(&id, ports.store.outcome(&id, attempt).await)? else {
            continue;
        };
        if let Err(error) = notify(ports.store, queue, &record).await {
            let code = error.code.as_str();
            tracing::warn!(transfer.id = id.as_str(), error.code = code, "outcome not told");
            break;
        }
        told += 1;
    }
    Ok(told)
}

/// The same for notices; neither waits for the other.
pub(super) async fn forward_resting<S, D, G, L, A, C>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    queue: &impl WebhookQueue,
    limit: usize,
    until: Timestamp,
) -> Result<usize, TaskError>
where
    S: Store,
    C: Clock,
{
    let mut forwarded = 0;
    for (id, attempt) in ports.store.resting_notices(ports.clock.now(), limit).await? {
        if ports.clock.now() >= until {
            break;
        }
        let Some(notice) = readable(&id, ports.store.notice(&id, attempt).await)? else { continue };
        if let Err(error) = forward(ports.store, queue, &notice).await {
            let code = error.code.as_str();
            tracing::warn!(job.id = id.as_str(), error.code = code, "notice not forwarded");
            break;
        }
        forwarded += 1;
    }
    Ok(forwarded)
}

//! Tells of an ending: what lies in the outbox goes to the queues.

use docferry_domain::{Notice, OutcomeRecord};

use crate::TaskError;
use crate::ports::{AuditQueue, Notices, Outbox, WebhookQueue};

/// Sends an outcome and takes it out of the outbox.
///
/// At least once: when the process dies in between, it is sent again, under the
/// same id. It only sends, so a slow reader of the queue delays nobody.
///
/// # Errors
/// When the queue or the store does not answer; the record stays, and `sweep`
/// sends it again.
pub async fn notify(
    outbox: &impl Outbox,
    queue: &impl AuditQueue,
    record: &OutcomeRecord,
) -> Result<(), TaskError> {
    queue.send(record).await?;
    Ok(outbox.told(&record.transfer_id, record.attempt).await?)
}

/// Puts a notice into the queue of the function `webhook`, and takes it off those that
/// rest. At least once, as [`notify`].
///
/// # Errors
/// As [`notify`]. Whoever tells outcomes too is not to be held up by it: `sweep` does it
/// again.
pub async fn forward(
    notices: &impl Notices,
    queue: &impl WebhookQueue,
    notice: &Notice,
) -> Result<(), TaskError> {
    queue.queue_notice(notice).await?;
    Ok(notices.notice_queued(&notice.job_id, notice.attempt).await?)
}

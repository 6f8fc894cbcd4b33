//! Tells of an ending: what lies in the outbox goes to the audit queue.

use docferry_domain::OutcomeRecord;

use crate::TaskError;
use crate::ports::{AuditQueue, Outbox};

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

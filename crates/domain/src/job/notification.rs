//! Notification of the end of a job. docferry sends it to a *webhook*, an HTTPS endpoint that the
//! caller named in the request.
//!
//! A job is a transfer of one document or a batch of many documents. A *run* is one pass of a job:
//! the first run, or a retry. A run of a transfer has one *execution* of the workflow. If an
//! execution dies, the run gets another one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::callback::CallbackUrl;
use crate::failure::FailureCode;
use crate::ids::TransferId;
use crate::job::{Batch, BatchCounts};
use crate::phase::Phase;
use crate::trace::TraceParent;
use crate::transfer::{Outcome, Transfer};

/// Notification of the end of a job.
///
/// The transaction that ends the job stores the notification. Then docferry sends it at least once,
/// each time with the same [`WebhookNotification::message_id`].
///
/// The notification contains the webhook's URL, but no names of documents. Its table and its queue
/// are encrypted, and it is never logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookNotification {
    /// Id of the job.
    pub job_id: TransferId,
    /// Number of this end among the ends of the job. A job can end several times, once for each
    /// retry. For a transfer, this is the number of the execution; for a batch, the number of the
    /// run.
    #[serde(rename = "attempt")]
    pub end_number: u32,
    /// URL of the webhook.
    pub callback: CallbackUrl,
    /// Terminal phase of the job.
    pub outcome: Phase,
    /// Reason why the job was not completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureCode>,
    /// Number of the run: 1, and one more for each retry.
    pub runs: u32,
    /// Number of documents of the job.
    pub documents: u16,
    /// Number of documents that were not delivered; `None` in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_documents: Option<u16>,
    /// Time of the end.
    pub ended_at: Timestamp,
    /// Trace context of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
}

impl WebhookNotification {
    /// Returns the notification for a transfer that has ended. Returns `None` if the transfer has
    /// not ended, or if the caller named no webhook.
    #[must_use]
    pub fn of_transfer(ended: &Transfer) -> Option<Self> {
        Some(Self {
            job_id: ended.transfer_id.clone(),
            end_number: ended.execution_number,
            callback: ended.spec.callback.clone()?,
            outcome: ended.phase,
            failure: ended.failure.as_ref().map(|failure| failure.code),
            runs: ended.retries.saturating_add(1),
            documents: 1,
            failed_documents: Some((ended.phase != Phase::Completed).into()),
            ended_at: ended.ended_at?,
            trace: ended.spec.trace.clone(),
        })
    }

    /// Returns the notification for a batch that ends with `outcome`. Returns `None` if the caller
    /// named no webhook, or if the batch was never committed (its documents were not all recorded).
    #[must_use]
    pub fn of_batch(
        ending: &Batch,
        counts: &BatchCounts,
        outcome: Outcome,
        ended_at: Timestamp,
    ) -> Option<Self> {
        let callback = ending.spec.callback.clone().filter(|_| ending.phase != Phase::Accepted)?;
        // A batch ends once in each of its runs.
        let runs = ending.retries.saturating_add(1);
        Some(Self {
            job_id: ending.batch_id.clone(),
            end_number: runs,
            callback,
            outcome: outcome.phase(),
            failure: outcome.failure(),
            runs,
            documents: ending.documents,
            failed_documents: Some(counts.failed()),
            ended_at,
            trace: ending.spec.trace.clone(),
        })
    }

    /// Returns the id of the message. The id is the same for each repetition, so that a receiver
    /// can discard duplicates. It contains no dot, because dots separate the parts of the text that
    /// is signed.
    #[must_use]
    pub fn message_id(&self) -> String {
        format!("{}-{}", self.job_id, self.end_number)
    }
}

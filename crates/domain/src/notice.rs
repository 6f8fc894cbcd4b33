use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Bundle, BundleCounts, CallbackUrl, FailureCode, Outcome, Phase, TraceParent, Transfer,
    TransferId,
};

/// What is told of the end of a job to whom its caller named: written in the
/// transaction that ends the job, then sent at least once, always under the same
/// [`Notice::message_id`].
///
/// Holds the URL that is called, and of the documents nothing: it rests in the encrypted
/// table and travels through an encrypted queue, and goes to no log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// The job.
    pub job_id: TransferId,
    /// Which of its ends: another number for each.
    pub attempt: u32,
    /// Where it is told to.
    pub callback: CallbackUrl,
    /// How it ended: a terminal phase.
    pub outcome: Phase,
    /// Why, unless it was completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureCode>,
    /// How often its owner had it run, 1 or more.
    pub runs: u32,
    /// How many documents it has.
    pub documents: u16,
    /// How many of them were not delivered; `None` in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_documents: Option<u16>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The trace that the request for it belonged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
}

impl Notice {
    /// What is told of a job of one document; `None` while it runs, or when nobody wants
    /// to be told.
    #[must_use]
    pub fn of_transfer(ended: &Transfer) -> Option<Self> {
        Some(Self {
            job_id: ended.transfer_id.clone(),
            attempt: ended.attempt,
            callback: ended.callback.clone()?,
            outcome: ended.phase,
            failure: ended.failure.as_ref().map(|failure| failure.code),
            runs: ended.retries.saturating_add(1),
            documents: 1,
            failed_documents: Some((ended.phase != Phase::Completed).into()),
            ended_at: ended.ended_at?,
            trace: ended.trace.clone(),
        })
    }

    /// The same of a job of many that ends so; `None` also for one that was never
    /// promised.
    #[must_use]
    pub fn of_bundle(
        ending: &Bundle,
        counts: &BundleCounts,
        outcome: Outcome,
        ended_at: Timestamp,
    ) -> Option<Self> {
        let callback = ending.callback.clone().filter(|_| ending.phase != Phase::Accepted)?;
        // A bundle ends once in each of its runs.
        let runs = ending.retries.saturating_add(1);
        Some(Self {
            job_id: ending.bundle_id.clone(),
            attempt: runs,
            callback,
            outcome: outcome.phase(),
            failure: outcome.failure(),
            runs,
            documents: ending.documents,
            failed_documents: Some(counts.failed()),
            ended_at,
            trace: ending.trace.clone(),
        })
    }

    /// The same for each repeat, so that a receiver can tell one. No dot is in it: what
    /// is signed has dots between its parts.
    #[must_use]
    pub fn message_id(&self) -> String {
        format!("{}-{}", self.job_id, self.attempt)
    }
}

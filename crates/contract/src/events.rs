//! Server-sent events with which the downloads API, version 1, reports the changes of one job. A
//! *run* is one pass of a job: the first run, or a retry.

use serde::Serialize;

use crate::job::{JobItem, Progress, Timestamps};

/// Event `status`: the state of the job has changed, or another run has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusEvent {
    /// Id of the job.
    pub job_id: String,
    /// Name of a [`JobState`](docferry_domain::job::JobState).
    pub status: &'static str,
    /// Number of the run: 1, and one more for each retry.
    pub attempts: u32,
    /// Times of the request, the start, the last change and the end of the job.
    pub timestamps: Timestamps,
}

/// Event `progress`. It has the same values as the job's status with `?progress=detail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProgressEvent {
    /// Progress of the job.
    #[serde(flatten)]
    pub progress: Progress,
    /// Estimated seconds until the job ends. It is null while there is no estimate.
    pub eta_seconds: Option<u64>,
}

/// Event `result`: the delivered documents of a completed job.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultEvent {
    /// URL of the document. It is null unless the job delivered exactly one download.
    pub url: Option<String>,
    /// Time at which the URL expires.
    pub expires_at: Option<String>,
    /// One entry for each document.
    pub items: Vec<JobItem>,
}

impl std::fmt::Debug for ResultEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResultEvent(…)")
    }
}

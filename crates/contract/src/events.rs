//! The contract of downloads, version 1: what followers of a job are told.

use serde::Serialize;

use crate::job::{JobItem, Progress, Timestamps};

/// The event `status`: how the job stands, and that it runs again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusEvent {
    /// The job.
    pub job_id: String,
    /// One of the names of [`JobState`](docferry_domain::JobState).
    pub status: &'static str,
    /// 1, and one more for each retry.
    pub attempts: u32,
    /// When what happened.
    pub timestamps: Timestamps,
}

/// The event `progress`: as the status has it with `?progress=detail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProgressEvent {
    /// How far it is.
    #[serde(flatten)]
    pub progress: Progress,
    /// Seconds to its end; null while nobody can tell.
    pub eta_seconds: Option<u64>,
}

/// The event `result`: what a completed job has delivered.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultEvent {
    /// Where to fetch the document; null when there is not the one to fetch.
    pub url: Option<String>,
    /// When that ends to work.
    pub expires_at: Option<String>,
    /// One entry a document.
    pub items: Vec<JobItem>,
}

impl std::fmt::Debug for ResultEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResultEvent(…)")
    }
}

//! Response bodies with the status of one job, or with a list of jobs.
//!
//! A *job* is a transfer of one document or a batch of many documents. A *run* is one pass of a
//! job: the first run, or a retry by its caller. A *try* is one call of a workflow step within a
//! run.

use docferry_domain::ids::FileId;
use serde::Serialize;

use super::delivery::JobResult;

/// A page of the caller's jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobList {
    /// Jobs, newest first.
    pub items: Vec<ListedJob>,
    /// Token for the request of the next page; null on the last page.
    pub next_page_token: Option<String>,
}

/// Entry of a job list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedJob {
    /// Id of the job, for status requests.
    pub job_id: String,
    /// Name of a [`JobState`](docferry_domain::job::JobState).
    pub status: &'static str,
    /// Number of the run: 1, and one more for each retry.
    pub attempts: u32,
    /// Number of requested documents.
    pub total_file_ids: u16,
    /// Number of documents that ended without a delivery; 0 while the job runs.
    pub failed_items: u16,
    /// Times of the request, the start, the last change and the end of the job.
    pub timestamps: Timestamps,
    /// Time until which the job and its delivered documents are retained.
    pub expires_at: Option<String>,
    /// Cause of the failure. It is absent if the job has not failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<JobError>,
}

/// Status of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// Id of the job.
    pub job_id: String,
    /// Name of a [`JobState`](docferry_domain::job::JobState).
    pub status: &'static str,
    /// Progress of the job.
    pub progress: Progress,
    /// Estimated seconds until the job ends. It is null while there is no estimate.
    pub eta_seconds: Option<u64>,
    /// Number of the run: 1, and one more for each retry.
    pub attempts: u32,
    /// Number of tries of the current step in this run, at least 1. For a batch it is the highest
    /// number of tries among its documents.
    pub tries: u32,
    /// Latest failure in this run after which a step was tried again.
    pub last_transient_error: Option<JobTransientError>,
    /// Number of documents that ended without a delivery. With `onItemError: skip`, a job may
    /// complete although this number is not 0.
    pub failed_items: u16,
    /// Times of the request, the start, the last change and the end of the job.
    pub timestamps: Timestamps,
    /// Time at which the job ended, as in `timestamps`.
    pub completed_at: Option<String>,
    /// Interval until the next poll, in milliseconds. It is null if the job has ended.
    pub next_poll_in_ms: Option<u32>,
    /// URL of the document if the job has completed, as in `result`.
    pub url: Option<String>,
    /// URL of the document with its expiry, if the job has completed.
    pub result: Option<JobResult>,
    /// Cause of the failure. It is null if the job has not failed.
    pub error: Option<JobError>,
    /// One entry for each document.
    pub items: Vec<JobItem>,
}

/// Progress of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Progress {
    /// Percentage, 0 to 100.
    Percent(u8),
    /// Details, with `?progress=detail`.
    #[serde(rename_all = "camelCase")]
    Detail {
        /// Percentage, 0 to 100.
        percent: u8,
        /// Number of bytes that have arrived at the destination.
        bytes_done: u64,
        /// Total number of bytes; null until the source has announced it.
        bytes_total: Option<u64>,
        /// Throughput in bytes per second; null while it is unknown.
        bytes_per_second: Option<u64>,
        /// Name of the current phase.
        phase: &'static str,
    },
}

/// Times of the request, the start, the last change and the end of the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Timestamps {
    /// Time of the request.
    pub queued_at: String,
    /// Start of the work.
    pub started_at: Option<String>,
    /// Time of the last known change.
    pub updated_at: String,
    /// Time of the end, with any outcome.
    pub completed_at: Option<String>,
}

/// Failure of a job or document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobError {
    /// Stable code, for programs.
    pub code: &'static str,
    /// Text for people: what happened and what to do.
    pub message: &'static str,
    /// Time of the failure.
    pub last_attempt_at: Option<String>,
}

/// Failure after which a step was tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobTransientError {
    /// Stable code, for programs.
    pub code: &'static str,
    /// Text for people: what happened.
    pub message: &'static str,
    /// Time of the failed try.
    pub at: String,
}

/// One document of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobItem {
    /// Number by which the request named the document. It is null if the request named the document
    /// by its GUID.
    #[serde(rename = "file_id")]
    pub file_id: Option<FileId>,
    /// GUID in the object store. It is absent if `file_id` names the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obj_guid: Option<String>,
    /// Id of the document's own job. A caller downloads a single document of a batch with this id.
    pub job_id: String,
    /// Name of a [`JobState`](docferry_domain::job::JobState).
    pub status: &'static str,
    /// Percentage, 0 to 100.
    pub progress: u8,
    /// Number of bytes that have arrived at the destination.
    pub bytes_done: u64,
    /// Total number of bytes; null until the source has announced it.
    pub bytes_total: Option<u64>,
    /// Cause of the failure. It is absent if the document has not failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<JobError>,
}

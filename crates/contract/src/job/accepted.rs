//! Response bodies for requests that start, retry or cancel a job, and for checks of a document.

use docferry_domain::ids::FileId;
use serde::Serialize;

/// Response to `POST /v1/download/initiate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobAccepted {
    /// Id of the job, with which the caller polls its status.
    pub job_id: String,
    /// State of the job: `queued`.
    pub status: &'static str,
    /// Number of requested documents.
    pub total_file_ids: usize,
    /// Interval until the first poll, in milliseconds.
    pub next_poll_in_ms: u32,
    /// Time until which the job and its delivered documents are retained.
    pub expires_at: String,
}

/// Response to `POST /v1/download/retry/{jobId}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobRetried {
    /// Id of the job, as in the request.
    pub job_id: String,
    /// State of the job: `queued`.
    pub status: &'static str,
    /// Number of runs of the job, including the new run.
    pub attempts: u32,
    /// Interval until the first poll, in milliseconds.
    pub next_poll_in_ms: u32,
    /// Time until which the job and its delivered documents are retained.
    pub expires_at: String,
}

/// Response to `POST /v1/download/cancel/{jobId}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobCanceling {
    /// Id of the job, as in the request.
    pub job_id: String,
    /// State of the job: `canceling`.
    pub status: &'static str,
}

/// Response to `POST /v1/download/check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileAvailability {
    /// Number of the document, as in the request.
    #[serde(rename = "file_id")]
    pub file_id: FileId,
    /// Whether the document can be requested.
    pub available: bool,
    /// Name of the document; absent if it is not available.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Size in bytes; absent if the document is not available.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

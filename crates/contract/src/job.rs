//! The contract of downloads, version 1: what callers get.

use docferry_domain::{FileId, JobState};
use jiff::Timestamp;
use serde::Serialize;

/// The answer to `POST /v1/download/initiate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobAccepted {
    /// What to poll with.
    pub job_id: String,
    /// `queued`.
    pub status: &'static str,
    /// How many documents were asked for.
    pub total_file_ids: usize,
    /// When to ask for the first time, in milliseconds.
    pub next_poll_in_ms: u32,
    /// Until when the job and what it delivers are kept.
    pub expires_at: String,
}

/// The answer to `POST /v1/download/retry/{jobId}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobRetried {
    /// As sent.
    pub job_id: String,
    /// `queued`.
    pub status: &'static str,
    /// How often it has run, this time included.
    pub attempts: u32,
    /// When to ask for the first time, in milliseconds.
    pub next_poll_in_ms: u32,
    /// Until when the job and what it delivers are kept.
    pub expires_at: String,
}

/// A page of somebody's jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobList {
    /// Newest first.
    pub items: Vec<ListedJob>,
    /// What to ask for the next page with; null at the end.
    pub next_page_token: Option<String>,
}

/// A job in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedJob {
    /// What to ask for its status with.
    pub job_id: String,
    /// One of the names of [`JobState`].
    pub status: &'static str,
    /// 1, and one more for each retry.
    pub attempts: u32,
    /// How many documents were asked for.
    pub total_file_ids: u16,
    /// Documents that ended without being delivered; 0 while the job runs.
    pub failed_items: u16,
    /// When what happened.
    pub timestamps: Timestamps,
    /// Until when the job and what it delivers are kept.
    pub expires_at: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<JobError>,
}

/// How a job stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// What was polled with.
    pub job_id: String,
    /// One of the names of [`JobState`].
    pub status: &'static str,
    /// How far it is.
    pub progress: Progress,
    /// Seconds to its end; null while nobody can tell.
    pub eta_seconds: Option<u64>,
    /// 1, and one more for each retry.
    pub attempts: u32,
    /// Tries of the present step in this run, 1 or more; of many documents, those of the
    /// one with the most.
    pub tries: u32,
    /// The last failure of this run after which a step was tried again.
    pub last_transient_error: Option<JobTransientError>,
    /// Documents that ended without being delivered. With `onItemError: skip`, a job
    /// completes although there are some.
    pub failed_items: u16,
    /// When what happened.
    pub timestamps: Timestamps,
    /// The same as in `timestamps`.
    pub completed_at: Option<String>,
    /// When to ask again, in milliseconds; null once nothing changes any more.
    pub next_poll_in_ms: Option<u32>,
    /// Where to fetch the document, once completed; the same as in `result`.
    pub url: Option<String>,
    /// Where to fetch the document, once completed.
    pub result: Option<JobResult>,
    /// Why it failed.
    pub error: Option<JobError>,
    /// One entry a document.
    pub items: Vec<JobItem>,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Progress {
    /// A whole percentage, 0 to 100.
    Percent(u8),
    /// With `?progress=detail`.
    #[serde(rename_all = "camelCase")]
    Detail {
        /// 0 to 100.
        percent: u8,
        /// Bytes that have arrived at their destination.
        bytes_done: u64,
        /// Bytes in all; null until the source has told.
        bytes_total: Option<u64>,
        /// How fast they move; null while nobody can tell.
        bytes_per_second: Option<u64>,
        /// The step that it is in.
        phase: &'static str,
    },
}

/// When what happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Timestamps {
    /// It was asked for.
    pub queued_at: String,
    /// Work began.
    pub started_at: Option<String>,
    /// The last that is known of it.
    pub updated_at: String,
    /// It ended, however it did.
    pub completed_at: Option<String>,
}

/// Where to fetch a document.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobResult {
    /// Whoever has it can fetch the document.
    pub url: String,
    /// When it ends to work.
    pub expires_at: String,
}

impl std::fmt::Debug for JobResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JobResult(…)")
    }
}

/// The answer to `GET /v1/download/{jobId}` of a completed job whose documents are not
/// one object to fetch: a batch, or a delivery to OneDrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobResults {
    /// One entry a delivered document, in the order of the request.
    pub items: Vec<DeliveredDocument>,
}

/// Where a delivered document is.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct DeliveredDocument {
    /// The document, as it was asked for.
    #[serde(flatten)]
    pub name: DocumentKey,
    /// Where it is.
    #[serde(flatten)]
    pub place: DeliveryPlace,
}

/// Names a document as its caller does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum DocumentKey {
    /// By its number.
    #[serde(rename = "file_id")]
    FileId(FileId),
    /// By its GUID at the object store.
    #[serde(rename = "objGuid")]
    ObjectGuid(String),
}

/// Where a delivered document is.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum DeliveryPlace {
    /// At a presigned URL.
    Download(JobResult),
    /// In a OneDrive.
    #[serde(rename_all = "camelCase")]
    Onedrive {
        /// Where the drive's owner opens it in a browser; null for deliveries of older
        /// versions.
        web_url: Option<String>,
    },
}

impl std::fmt::Debug for DeliveredDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeliveredDocument({:?}, …)", self.name)
    }
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobError {
    /// A stable code, for programs.
    pub code: &'static str,
    /// What happened and what to do, for people.
    pub message: &'static str,
    /// When it failed.
    pub last_attempt_at: Option<String>,
}

/// A failure after which a step was tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobTransientError {
    /// A stable code, for programs.
    pub code: &'static str,
    /// What happened, for people.
    pub message: &'static str,
    /// When the try failed.
    pub at: String,
}

/// One document of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobItem {
    /// As it was asked for.
    #[serde(rename = "file_id")]
    pub file_id: Option<FileId>,
    /// The document's own job: what to fetch it by in a job of many.
    pub job_id: String,
    /// One of the names of [`JobState`].
    pub status: &'static str,
    /// 0 to 100.
    pub progress: u8,
    /// Bytes that have arrived at their destination.
    pub bytes_done: u64,
    /// Bytes in all; null until the source has told.
    pub bytes_total: Option<u64>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<JobError>,
}

/// The answer to `POST /v1/download/cancel/{jobId}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobCanceling {
    /// As sent.
    pub job_id: String,
    /// `canceling`.
    pub status: &'static str,
}

/// The answer to `POST /v1/download/check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileChecked {
    /// As sent.
    #[serde(rename = "file_id")]
    pub file_id: FileId,
    /// Whether it can be asked for.
    pub available: bool,
    /// What it is called, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Its size in bytes, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// The name of a state on the wire.
#[must_use]
pub const fn name(state: JobState) -> &'static str {
    state.as_str()
}

/// ISO 8601 in UTC, to the millisecond.
#[must_use]
pub fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

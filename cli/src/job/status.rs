//! JSON types for the status of a job, and for the presigned URLs of its documents.
//!
//! A job of the downloads API makes documents available in the delivery bucket. A presigned URL
//! lets anyone who has it download one of them. A job has one or more runs: the first one, and one
//! for each retry.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// State of a job or of one of its documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// The job waits for a slot, which is the right to move bytes.
    Queued,
    /// Documents are being transferred.
    Running,
    /// Documents that were fetched are being packed or verified.
    ProcessingArtifacts,
    /// All requested documents can be downloaded.
    Completed,
    /// The job ended with an error.
    Failed,
    /// A cancel request ended the job.
    Canceled,
    /// The job has ended, and its documents are no longer retained.
    Expired,
}

impl JobState {
    /// Returns whether the job has ended. Only a retry can change a job that has ended.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled | Self::Expired)
    }

    /// The name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::ProcessingArtifacts => "processing_artifacts",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }
}

/// Response body of `GET /v1/download/status/{jobId}`, without its URLs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// The id of the job.
    pub job_id: String,
    /// State of the job.
    pub status: JobState,
    /// Progress from 0 to 100.
    pub progress: u8,
    /// Estimated seconds until the end, or `None` if there is no estimate.
    pub eta_seconds: Option<u64>,
    /// Number of runs: 1, plus one for each retry.
    pub attempts: u32,
    /// Times of the job's main events.
    pub timestamps: Timestamps,
    /// Pause before the next poll in milliseconds, or `None` after the job has ended.
    pub next_poll_in_ms: Option<u64>,
    /// Cause of the failure.
    pub error: Option<JobError>,
    /// Number of documents that ended without a delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_items: Option<u64>,
    /// The documents, in the order of the request.
    pub items: Vec<JobItem>,
}

impl JobStatus {
    /// The pause that the service asked for.
    #[must_use]
    pub fn next_poll(&self) -> Option<Duration> {
        self.next_poll_in_ms.map(Duration::from_millis)
    }

    /// Returns whether this is the status of a job. The downloads API reports transfers of the
    /// older API in the same form: with one document, which has neither a number nor an id of its
    /// own.
    #[must_use]
    pub fn is_of_downloads_api(&self) -> bool {
        let has_own_id = |item: &JobItem| item.job_id.as_ref().is_some_and(|id| *id != self.job_id);
        self.items.iter().any(|item| item.file_id.is_some() || has_own_id(item))
    }

    /// Number of documents that a completed job did not deliver: the maximum of `failed_items` and
    /// the number of `items` that were not delivered.
    #[must_use]
    pub fn undelivered_documents(&self) -> u64 {
        let is_undelivered = |item: &&JobItem| {
            matches!(item.status, JobState::Failed | JobState::Canceled | JobState::Expired)
        };
        let undelivered = self.items.iter().filter(is_undelivered).count();
        self.failed_items.unwrap_or_default().max(u64::try_from(undelivered).unwrap_or(u64::MAX))
    }
}

/// Times of a job's main events, ISO 8601.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timestamps {
    /// Time of the request.
    pub queued_at: Option<String>,
    /// Start of the work.
    pub started_at: Option<String>,
    /// Last change of the job.
    pub updated_at: Option<String>,
    /// End of the job, successful or not.
    pub completed_at: Option<String>,
}

/// Cause of a failure of a job or a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobError {
    /// Stable failure code for programs.
    pub code: String,
    /// Description and advice, in English.
    pub message: String,
    /// Time of the failure, ISO 8601.
    pub last_attempt_at: Option<String>,
}

/// One document of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobItem {
    /// The number of the document in the request. It is `None` for a document that was requested by
    /// its GUID.
    #[serde(rename = "file_id")]
    pub file_id: Option<u64>,
    /// The GUID of a document that was not requested by its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obj_guid: Option<String>,
    /// The id by which to fetch the document. If there is none, the document is fetched by the id
    /// of the whole job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// State of the document.
    pub status: JobState,
    /// Progress from 0 to 100.
    pub progress: u8,
    /// Bytes that are stored in the delivery bucket.
    pub bytes_done: u64,
    /// Size in bytes, once known.
    pub bytes_total: Option<u64>,
    /// Cause of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<JobError>,
}

/// Presigned URL of a document. It is a bearer secret: anyone who has it can download the
/// document.
#[derive(Debug, Clone, Deserialize)]
pub struct JobUrl {
    /// The URL for a plain GET without credentials.
    pub url: SecretString,
}

/// Response of `GET /v1/download/{jobId}`.
#[derive(Debug, Clone)]
pub enum FetchResponse {
    /// The document can be downloaded.
    Ready(JobUrl),
    /// The document is not ready, or its job ended without it (HTTP status 409).
    NotReady {
        /// Status of the job.
        status: Box<JobStatus>,
        /// The pause that the service asked for in `Retry-After`, if any.
        retry_after: Option<Duration>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn job_state_names_match_the_contract() {
        for name in [
            "queued",
            "running",
            "processing_artifacts",
            "completed",
            "failed",
            "canceled",
            "expired",
        ] {
            let state: JobState = serde_json::from_value(json!(name)).unwrap();
            assert_eq!(state.as_str(), name);
        }
    }

    #[test]
    fn job_by_guids_is_not_a_transfer_of_the_older_api() {
        for (file_id, item_id, expected) in [
            (json!(10_001), "j1", true),
            (json!(null), "j1_0000", true),
            (json!(null), "j1", false),
        ] {
            let status: JobStatus = serde_json::from_value(json!({
                "jobId": "j1", "status": "running", "progress": 0, "attempts": 1,
                "timestamps": {
                    "queuedAt": "2026-11-23T17:00:00.120Z", "startedAt": null,
                    "updatedAt": "2026-11-23T17:00:00.120Z", "completedAt": null,
                },
                "nextPollInMs": 1000, "url": null, "result": null, "error": null,
                "items": [{
                    "file_id": file_id, "jobId": item_id, "status": "running",
                    "progress": 0, "bytesDone": 0, "bytesTotal": null,
                }],
            }))
            .unwrap();
            assert_eq!(status.is_of_downloads_api(), expected, "{file_id} {item_id}");
        }
    }

    #[test]
    fn debug_output_shows_no_presigned_url() {
        let url: JobUrl =
            serde_json::from_value(json!({ "url": "https://x/?Signature=hunter2" })).unwrap();
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}

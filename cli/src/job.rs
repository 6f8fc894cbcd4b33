//! The JSON of the downloads API, spelled as its contract spells it.
//!
//! A URL that opens a document is read only where one is asked for, and neither shown
//! nor written out: status documents are taken in without theirs.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What `POST /v1/download/initiate` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewJob {
    /// One document.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_id: Option<u64>,
    /// Or many.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_ids: Option<Vec<u64>>,
    priority: Priority,
    /// Of many documents, one that fails does not stop the others.
    #[serde(rename = "onItemError", skip_serializing_if = "Option::is_none")]
    on_item_error: Option<&'static str>,
}

impl NewJob {
    /// A job of these documents; one that cannot be had does not stop the others.
    #[must_use]
    pub fn new(files: &[u64], priority: Priority) -> Self {
        let (file_id, file_ids) = match files {
            [one] => (Some(*one), None),
            many => (None, Some(many.to_vec())),
        };
        let on_item_error = file_ids.is_some().then_some("skip");
        Self { file_id, file_ids, priority, on_item_error }
    }
}

/// How urgent a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "their names say it")]
pub enum Priority {
    Low,
    #[default]
    Normal,
    High,
}

/// What `initiate` and `retry` answer with 202.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobAccepted {
    /// The id to ask for.
    pub job_id: String,
    /// `queued`.
    pub status: JobState,
    /// Which attempt this is; told by `retry`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// How many documents; told by `initiate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_file_ids: Option<u64>,
    /// Until when the job and what it delivers are kept, ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// The part of the answer of `POST /v1/download/check` that is used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KnownDocument {
    pub(crate) file_name: Option<String>,
}

/// What `POST /v1/download/cancel/{jobId}` answers with 202: that it heard.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct JobCanceling {
    #[serde(rename = "status")]
    _status: Canceling,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Canceling {
    Canceling,
}

/// How a job or one of its documents stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It waits for its turn.
    Queued,
    /// Its documents are on their way.
    Running,
    /// What was fetched is being packed or verified.
    ProcessingArtifacts,
    /// All that was asked for can be had.
    Completed,
    /// Ended with an error.
    Failed,
    /// Ended on request.
    Canceled,
    /// Ended, and not kept any more.
    Expired,
}

impl JobState {
    /// Whether only a retry changes it, or nothing.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled | Self::Expired)
    }

    /// The name on the wire.
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

/// What `GET /v1/download/status/{jobId}` answers, without its URLs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// The job.
    pub job_id: String,
    /// How it stands.
    pub status: JobState,
    /// 0 to 100.
    pub progress: u8,
    /// Seconds to its end; `None` while nobody can tell.
    pub eta_seconds: Option<u64>,
    /// 1, and one more for each retry.
    pub attempts: u32,
    /// When what happened.
    pub timestamps: Timestamps,
    /// When to ask again, in milliseconds; `None` once nothing changes any more.
    pub next_poll_in_ms: Option<u64>,
    /// Why it failed.
    pub error: Option<JobError>,
    /// How many documents were not delivered, once they have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_items: Option<u64>,
    /// One entry a document, in the order in which they were asked for.
    pub items: Vec<JobItem>,
}

impl JobStatus {
    /// The pause that the service asked for.
    #[must_use]
    pub fn next_poll(&self) -> Option<Duration> {
        self.next_poll_in_ms.map(Duration::from_millis)
    }

    /// How many documents a completed job is without.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let is_lost = |item: &&JobItem| {
            matches!(item.status, JobState::Failed | JobState::Canceled | JobState::Expired)
        };
        let lost = self.items.iter().filter(is_lost).count();
        self.failed_items.unwrap_or_default().max(u64::try_from(lost).unwrap_or(u64::MAX))
    }
}

/// When what happened, ISO 8601.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timestamps {
    /// It was asked for.
    pub queued_at: Option<String>,
    /// Work began.
    pub started_at: Option<String>,
    /// The last that is known of it.
    pub updated_at: Option<String>,
    /// It ended, however it did.
    pub completed_at: Option<String>,
}

/// Why a job or a document failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobError {
    /// A stable name for programs.
    pub code: String,
    /// What happened and what to do.
    pub message: String,
    /// When it failed, ISO 8601.
    pub last_attempt_at: Option<String>,
}

/// One document of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobItem {
    /// The number by which it was asked for; a transfer of the older API has none.
    #[serde(rename = "file_id")]
    pub file_id: Option<u64>,
    /// What to fetch it by; without it, the job's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// How it stands.
    pub status: JobState,
    /// 0 to 100.
    pub progress: u8,
    /// Bytes that have arrived where they can be fetched.
    pub bytes_done: u64,
    /// Its size in bytes, once known.
    pub bytes_total: Option<u64>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<JobError>,
}

/// Where to fetch a document: whoever has it can.
#[derive(Debug, Clone, Deserialize)]
pub struct JobUrl {
    /// For one plain GET, without credentials.
    pub url: SecretString,
}

/// What `GET /v1/download/{jobId}` answers.
#[derive(Debug, Clone)]
pub enum Fetchable {
    /// The document can be fetched.
    Ready(JobUrl),
    /// There is nothing to fetch, or not yet.
    NotReady {
        /// How the job stands.
        status: Box<JobStatus>,
        /// The pause that the service asked for, if it did.
        retry_after: Option<Duration>,
    },
}

/// A job in a list; what else the service says of it is kept as it came, but for URLs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobSummary {
    /// The job.
    pub job_id: String,
    /// How it stands.
    pub status: JobState,
    /// 1, and one more for each retry.
    pub attempts: u32,
    /// How many documents were asked for.
    pub total_file_ids: Option<u64>,
    /// When what happened.
    pub timestamps: Timestamps,
    /// The rest.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A page of a list of jobs, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobPage {
    /// The jobs.
    pub items: Vec<JobSummary>,
    /// Where the next page begins; `None` after the last.
    pub next_page_token: Option<String>,
}

/// Which jobs are listed.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobFilter {
    /// Those of this person, for who may ask for others.
    pub user_id: Option<String>,
    /// Those that stand so.
    pub status: Option<JobState>,
    /// How many a page.
    pub page_size: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_document_is_a_job_of_one_and_many_go_on_without_those_that_fail() {
        let one = serde_json::to_value(NewJob::new(&[10_001], Priority::High)).unwrap();
        assert_eq!(one, json!({ "file_id": 10_001, "priority": "high" }));
        let many = serde_json::to_value(NewJob::new(&[2, 1], Priority::default())).unwrap();
        let expected = json!({ "file_ids": [2, 1], "priority": "normal", "onItemError": "skip" });
        assert_eq!(many, expected);
    }

    #[test]
    fn the_names_of_states_are_the_contracts() {
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
    fn a_url_that_opens_a_document_is_in_no_debug_output() {
        let url: JobUrl =
            serde_json::from_value(json!({ "url": "https://x/?Signature=hunter2" })).unwrap();
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}

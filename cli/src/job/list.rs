//! JSON types for listing jobs: a page of jobs, and the filter of a request.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::status::{JobState, Timestamps};

/// An entry in a list of jobs. Members that this client does not know stay unchanged, except URLs,
/// which are removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobSummary {
    /// The id of the job.
    pub job_id: String,
    /// State of the job.
    pub status: JobState,
    /// Number of runs: 1, plus one for each retry.
    pub attempts: u32,
    /// Number of requested documents.
    pub total_file_ids: Option<u64>,
    /// Times of the job's main events.
    pub timestamps: Timestamps,
    /// Members of the entry that have no field here.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A page of a list of jobs, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobPage {
    /// The jobs.
    pub items: Vec<JobSummary>,
    /// Token of the next page, or `None` on the last page.
    pub next_page_token: Option<String>,
}

/// Filter for a list of jobs.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobFilter {
    /// Only jobs of this person. The caller needs the right to list the jobs of others.
    pub user_id: Option<String>,
    /// Only jobs in this state.
    pub status: Option<JobState>,
    /// Maximum number of jobs per page.
    pub page_size: Option<u32>,
}

//! JSON types for creating, retrying and canceling jobs: the request bodies and the bodies of
//! successful responses.

use serde::{Deserialize, Serialize};

use super::status::JobState;

/// Request body of `POST /v1/download/initiate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewJob {
    /// The number of the document, for a job of one document.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_id: Option<u64>,
    /// The numbers of the documents, for a job of several documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_ids: Option<Vec<u64>>,
    priority: Priority,
    /// `skip` for a job of several documents: the service skips a document that fails. A job of one
    /// document has no such member.
    #[serde(rename = "onItemError", skip_serializing_if = "Option::is_none")]
    on_item_error: Option<&'static str>,
}

impl NewJob {
    /// Creates a job of these documents. The failure of one document does not stop the job.
    #[must_use]
    pub fn new(file_ids: &[u64], priority: Priority) -> Self {
        let (file_id, file_ids) = match file_ids {
            [file_id] => (Some(*file_id), None),
            file_ids => (None, Some(file_ids.to_vec())),
        };
        let on_item_error = file_ids.is_some().then_some("skip");
        Self { file_id, file_ids, priority, on_item_error }
    }
}

/// Priority of a job in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the variant names need no explanation")]
pub enum Priority {
    Low,
    #[default]
    Normal,
    High,
}

/// Response body of `initiate` and `retry` with status 202.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobAccepted {
    /// The id of the job, for later calls.
    pub job_id: String,
    /// State of the job: `queued`.
    pub status: JobState,
    /// Number of the run, where 1 is the first run; only in responses of `retry`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Number of documents; only in responses of `initiate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_file_ids: Option<u64>,
    /// End of the retention of the job and its documents, ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// Response body of `POST /v1/download/check`, which looks a document up. It has only the members
/// that the client uses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KnownDocument {
    pub(crate) file_name: Option<String>,
}

/// Response body of `POST /v1/download/cancel/{jobId}` with status 202. The response means that the
/// cancel request was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct JobCanceling {
    /// The value is not used. A response with another value is refused when it is parsed.
    #[serde(rename = "status")]
    _status: Canceling,
}

/// The only status in [`JobCanceling`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Canceling {
    Canceling,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn new_job_serializes_one_file_id_or_a_list_with_skip() {
        let single = serde_json::to_value(NewJob::new(&[10_001], Priority::High)).unwrap();
        assert_eq!(single, json!({ "file_id": 10_001, "priority": "high" }));
        let batch = serde_json::to_value(NewJob::new(&[2, 1], Priority::default())).unwrap();
        let expected = json!({ "file_ids": [2, 1], "priority": "normal", "onItemError": "skip" });
        assert_eq!(batch, expected);
    }
}

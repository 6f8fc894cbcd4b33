//! Body of a webhook: the HTTP request with which docferry reports that a job has ended.

use docferry_domain::job::WebhookNotification;
use docferry_domain::phase::Phase;
use serde::{Deserialize, Serialize};

use crate::job::time;

/// Body of a webhook. If the webhook is sent again, the body is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookBody {
    /// Kind of event.
    #[serde(rename = "type")]
    pub kind: WebhookKind,
    /// Time at which the job ended.
    pub timestamp: String,
    /// The job that has ended.
    pub data: EndedJob,
}

/// Kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WebhookKind {
    /// The job has completed, and its result is available.
    #[serde(rename = "download.completed")]
    Completed,
    /// The job has failed.
    #[serde(rename = "download.failed")]
    Failed,
    /// The job was canceled.
    #[serde(rename = "download.canceled")]
    Canceled,
}

/// A job that has ended. It contains no URL and no name of a document. A receiver requests the
/// result by the job's id, with its own credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndedJob {
    /// Id of the job.
    pub job_id: String,
    /// `completed`, `failed` or `canceled`.
    pub status: String,
    /// Number of the run: 1, and one more for each retry.
    pub attempts: u32,
    /// Number of documents.
    pub total_file_ids: u16,
    /// Number of documents that were not delivered. With `onItemError: skip`, a job may complete
    /// although this number is not 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_items: Option<u16>,
    /// Time at which the job completed, failed or was canceled.
    pub completed_at: String,
    /// Why the job failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<EndedJobError>,
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedJobError {
    /// Stable code, for programs.
    pub code: String,
    /// Text for people.
    pub message: String,
}

impl From<&WebhookNotification> for WebhookBody {
    fn from(notification: &WebhookNotification) -> Self {
        let kind = match notification.outcome {
            Phase::Completed => WebhookKind::Completed,
            Phase::Canceled => WebhookKind::Canceled,
            _ => WebhookKind::Failed,
        };
        let failure = notification.failure.filter(|_| kind == WebhookKind::Failed);
        let error = failure.map(|code| EndedJobError {
            code: code.as_str().to_owned(),
            message: code.message().to_owned(),
        });
        Self {
            kind,
            timestamp: time(notification.ended_at),
            data: EndedJob {
                job_id: notification.job_id.to_string(),
                status: notification.outcome.as_str().to_owned(),
                attempts: notification.runs,
                total_file_ids: notification.documents,
                failed_items: notification.failed_documents,
                completed_at: time(notification.ended_at),
                error,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use docferry_domain::callback::{CallbackRule, CallbackUrl};
    use docferry_domain::failure::FailureCode;
    use docferry_domain::ids::TransferId;
    use jiff::Timestamp;
    use serde_json::json;

    fn body(outcome: Phase, failure: Option<FailureCode>) -> serde_json::Value {
        let callback = CallbackUrl::parse("https://hooks.example.org/x", CallbackRule::Public);
        let notification = WebhookNotification {
            job_id: TransferId::from_u128(1),
            end_number: 4,
            callback: callback.unwrap(),
            outcome,
            failure,
            runs: 2,
            documents: 3,
            failed_documents: Some(2),
            ended_at: Timestamp::UNIX_EPOCH,
            trace: None,
        };
        assert_eq!(notification.message_id(), "00000000000000000000000000000001-4");
        serde_json::to_value(WebhookBody::from(&notification)).unwrap()
    }

    #[test]
    fn webhook_body_contains_the_outcome_but_no_name_or_url() {
        let failed = body(Phase::Failed, Some(FailureCode::QuotaExceeded));
        let message = FailureCode::QuotaExceeded.message();
        let expected = json!({
            "type": "download.failed",
            "timestamp": "1970-01-01T00:00:00.000Z",
            "data": {
                "jobId": "00000000000000000000000000000001",
                "status": "failed",
                "attempts": 2,
                "totalFileIds": 3,
                "failedItems": 2,
                "completedAt": "1970-01-01T00:00:00.000Z",
                "error": { "code": "QUOTA_EXCEEDED", "message": message },
            }
        });
        assert_eq!(failed, expected);

        let canceled = body(Phase::Canceled, Some(FailureCode::Canceled));
        assert_eq!(canceled["type"], "download.canceled");
        assert_eq!(canceled["data"].get("error"), None);

        assert_eq!(body(Phase::Completed, None)["type"], "download.completed");
    }
}

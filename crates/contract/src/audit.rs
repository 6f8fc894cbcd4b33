//! Messages of the audit queue. docferry sends one message for each transfer that has ended.

use docferry_domain::failure::FailureCode;
use docferry_domain::phase::Phase;
use docferry_domain::slots::Pool;
use docferry_domain::transfer::{DeliveredFile, OutcomeRecord};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Message of the audit queue. It is sent at least once. If it is sent again, it has the same
/// [`AuditMessage::message_id`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditMessage {
    /// Id of the message: `{transferId}/{attempt}`. `attempt` is the number of the execution.
    pub message_id: String,
    /// Person whom the documents concern. It is always null, because no request names this person.
    pub subject: Option<String>,
    /// The documents that were delivered. Documents that were not delivered are not listed.
    pub files: Vec<AuditedFile>,
    /// Time at which the transfer ended.
    pub timestamp: Timestamp,
    /// Id of the transfer, as in logs and in the API.
    pub correlation_id: String,
    /// Principal that made the request.
    pub actor: String,
    /// Action that the request asked for.
    pub action: AuditAction,
    /// Result of the action: `completed`, `failed` or `canceled`.
    pub outcome: Phase,
    /// Failure code. It is absent if the transfer completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureCode>,
}

/// Delivered document in an audit message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditedFile {
    /// Id at the source.
    pub id: String,
    /// Name at the destination.
    pub file_name: String,
    /// Media type. It is null if the source did not report one.
    pub content_type: Option<String>,
}

/// Action that a transfer performs. The field `outcome` says whether the action succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuditAction {
    /// Delivery of the documents into a OneDrive.
    #[serde(rename = "Delivered to OneDrive")]
    DeliveredToOneDrive,
    /// Storage of the documents for download with presigned URLs. docferry sends no message when
    /// a document is downloaded.
    #[serde(rename = "Made available for download")]
    MadeAvailableForDownload,
}

impl From<Pool> for AuditAction {
    fn from(pool: Pool) -> Self {
        match pool {
            Pool::Onedrive => Self::DeliveredToOneDrive,
            Pool::Download => Self::MadeAvailableForDownload,
        }
    }
}

impl From<&OutcomeRecord> for AuditMessage {
    fn from(record: &OutcomeRecord) -> Self {
        let file = |file: &DeliveredFile| AuditedFile {
            id: file.id.clone(),
            file_name: file.file_name.clone(),
            content_type: file.content_type.clone(),
        };
        Self {
            message_id: record.message_id(),
            subject: None,
            files: record.files.iter().map(file).collect(),
            timestamp: record.ended_at,
            correlation_id: record.transfer_id.to_string(),
            actor: record.actor.clone(),
            action: record.pool.into(),
            outcome: record.outcome,
            failure: record.failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use docferry_domain::ids::TransferId;
    use serde_json::json;

    #[test]
    fn audit_message_has_the_fields_of_the_contract() {
        let record = OutcomeRecord {
            transfer_id: TransferId::from_u128(1),
            execution_number: 2,
            actor: "scv".into(),
            pool: Pool::Onedrive,
            ended_at: Timestamp::UNIX_EPOCH,
            outcome: Phase::Completed,
            failure: None,
            files: vec![DeliveredFile {
                id: "AAAA".into(),
                file_name: "order.pdf".into(),
                content_type: None,
            }],
        };
        let message = serde_json::to_value(AuditMessage::from(&record)).unwrap();
        let expected = json!({
            "messageId": "00000000000000000000000000000001/2",
            "subject": null,
            "files": [{ "id": "AAAA", "fileName": "order.pdf", "contentType": null }],
            "timestamp": "1970-01-01T00:00:00Z",
            "correlationId": "00000000000000000000000000000001",
            "actor": "scv",
            "action": "Delivered to OneDrive",
            "outcome": "completed",
        });
        assert_eq!(message, expected);
    }

    #[test]
    fn audit_message_names_the_action_that_happened() {
        for (pool, action) in [
            (Pool::Onedrive, "Delivered to OneDrive"),
            (Pool::Download, "Made available for download"),
        ] {
            assert_eq!(serde_json::to_value(AuditAction::from(pool)).unwrap(), action);
        }
    }
}

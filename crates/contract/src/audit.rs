//! What the audit trail's queue carries: one message an outcome.

use docferry_domain::{DeliveredFile, FailureCode, OutcomeRecord, Phase, Pool};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A message of the audit queue. Sent at least once; a repeat has the same
/// [`AuditMessage::message_id`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditMessage {
    /// `{transferId}/{attempt}`.
    pub message_id: String,
    /// Whom the documents are about; null where the request named nobody.
    pub subject: Option<String>,
    /// The documents that were delivered, and only those.
    pub files: Vec<AuditedFile>,
    /// When it ended.
    pub timestamp: Timestamp,
    /// The transfer, as in logs and in the API.
    pub correlation_id: String,
    /// Who asked for it.
    pub actor: String,
    /// What was done.
    pub action: AuditAction,
    /// How it went: `completed`, `failed` or `canceled`.
    pub outcome: Phase,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureCode>,
}

/// A document in the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditedFile {
    /// Its id at the source.
    pub id: String,
    /// Its name at the destination.
    pub file_name: String,
    /// Its media type; null when its source named none.
    pub content_type: Option<String>,
}

/// The action of a transfer, or the attempt of it: `outcome` says how it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuditAction {
    /// The document was sent into a OneDrive.
    #[serde(rename = "Delivered to OneDrive")]
    DeliveredToOneDrive,
    /// The document was put where a presigned URL gives it. That somebody fetched it is
    /// another event.
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
    use docferry_domain::TransferId;
    use serde_json::json;

    #[test]
    fn a_message_has_the_fields_of_the_contract() {
        let record = OutcomeRecord {
            transfer_id: TransferId::from_u128(1),
            attempt: 2,
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

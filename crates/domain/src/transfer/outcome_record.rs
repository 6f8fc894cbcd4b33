//! Record of the outcome of a transfer for the audit trail.
//!
//! An [`OutcomeRecord`] is stored when the transfer ends, and then sent to the consumers of the
//! audit trail.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::{AuditContext, object_key_hash};
use crate::document::CaseReference;
use crate::failure::FailureCode;
use crate::ids::TransferId;
use crate::person::{Person, Recipient};
use crate::phase::Phase;
use crate::slots::Pool;
use crate::transfer::{Delivery, Target, Transfer};

/// Record of an outcome for the audit trail.
///
/// It is written in the transaction that ends the transfer. Then it is sent at least once,
/// always with the same [`OutcomeRecord::message_id`]. It contains names of documents, so
/// it is stored in the encrypted table, travels through an encrypted queue and is never
/// logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeRecord {
    /// Id of the transfer or batch.
    pub transfer_id: TransferId,
    /// Number of the execution that ended.
    #[serde(rename = "attempt")]
    pub execution_number: u32,
    /// Principal that made the request.
    pub actor: String,
    /// Whether the transfer was a delivery to OneDrive or a download. Records of older
    /// versions do not contain this field and count as deliveries to OneDrive.
    #[serde(default)]
    pub pool: Pool,
    /// Time of the end.
    pub ended_at: Timestamp,
    /// Terminal phase.
    pub outcome: Phase,
    /// Why the transfer or batch was not completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureCode>,
    /// The delivered documents. Documents that were not delivered are not listed.
    #[serde(default)]
    pub files: Vec<DeliveredFile>,
    /// Person on whose behalf the request was made, if it named one in its body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Person>,
    /// Facts about the request and the document. Records of older versions do not contain them.
    #[serde(default, skip_serializing_if = "AuditContext::is_empty")]
    pub audit: AuditContext,
    /// Court case that the request named.
    #[serde(default, skip_serializing_if = "CaseReference::is_empty")]
    pub case: CaseReference,
    /// Where the document was to be delivered. Records of older versions do not contain it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<AuditDestination>,
}

/// Destination of a transfer in the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum AuditDestination {
    /// A folder in a OneDrive.
    Onedrive {
        /// Address of the recipient.
        recipient: Recipient,
        /// The recipient's user id in Microsoft Graph, if the document was delivered and Graph
        /// could be asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recipient_id: Option<String>,
        /// Folder as the caller named it; `None` for the root folder.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        folder: Option<String>,
    },
    /// The delivery bucket.
    Download {
        /// Hash of the key of the delivered object ([`object_key_hash`]); `None` if the document
        /// was not delivered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        object: Option<String>,
    },
}

impl AuditDestination {
    fn of(transfer: &Transfer) -> Self {
        match (&transfer.target, &transfer.delivery) {
            (Target::Onedrive(drive), delivery) => Self::Onedrive {
                recipient: drive.recipient.clone(),
                recipient_id: match delivery {
                    Some(Delivery::Onedrive(item)) => item.recipient_id.clone(),
                    _ => None,
                },
                folder: drive.file_path.clone(),
            },
            (Target::Download(_), Some(Delivery::Download(artifact))) => {
                Self::Download { object: Some(object_key_hash(&artifact.key)) }
            }
            (Target::Download(_), _) => Self::Download { object: None },
        }
    }
}

/// A document that was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveredFile {
    /// GUID of the document in the object store.
    pub id: String,
    /// Name at the destination.
    pub file_name: String,
    /// Media type, if the source gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}

impl DeliveredFile {
    /// Returns the document of a completed transfer, or `None` if it was not delivered.
    #[must_use]
    pub fn of(transfer: &Transfer) -> Option<Self> {
        let source = transfer.source.as_ref().filter(|_| transfer.phase == Phase::Completed)?;
        Some(Self {
            id: transfer.object_guid.as_str().to_owned(),
            file_name: source.name.as_str().to_owned(),
            content_type: source.mime.clone(),
        })
    }
}

impl OutcomeRecord {
    /// Returns the record of a transfer that has ended, or `None` while it runs.
    #[must_use]
    pub fn of(transfer: &Transfer) -> Option<Self> {
        Some(Self {
            transfer_id: transfer.transfer_id.clone(),
            execution_number: transfer.execution_number,
            actor: transfer.spec.owner.clone(),
            pool: transfer.pool,
            ended_at: transfer.ended_at?,
            outcome: transfer.phase,
            failure: transfer.failure.as_ref().map(|failure| failure.code),
            files: DeliveredFile::of(transfer).into_iter().collect(),
            on_behalf_of: transfer.spec.on_behalf_of.clone(),
            audit: transfer.audit.clone(),
            case: transfer.spec.case.clone(),
            destination: Some(AuditDestination::of(transfer)),
        })
    }

    /// Returns the id of the message. It is the same for each repetition, so that a
    /// consumer can discard duplicates.
    #[must_use]
    pub fn message_id(&self) -> String {
        format!("{}/{}", self.transfer_id, self.execution_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::sample::accepted_download;

    #[test]
    fn outcome_record_lists_only_delivered_documents() {
        let mut ended = accepted_download();
        assert_eq!(OutcomeRecord::of(&ended), None, "the transfer has not ended");

        ended.ended_at = Some(Timestamp::UNIX_EPOCH);
        ended.source = Some(crate::transfer::PushedSource {
            key: "k.pdf".into(),
            name: "k.pdf".parse().unwrap(),
            mime: None,
            size: 1,
            requested_at: Timestamp::UNIX_EPOCH,
            found: None,
            asked_at: None,
            pushed_at: Timestamp::UNIX_EPOCH,
            must_end_by: None,
        });

        ended.phase = Phase::Failed;
        assert!(OutcomeRecord::of(&ended).unwrap().files.is_empty());

        ended.phase = Phase::Completed;
        let record = OutcomeRecord::of(&ended).unwrap();
        assert_eq!((record.files[0].file_name.as_str(), record.pool), ("k.pdf", Pool::Download));
        assert_eq!(record.message_id(), "00000000000000000000000000000001/1");
    }
}

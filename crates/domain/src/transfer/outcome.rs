//! Outcome of a transfer or batch, and the record of the outcome for the audit trail.
//!
//! [`Outcome::decide`] chooses the outcome when a transfer ends. An [`OutcomeRecord`] is then
//! stored and sent to the consumers of the audit trail.

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

/// Outcome of a transfer or batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The document is at the destination and verified.
    Completed,
    /// It ended by a cancel request.
    Canceled,
    /// It ended with this failure.
    Failed(FailureCode),
}

impl Outcome {
    /// Returns the terminal phase.
    #[must_use]
    pub const fn phase(self) -> Phase {
        match self {
            Self::Completed => Phase::Completed,
            Self::Canceled => Phase::Canceled,
            Self::Failed(_) => Phase::Failed,
        }
    }

    /// Returns the failure to record, if any.
    #[must_use]
    pub const fn failure(self) -> Option<FailureCode> {
        match self {
            Self::Completed => None,
            Self::Canceled => Some(FailureCode::Canceled),
            Self::Failed(code) => Some(code),
        }
    }

    /// Decides the outcome of a transfer. `stopped_by` is the name of the error that stopped
    /// its workflow. The first rule that applies decides:
    ///
    /// 1. If a delivery is recorded, the transfer is completed, because the file is at the
    ///    destination.
    /// 2. If cancellation was requested, the transfer is canceled.
    /// 3. If an earlier, interrupted `finalize` recorded a reason, this reason decides.
    /// 4. The error `stopped_by` decides. An error name that is not a failure code, such as
    ///    an AWS error, counts as [`FailureCode::Internal`].
    #[must_use]
    pub fn decide(transfer: &Transfer, stopped_by: Option<&str>) -> Self {
        if transfer.delivery.is_some() {
            return Self::Completed;
        }
        let stopped_by = stopped_by.and_then(|name| name.parse().ok());
        match transfer.ending.or(stopped_by) {
            _ if transfer.cancel_requested => Self::Canceled,
            Some(FailureCode::Canceled) => Self::Canceled,
            Some(code) => Self::Failed(code),
            None => Self::Failed(FailureCode::Internal),
        }
    }

    /// Returns a failure with `code` if a code is given and the transfer is not completed.
    /// Otherwise returns the outcome unchanged.
    ///
    /// The code means that a file at the destination may be the document but cannot be
    /// compared. It also replaces the outcome "canceled", which would tell users that no file
    /// was delivered.
    #[must_use]
    pub fn or_unverified(self, code: Option<FailureCode>) -> Self {
        match (self, code) {
            (Self::Completed, _) | (_, None) => self,
            (_, Some(code)) => Self::Failed(code),
        }
    }
}

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
    use crate::document::Artifact;
    use crate::job_spec::JobSpec;
    use crate::person::Person;
    use crate::slots::Priority;
    use crate::transfer::{DownloadTarget, NewTransfer, Target};

    /// Returns an accepted download.
    fn transfer() -> Transfer {
        let request = NewTransfer {
            spec: JobSpec::of_owner("scv"),
            audit: AuditContext::default(),
            object_guid: "AAAA".parse().unwrap(),
            file_id: None,
            target: Target::Download(DownloadTarget { person: Person::new("p") }),
            priority: Priority::Normal,
        };
        let created_at = Timestamp::UNIX_EPOCH;
        let deadline = Timestamp::UNIX_EPOCH;
        Transfer::new(TransferId::from_u128(1), request, created_at, deadline)
    }

    #[test]
    fn recorded_delivery_wins_over_cancel_and_failure() {
        let artifact = Artifact { key: "k".into(), size: 1, crc32: None };
        let delivered = Transfer {
            delivery: Some(artifact.into()),
            cancel_requested: true,
            ending: Some(FailureCode::ArrivalTimeout),
            ..transfer()
        };
        assert_eq!(Outcome::decide(&delivered, Some("CANCELED")), Outcome::Completed);
    }

    #[test]
    fn cancel_request_wins_over_failures() {
        assert_eq!(Outcome::decide(&transfer(), Some("CANCELED")), Outcome::Canceled);

        let to_cancel = Transfer { cancel_requested: true, ..transfer() };
        assert_eq!(Outcome::decide(&to_cancel, Some("ARRIVAL_TIMEOUT")), Outcome::Canceled);
    }

    #[test]
    fn error_name_that_is_no_failure_code_counts_as_internal() {
        let internal = Outcome::Failed(FailureCode::Internal);
        assert_eq!(Outcome::decide(&transfer(), Some("Lambda.Unknown")), internal);
        assert_eq!(Outcome::decide(&transfer(), None), internal);
    }

    #[test]
    fn outcome_record_lists_only_delivered_documents() {
        let mut ended = transfer();
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

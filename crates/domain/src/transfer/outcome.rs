//! Outcome of a transfer, and the record of it for the audit trail.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failure::FailureCode;
use crate::ids::TransferId;
use crate::phase::Phase;
use crate::slots::Pool;
use crate::transfer::Transfer;

/// Outcome of a transfer or batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Verified at the destination.
    Completed,
    /// Ended by a cancel request.
    Canceled,
    /// Ended with this failure.
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

    /// Decides the outcome of a transfer. `stopped_by` is the error name that stopped its
    /// workflow.
    ///
    /// - A recorded delivery wins over every failure and over a cancel, because the file is
    ///   there.
    /// - A requested cancel wins over other failures.
    /// - Otherwise the reason that an earlier, interrupted `finalize` recorded counts.
    /// - A name that is not a failure code (an AWS error) becomes
    ///   [`FailureCode::Internal`].
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

    /// Replaces the outcome by `code` unless the transfer completed. The code says that a
    /// file at the destination may be the document but cannot be compared. It also replaces
    /// a cancel, because "canceled" would deny a file that may be there.
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
    /// The transfer or batch.
    pub transfer_id: TransferId,
    /// Number of the execution that ended.
    #[serde(rename = "attempt")]
    pub execution_number: u32,
    /// Principal that made the request.
    pub actor: String,
    /// Whether it was a delivery to OneDrive or a download. Records of older versions do
    /// not contain it and count as deliveries.
    #[serde(default)]
    pub pool: Pool,
    /// Time of the end.
    pub ended_at: Timestamp,
    /// Terminal phase.
    pub outcome: Phase,
    /// Why it was not completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureCode>,
    /// The delivered documents; the others are not listed.
    #[serde(default)]
    pub files: Vec<DeliveredFile>,
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
    /// Returns the document of a transfer, if it was delivered.
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
    /// Returns the record for a transfer that has ended; `None` while it runs.
    #[must_use]
    pub fn of(transfer: &Transfer) -> Option<Self> {
        Some(Self {
            transfer_id: transfer.transfer_id.clone(),
            execution_number: transfer.execution_number,
            actor: transfer.owner.clone(),
            pool: transfer.pool,
            ended_at: transfer.ended_at?,
            outcome: transfer.phase,
            failure: transfer.failure.as_ref().map(|failure| failure.code),
            files: DeliveredFile::of(transfer).into_iter().collect(),
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
    use crate::person::Person;
    use crate::slots::Priority;
    use crate::transfer::{DownloadTarget, NewTransfer, Target};

    fn transfer() -> Transfer {
        let new = NewTransfer {
            on_behalf_of: None,
            owner: "scv".into(),
            object_guid: "AAAA".parse().unwrap(),
            file_id: None,
            target: Target::Download(DownloadTarget { person: Person::new("p") }),
            priority: Priority::Normal,
            retain_until: None,
            callback: None,
        };
        let (id, start) = (TransferId::from_u128(1), Timestamp::UNIX_EPOCH);
        Transfer::new(id, new, start, start)
    }

    #[test]
    fn recorded_delivery_wins_over_cancel_and_failure() {
        let delivered =
            Transfer { delivery: Some(Artifact { key: "k".into(), size: 1 }.into()), ..transfer() };
        assert_eq!(Outcome::decide(&delivered, Some("CANCELED")), Outcome::Completed);
        assert_eq!(Outcome::decide(&transfer(), Some("CANCELED")), Outcome::Canceled);
        assert_eq!(
            Outcome::decide(&transfer(), Some("Lambda.Unknown")),
            Outcome::Failed(FailureCode::Internal)
        );
        assert_eq!(Outcome::decide(&transfer(), None), Outcome::Failed(FailureCode::Internal));
        let stopping = Transfer { cancel_requested: true, ..transfer() };
        assert_eq!(Outcome::decide(&stopping, Some("ARRIVAL_TIMEOUT")), Outcome::Canceled);
    }

    #[test]
    fn outcome_record_lists_only_delivered_documents() {
        let mut ended = transfer();
        assert_eq!(OutcomeRecord::of(&ended), None, "it has not ended");
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

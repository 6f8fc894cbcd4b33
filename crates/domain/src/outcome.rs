//! How a transfer ends, and what is told of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{FailureCode, Phase, Pool, Transfer, TransferId};

/// How a transfer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Verified at the destination.
    Completed,
    /// Ended on request.
    Canceled,
    /// Ended with this failure.
    Failed(FailureCode),
}

impl Outcome {
    /// The terminal phase.
    #[must_use]
    pub const fn phase(self) -> Phase {
        match self {
            Self::Completed => Phase::Completed,
            Self::Canceled => Phase::Canceled,
            Self::Failed(_) => Phase::Failed,
        }
    }

    /// The failure to record, if any.
    #[must_use]
    pub const fn failure(self) -> Option<FailureCode> {
        match self {
            Self::Completed => None,
            Self::Canceled => Some(FailureCode::Canceled),
            Self::Failed(code) => Some(code),
        }
    }

    /// How a transfer ends, given what stopped its workflow.
    ///
    /// A recorded delivery wins over every failure and over a cancel: the file
    /// is there. Who asked to stop is told that it stopped, whatever else went
    /// wrong. Otherwise the reason that an earlier ending wrote down counts. A
    /// name that is none of ours (an AWS error) is a fault of ours.
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

    /// The same, unless a file at the destination may be the document and cannot be
    /// compared. Then the outcome names that, also after a request to stop: "canceled"
    /// would deny a file that may be there.
    #[must_use]
    pub fn unless_unverified(self, code: Option<FailureCode>) -> Self {
        match (self, code) {
            (Self::Completed, _) | (_, None) => self,
            (_, Some(code)) => Self::Failed(code),
        }
    }
}

/// What is told of an ending: written in the transaction that ends the transfer,
/// then sent at least once, always under the same [`OutcomeRecord::message_id`].
///
/// Holds names of documents: it rests in the encrypted table and travels through
/// an encrypted queue, and goes to no log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeRecord {
    /// The transfer or bundle.
    pub transfer_id: TransferId,
    /// The attempt that ended.
    pub attempt: u32,
    /// Who asked for it.
    pub actor: String,
    /// Whether it was a delivery to OneDrive or a download; records of older versions do
    /// not say, and count as deliveries.
    #[serde(default)]
    pub pool: Pool,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How: a terminal phase.
    pub outcome: Phase,
    /// Why, unless it was completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureCode>,
    /// The documents that were delivered; those that were not are not named.
    #[serde(default)]
    pub files: Vec<DeliveredFile>,
}

/// A document that was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveredFile {
    /// The object store's GUID.
    pub id: String,
    /// Its name at the destination.
    pub file_name: String,
    /// Its media type, if its source named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}

impl DeliveredFile {
    /// The document of a transfer, if it was delivered.
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
    /// What is told of a transfer that has ended; `None` while it runs.
    #[must_use]
    pub fn of(transfer: &Transfer) -> Option<Self> {
        Some(Self {
            transfer_id: transfer.transfer_id.clone(),
            attempt: transfer.attempt,
            actor: transfer.owner.clone(),
            pool: transfer.pool,
            ended_at: transfer.ended_at?,
            outcome: transfer.phase,
            failure: transfer.failure.as_ref().map(|failure| failure.code),
            files: DeliveredFile::of(transfer).into_iter().collect(),
        })
    }

    /// The same for each repeat, so that a consumer can tell one.
    #[must_use]
    pub fn message_id(&self) -> String {
        format!("{}/{}", self.transfer_id, self.attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Artifact, DownloadTarget, NewTransfer, Person, Priority, Target};

    fn transfer() -> Transfer {
        let new = NewTransfer {
            on_behalf_of: None,
            owner: "scv".into(),
            object_guid: "AAAA".parse().unwrap(),
            file_id: None,
            target: Target::Download(DownloadTarget { person: Person::new("p") }),
            priority: Priority::Normal,
            keep_until: None,
            callback: None,
        };
        let (id, then) = (TransferId::from_u128(1), Timestamp::UNIX_EPOCH);
        Transfer::new(id, new, then, then)
    }

    #[test]
    fn a_delivery_wins_over_cancel_and_failure() {
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
    fn only_what_was_delivered_is_named() {
        let mut ended = transfer();
        assert_eq!(OutcomeRecord::of(&ended), None, "it runs");
        ended.ended_at = Some(Timestamp::UNIX_EPOCH);
        ended.source = Some(crate::PushedSource {
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
        let told = OutcomeRecord::of(&ended).unwrap();
        assert_eq!((told.files[0].file_name.as_str(), told.pool), ("k.pdf", Pool::Download));
        assert_eq!(told.message_id(), "00000000000000000000000000000001/1");
    }
}

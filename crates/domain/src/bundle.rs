//! Many documents in one go.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{CallbackUrl, Failure, FailureCode, Outcome, Person, Phase, TraceParent, TransferId};

/// Most documents of one bundle.
pub const MOST_DOCUMENTS: u16 = 1000;

/// What becomes of a bundle when one of its documents fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnItemError {
    /// The others are stopped, and the bundle fails.
    #[default]
    Fail,
    /// The others go on; the bundle fails only if none of them is delivered.
    Skip,
}

/// How far the documents of a bundle are. Within a run, counts never go down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BundleCounts {
    /// Documents that have ended.
    pub ended: u16,
    /// Those of them that were delivered.
    pub completed: u16,
    /// Bytes of those.
    pub bytes: u64,
    /// Why the first one failed that did.
    pub first_failure: Option<FailureCode>,
}

impl BundleCounts {
    /// Documents that have ended and were not delivered.
    #[must_use]
    pub const fn failed(&self) -> u16 {
        self.ended.saturating_sub(self.completed)
    }
}

/// Many documents that somebody asked for in one go. Each is a transfer of its
/// own; this is what they have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    /// Version of the stored form.
    pub schema_version: u32,
    /// The id that the caller polls with.
    pub bundle_id: TransferId,
    /// The principal that asked; nobody else sees it.
    pub owner: String,
    /// For whom it was asked, when that is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Person>,
    /// How many documents, 1 to [`MOST_DOCUMENTS`].
    pub documents: u16,
    /// What becomes of it when one fails.
    pub on_item_error: OnItemError,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Until when what is delivered is kept; `None` when that is not ours to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_until: Option<Timestamp>,
    /// Where its end is told to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<CallbackUrl>,
    /// The trace that the request for it belonged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
    /// When the documents that run again must have ended; `None` in the first run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// `Accepted` while its documents are being written down, `Uploading` from
    /// then on: only then it is promised. Then terminal.
    pub phase: Phase,
    /// How often its owner had it run again after it had ended.
    #[serde(default)]
    pub retries: u32,
    /// It runs again, and those of its documents that are to be, do not yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resuming: bool,
    /// All of its documents that had not ended were asked to stop.
    #[serde(default)]
    pub documents_stopped: bool,
    /// Somebody asked to stop.
    #[serde(default)]
    pub cancel_requested: bool,
    /// When the last document ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Set when it ended otherwise than completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Documents that were not delivered, set when it ends; 0 in older records.
    #[serde(default)]
    pub failed_documents: u16,
}

impl Bundle {
    /// Whether it was never promised and never will be: whoever was writing its
    /// documents down did not come to the end of them.
    #[must_use]
    pub fn was_abandoned(&self, counts: &BundleCounts) -> bool {
        self.phase == Phase::Failed && counts.ended < self.documents
    }

    /// Whether those of its documents that have not ended are to be asked to stop,
    /// and were not. Not while they are being written down: not all are there yet. Nor
    /// while they are being resumed: what has failed did so in the run before.
    #[must_use]
    pub fn stops(&self, counts: &BundleCounts) -> bool {
        if self.phase == Phase::Accepted || self.resuming {
            return false;
        }
        let fails = counts.failed() > 0 && self.on_item_error == OnItemError::Fail;
        (self.cancel_requested || fails) && !self.documents_stopped
    }

    /// How it ends, once all of its documents have; `None` before.
    #[must_use]
    pub fn outcome(&self, counts: &BundleCounts) -> Option<Outcome> {
        if counts.ended < self.documents || self.resuming {
            return None;
        }
        let all = counts.completed == self.documents;
        let enough = self.on_item_error == OnItemError::Skip && counts.completed > 0;
        Some(if all {
            // What was delivered stays, and is said to be.
            Outcome::Completed
        } else if self.cancel_requested {
            Outcome::Canceled
        } else if enough {
            Outcome::Completed
        } else {
            match counts.first_failure {
                // Somebody stopped a document, and so the whole.
                Some(FailureCode::Canceled) => Outcome::Canceled,
                failure => Outcome::Failed(failure.unwrap_or(FailureCode::Internal)),
            }
        })
    }

    /// Whole percent of its documents that were delivered; 100 only when it has
    /// completed. A document that failed or was canceled does not count.
    #[must_use]
    pub fn percent(&self, counts: &BundleCounts) -> u8 {
        if self.phase == Phase::Completed {
            return 100;
        }
        // What is counted now ends with the last run: it would go down.
        if self.resuming {
            return 0;
        }
        let share = u32::from(counts.completed) * 100 / u32::from(self.documents.max(1));
        u8::try_from(share.min(99)).unwrap_or(99)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(on_item_error: OnItemError) -> Bundle {
        Bundle {
            schema_version: crate::SCHEMA_VERSION,
            bundle_id: TransferId::from_u128(1),
            owner: "scv".into(),
            on_behalf_of: None,
            documents: 3,
            on_item_error,
            created_at: Timestamp::UNIX_EPOCH,
            keep_until: None,
            callback: None,
            trace: None,
            deadline: None,
            phase: Phase::Uploading,
            retries: 0,
            resuming: false,
            documents_stopped: false,
            cancel_requested: false,
            ended_at: None,
            failure: None,
            failed_documents: 0,
        }
    }

    fn counts(ended: u16, completed: u16) -> BundleCounts {
        let first_failure = (completed < ended).then_some(FailureCode::QuotaExceeded);
        BundleCounts { ended, completed, bytes: 0, first_failure }
    }

    #[test]
    fn a_bundle_ends_with_its_last_document() {
        assert_eq!(bundle(OnItemError::Skip).outcome(&counts(2, 2)), None);
        assert_eq!(bundle(OnItemError::Skip).outcome(&counts(3, 3)), Some(Outcome::Completed));
    }

    #[test]
    fn one_failure_stops_and_fails_a_bundle_unless_it_is_to_be_skipped() {
        let failed = Some(Outcome::Failed(FailureCode::QuotaExceeded));
        assert!(bundle(OnItemError::Fail).stops(&counts(1, 0)));
        assert_eq!(bundle(OnItemError::Fail).outcome(&counts(3, 2)), failed);
        assert!(!bundle(OnItemError::Skip).stops(&counts(1, 0)));
        assert_eq!(bundle(OnItemError::Skip).outcome(&counts(3, 2)), Some(Outcome::Completed));
        assert_eq!(bundle(OnItemError::Skip).outcome(&counts(3, 0)), failed);
    }

    #[test]
    fn a_bundle_whose_documents_were_stopped_one_by_one_was_canceled() {
        let first_failure = Some(FailureCode::Canceled);
        let stopped = |completed| BundleCounts { first_failure, ..counts(3, completed) };
        for on_item_error in [OnItemError::Fail, OnItemError::Skip] {
            assert_eq!(bundle(on_item_error).outcome(&stopped(0)), Some(Outcome::Canceled));
        }
        assert_eq!(bundle(OnItemError::Fail).outcome(&stopped(2)), Some(Outcome::Canceled));
        assert_eq!(bundle(OnItemError::Skip).outcome(&stopped(2)), Some(Outcome::Completed));
    }

    #[test]
    fn a_cancel_counts_unless_all_was_delivered_before() {
        let canceled = Bundle { cancel_requested: true, ..bundle(OnItemError::Skip) };
        assert!(canceled.stops(&counts(0, 0)));
        assert_eq!(canceled.outcome(&counts(3, 1)), Some(Outcome::Canceled));
        assert_eq!(canceled.outcome(&counts(3, 3)), Some(Outcome::Completed));
    }

    #[test]
    fn a_bundle_whose_documents_are_being_started_again_neither_ends_nor_stops() {
        let resuming = Bundle { resuming: true, ..bundle(OnItemError::Fail) };
        assert_eq!(resuming.outcome(&counts(3, 2)), None);
        assert!(!resuming.stops(&counts(3, 2)), "they failed in the run before");
    }

    #[test]
    fn percent_counts_delivered_documents_only() {
        let running = bundle(OnItemError::Skip);
        let percents = [(1, 0), (2, 0), (2, 1), (3, 1)]
            .map(|(ended, completed)| running.percent(&counts(ended, completed)));
        assert_eq!(percents, [0, 0, 33, 33]);
        assert_eq!([(3, 1), (3, 3)].map(|(all, done)| counts(all, done).failed()), [2, 0]);
    }

    #[test]
    fn percent_is_100_only_when_completed() {
        let running = bundle(OnItemError::Fail);
        assert_eq!([0, 1, 2, 3].map(|n| running.percent(&counts(n, n))), [0, 33, 66, 99]);
        let ended = Bundle { phase: Phase::Completed, ..running };
        assert_eq!(ended.percent(&counts(3, 3)), 100);
    }
}

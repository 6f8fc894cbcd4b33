//! Batches: jobs that deliver several documents of one request.
//!
//! Each document of a batch is a transfer with its own record. This module defines the record
//! of the batch, which holds the state that the documents share. It also decides when the
//! remaining documents are canceled, and the outcome of the batch.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::RequestOrigin;
use crate::failure::FailureCode;
use crate::ids::TransferId;
use crate::job::BatchCounts;
use crate::job_spec::JobSpec;
use crate::phase::Phase;
use crate::transfer::SCHEMA_VERSION;
use crate::transfer::{Failure, Outcome};

/// Maximum number of documents in one batch.
pub const MAX_DOCUMENTS: u16 = 1000;

/// Policy for a batch when one of its documents fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnItemError {
    /// Cancel the remaining documents, and fail the batch.
    #[default]
    Fail,
    /// Continue with the remaining documents. The batch fails only if no document is
    /// delivered.
    Skip,
}

/// Stored record of a batch. It holds the state that all documents of the batch share; each
/// document also has the record of its own transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// Version of the stored record format, at most
    /// [`SCHEMA_VERSION`](crate::transfer::SCHEMA_VERSION).
    pub schema_version: u32,
    /// Id of the batch, which the caller uses for polling.
    #[serde(rename = "bundleId")]
    pub batch_id: TransferId,
    /// Specification that the batch has in common with every job.
    #[serde(flatten)]
    pub spec: JobSpec,
    /// Number of documents, 1 to [`MAX_DOCUMENTS`].
    pub documents: u16,
    /// Policy for the batch when one of its documents fails.
    pub on_item_error: OnItemError,
    /// Time of the request.
    pub created_at: Timestamp,
    /// Deadline of the documents of a retry; `None` in the first run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Phase: `Accepted` while the records of the documents are being written, `Uploading`
    /// once all are recorded and the batch is committed, then a terminal phase.
    pub phase: Phase,
    /// Number of times that the owner requested a retry of the ended batch.
    #[serde(default)]
    pub retries: u32,
    /// Circumstances of the last retry request, for the audit trail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_origin: Option<RequestOrigin>,
    /// Whether a retry is being prepared. It is `true` until all documents that must run again
    /// have been started.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resuming: bool,
    /// Whether all documents that had not ended have been requested to cancel.
    #[serde(default)]
    pub documents_stopped: bool,
    /// Whether the owner requested the cancellation of the batch.
    #[serde(default)]
    pub cancel_requested: bool,
    /// Time at which the last document ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Why the batch was not completed. It is set at the end of the batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Number of documents that were not delivered. It is set at the end of the batch. It is
    /// 0 in records of older versions.
    #[serde(default)]
    pub failed_documents: u16,
}

impl Batch {
    /// Returns the record of a new batch, before its documents are recorded.
    #[must_use]
    pub fn new(
        batch_id: TransferId,
        spec: JobSpec,
        documents: u16,
        on_item_error: OnItemError,
        created_at: Timestamp,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            batch_id,
            spec,
            documents,
            on_item_error,
            created_at,
            deadline: None,
            phase: Phase::Accepted,
            retries: 0,
            retry_origin: None,
            resuming: false,
            documents_stopped: false,
            cancel_requested: false,
            ended_at: None,
            failure: None,
            failed_documents: 0,
        }
    }

    /// Returns whether the batch was abandoned: it failed before it was committed, which
    /// means before the records of all its documents were written.
    #[must_use]
    pub fn was_abandoned(&self, counts: &BatchCounts) -> bool {
        self.phase == Phase::Failed && counts.ended < self.documents
    }

    /// Returns whether the documents that have not ended must be canceled now.
    ///
    /// It is `false` while the records are being written, because some documents do not
    /// exist yet. It is also `false` while a retry is being prepared, because the counted
    /// failures belong to the previous run.
    #[must_use]
    pub fn stops(&self, counts: &BatchCounts) -> bool {
        if self.phase == Phase::Accepted || self.resuming {
            return false;
        }
        let fails_by_policy = counts.failed() > 0 && self.on_item_error == OnItemError::Fail;
        (self.cancel_requested || fails_by_policy) && !self.documents_stopped
    }

    /// Returns the outcome of the batch, or `None` while a document has not ended.
    #[must_use]
    pub fn outcome(&self, counts: &BatchCounts) -> Option<Outcome> {
        if counts.ended < self.documents || self.resuming {
            return None;
        }
        let all_delivered = counts.completed == self.documents;
        let enough_delivered = self.on_item_error == OnItemError::Skip && counts.completed > 0;
        Some(if all_delivered {
            // A cancel request does not undo deliveries.
            Outcome::Completed
        } else if self.cancel_requested {
            Outcome::Canceled
        } else if enough_delivered {
            Outcome::Completed
        } else {
            match counts.first_failure {
                // A canceled document cancels the whole batch.
                Some(FailureCode::Canceled) => Outcome::Canceled,
                failure => Outcome::Failed(failure.unwrap_or(FailureCode::Internal)),
            }
        })
    }

    /// Returns the percentage of the documents that were delivered. It is 100 only when the
    /// batch has completed. Failed and canceled documents do not count.
    #[must_use]
    pub fn percent(&self, counts: &BatchCounts) -> u8 {
        if self.phase == Phase::Completed {
            return 100;
        }
        // The counters still belong to the previous run. The percentage would decrease when
        // the new run resets them.
        if self.resuming {
            return 0;
        }
        let percent = u32::from(counts.completed) * 100 / u32::from(self.documents.max(1));
        u8::try_from(percent.min(99)).unwrap_or(99)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a running batch of three documents.
    fn batch(on_item_error: OnItemError) -> Batch {
        Batch {
            phase: Phase::Uploading,
            ..Batch::new(
                TransferId::from_u128(1),
                JobSpec::of_owner("scv"),
                3,
                on_item_error,
                Timestamp::UNIX_EPOCH,
            )
        }
    }

    /// Returns the counters of a batch in which every document that ended without a delivery
    /// failed.
    fn counts(ended: u16, completed: u16) -> BatchCounts {
        let first_failure = (completed < ended).then_some(FailureCode::QuotaExceeded);
        BatchCounts { ended, completed, bytes: 0, first_failure }
    }

    #[test]
    fn batch_ends_with_its_last_document() {
        assert_eq!(batch(OnItemError::Skip).outcome(&counts(2, 2)), None);
        assert_eq!(batch(OnItemError::Skip).outcome(&counts(3, 3)), Some(Outcome::Completed));
    }

    #[test]
    fn one_failure_cancels_and_fails_a_batch_unless_skipped() {
        let failed = Some(Outcome::Failed(FailureCode::QuotaExceeded));

        assert!(batch(OnItemError::Fail).stops(&counts(1, 0)));
        assert_eq!(batch(OnItemError::Fail).outcome(&counts(3, 2)), failed);

        assert!(!batch(OnItemError::Skip).stops(&counts(1, 0)));
        assert_eq!(batch(OnItemError::Skip).outcome(&counts(3, 2)), Some(Outcome::Completed));
        assert_eq!(batch(OnItemError::Skip).outcome(&counts(3, 0)), failed);
    }

    #[test]
    fn batch_is_canceled_when_its_documents_are_canceled() {
        let first_failure = Some(FailureCode::Canceled);
        let with_canceled = |completed| BatchCounts { first_failure, ..counts(3, completed) };
        for on_item_error in [OnItemError::Fail, OnItemError::Skip] {
            assert_eq!(batch(on_item_error).outcome(&with_canceled(0)), Some(Outcome::Canceled));
        }
        assert_eq!(batch(OnItemError::Fail).outcome(&with_canceled(2)), Some(Outcome::Canceled));
        assert_eq!(batch(OnItemError::Skip).outcome(&with_canceled(2)), Some(Outcome::Completed));
    }

    #[test]
    fn batch_cancel_counts_unless_everything_was_delivered() {
        let canceled = Batch { cancel_requested: true, ..batch(OnItemError::Skip) };
        assert!(canceled.stops(&counts(0, 0)));
        assert_eq!(canceled.outcome(&counts(3, 1)), Some(Outcome::Canceled));
        assert_eq!(canceled.outcome(&counts(3, 3)), Some(Outcome::Completed));
    }

    #[test]
    fn batch_with_a_retry_in_preparation_neither_ends_nor_cancels() {
        let resuming = Batch { resuming: true, ..batch(OnItemError::Fail) };
        assert_eq!(resuming.outcome(&counts(3, 2)), None);
        assert!(!resuming.stops(&counts(3, 2)), "the failures belong to the previous run");
    }

    #[test]
    fn percent_counts_delivered_documents_only() {
        let running = batch(OnItemError::Skip);
        let percents = [(1, 0), (2, 0), (2, 1), (3, 1)]
            .map(|(ended, completed)| running.percent(&counts(ended, completed)));
        assert_eq!(percents, [0, 0, 33, 33]);
    }

    #[test]
    fn batch_percent_is_100_only_when_completed() {
        let running = batch(OnItemError::Fail);
        let percents = [0, 1, 2, 3].map(|delivered| running.percent(&counts(delivered, delivered)));
        assert_eq!(percents, [0, 33, 66, 99]);
        let ended = Batch { phase: Phase::Completed, ..running };
        assert_eq!(ended.percent(&counts(3, 3)), 100);
    }
}

//! Outcome of a transfer or batch.

use crate::failure::FailureCode;
use crate::phase::Phase;
use crate::transfer::Transfer;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Artifact;
    use crate::transfer::sample::accepted_download;

    #[test]
    fn recorded_delivery_wins_over_cancel_and_failure() {
        let artifact = Artifact { key: "k".into(), size: 1, crc32: None };
        let delivered = Transfer {
            delivery: Some(artifact.into()),
            cancel_requested: true,
            ending: Some(FailureCode::ArrivalTimeout),
            ..accepted_download()
        };
        assert_eq!(Outcome::decide(&delivered, Some("CANCELED")), Outcome::Completed);
    }

    #[test]
    fn cancel_request_wins_over_failures() {
        assert_eq!(Outcome::decide(&accepted_download(), Some("CANCELED")), Outcome::Canceled);

        let to_cancel = Transfer { cancel_requested: true, ..accepted_download() };
        assert_eq!(Outcome::decide(&to_cancel, Some("ARRIVAL_TIMEOUT")), Outcome::Canceled);
    }

    #[test]
    fn error_name_that_is_no_failure_code_counts_as_internal() {
        let internal = Outcome::Failed(FailureCode::Internal);
        assert_eq!(Outcome::decide(&accepted_download(), Some("Lambda.Unknown")), internal);
        assert_eq!(Outcome::decide(&accepted_download(), None), internal);
    }
}

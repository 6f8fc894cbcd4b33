//! Result of a workflow step that did not fail. Either the step did its work, or it waits for an
//! event and the workflow runs it again later.

use docferry_domain::failure::FailureCode;

/// Result of a step that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum StepOutcome<T> {
    /// The step did its work.
    Done(T),
    /// The step cannot do its work yet, and nothing is wrong: run it again later.
    RetryLater {
        /// The event that the step waits for.
        reason: RetryReason,
    },
}

/// Reason why a step cannot do its work yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetryReason {
    /// The last user of the exchange key is deleting its object.
    ExchangeKeyReleasing,
    /// Transfers of another document use the exchange key.
    ExchangeKeyHeld,
    /// A PUT of a small document may still take effect at the destination.
    PutInFlight,
    /// The service has not computed the hash of a file that may be the document.
    HashPending,
    /// Documents of an earlier run are not cleaned up yet.
    CleanupUnfinished,
}

impl RetryReason {
    /// All reasons.
    pub const ALL: &'static [Self] = &[
        Self::ExchangeKeyReleasing,
        Self::ExchangeKeyHeld,
        Self::PutInFlight,
        Self::HashPending,
        Self::CleanupUnfinished,
    ];

    /// Returns the name used in logs and execution histories.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExchangeKeyReleasing => "EXCHANGE_KEY_RELEASING",
            Self::ExchangeKeyHeld => "EXCHANGE_KEY_HELD",
            Self::PutInFlight => "PUT_IN_FLIGHT",
            Self::HashPending => "HASH_PENDING",
            Self::CleanupUnfinished => "CLEANUP_UNFINISHED",
        }
    }

    /// Returns the retryable failure code that stands for this reason in old executions: those that
    /// run definition 1 of the workflow, which has no retry reasons. They end within
    /// `TransferDeadlineSeconds` after the deployment that replaced definition 1.
    #[must_use]
    pub const fn legacy_code(self) -> FailureCode {
        match self {
            Self::ExchangeKeyReleasing | Self::ExchangeKeyHeld => FailureCode::ExchangeUnavailable,
            Self::PutInFlight | Self::HashPending => FailureCode::DestinationUnavailable,
            Self::CleanupUnfinished => FailureCode::StoreUnavailable,
        }
    }

    /// Returns the seconds to wait before the step runs again, at least 1.
    #[must_use]
    pub const fn wait_seconds(self) -> u32 {
        match self {
            Self::ExchangeKeyReleasing | Self::ExchangeKeyHeld => 2,
            Self::PutInFlight | Self::HashPending | Self::CleanupUnfinished => 10,
        }
    }
}

impl<T> StepOutcome<T> {
    /// Converts the value of [`StepOutcome::Done`].
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> StepOutcome<U> {
        match self {
            Self::Done(value) => StepOutcome::Done(change(value)),
            Self::RetryLater { reason } => StepOutcome::RetryLater { reason },
        }
    }

    /// Returns the value, or the reason to run the step again.
    ///
    /// # Errors
    /// The reason of [`StepOutcome::RetryLater`].
    pub fn done(self) -> Result<T, RetryReason> {
        match self {
            Self::Done(value) => Ok(value),
            Self::RetryLater { reason } => Err(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_maps_to_a_retryable_code_for_old_executions() {
        for reason in RetryReason::ALL {
            assert!(reason.legacy_code().is_retryable(), "{reason:?}");
            assert!(reason.wait_seconds() > 0);
        }
    }
}

use serde::{Deserialize, Serialize};

/// Where a transfer stands. Phases only move forward within an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Recorded; the workflow has not begun.
    Accepted,
    /// ORDS is being asked.
    Pushing,
    /// Pushed; not yet in the exchange bucket.
    AwaitingArrival,
    /// Bytes are moving to the destination.
    Uploading,
    /// Verified at the destination.
    Completed,
    /// Ended with an error.
    Failed,
    /// Ended on request.
    Canceled,
}

impl Phase {
    /// Whether nothing but a retry leaves this phase.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }

    /// The stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Pushing => "pushing",
            Self::AwaitingArrival => "awaiting_arrival",
            Self::Uploading => "uploading",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

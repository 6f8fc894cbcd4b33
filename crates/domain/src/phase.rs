//! Phases of a transfer, which delivers one document. ORDS is the document source.

use serde::{Deserialize, Serialize};

/// Phase of a transfer. Within a run (the first run, or a retry), a phase is never repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The transfer is recorded, and its workflow has not started.
    Accepted,
    /// ORDS is being asked to push the document, which means to copy it to the exchange bucket.
    Pushing,
    /// ORDS has confirmed the push, but the document has not arrived in the exchange bucket.
    AwaitingArrival,
    /// The document is being transferred to its destination.
    Uploading,
    /// The document is at its destination and verified.
    Completed,
    /// The transfer ended with an error.
    Failed,
    /// The transfer ended by a cancel request.
    Canceled,
}

impl Phase {
    /// Returns whether the phase is final. Only a retry changes a final phase.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }

    /// Returns the stored name.
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

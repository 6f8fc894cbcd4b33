//! Counters of the failed tries of each workflow step within a run of a transfer. Status responses
//! are derived from them.
//!
//! A *run* is one pass of a transfer: the first run, or a retry by the caller. A *try* is one call
//! of a step within a run.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failure::FailureCode;

/// Step of the workflow whose tries are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Request to the source to push the document.
    Push,
    /// Check for the arrival in the exchange bucket.
    Poll,
    /// Delivery of the document to its destination.
    Deliver,
    /// Clean-up at the end of the transfer.
    Finalize,
}

impl Step {
    /// Returns the stored attribute that counts the failed tries of the step.
    #[must_use]
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Push => "failedPushTries",
            Self::Poll => "failedPollTries",
            Self::Deliver => "failedDeliverTries",
            Self::Finalize => "failedFinalizeTries",
        }
    }
}

/// A failure after which the step is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransientError {
    /// Code of the failure.
    pub code: FailureCode,
    /// Time of the failed try.
    pub at: Timestamp,
}

/// Number of failed tries in the present run, by step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedTries {
    #[serde(default, rename = "failedPushTries")]
    pub(super) push: u32,
    #[serde(default, rename = "failedPollTries")]
    pub(super) poll: u32,
    #[serde(default, rename = "failedDeliverTries")]
    pub(super) deliver: u32,
    #[serde(default, rename = "failedFinalizeTries")]
    pub(super) finalize: u32,
}

impl FailedTries {
    /// Counts one more failed try of a step.
    pub const fn count(&mut self, step: Step) {
        let count = match step {
            Step::Push => &mut self.push,
            Step::Poll => &mut self.poll,
            Step::Deliver => &mut self.deliver,
            Step::Finalize => &mut self.finalize,
        };
        *count = count.saturating_add(1);
    }

    /// Returns the largest number of failed tries of any step.
    pub(super) fn most(self) -> u32 {
        self.push.max(self.poll).max(self.deliver).max(self.finalize)
    }
}

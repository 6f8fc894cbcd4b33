//! Tries of the steps of a run.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{FailureCode, Phase, Transfer};

/// A step of the workflow whose tries are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The source is asked to push the document.
    Push,
    /// The arrival in the exchange bucket is looked for.
    Poll,
    /// The document is carried to its destination.
    Deliver,
    /// The transfer is ended.
    Finalize,
}

impl Step {
    /// The stored attribute that counts its failed tries.
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

/// The failure of a step that is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransientError {
    /// The code of the failure.
    pub code: FailureCode,
    /// When the try failed.
    pub at: Timestamp,
}

/// Failed tries of the present run, by step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedTries {
    #[serde(default, rename = "failedPushTries")]
    push: u32,
    #[serde(default, rename = "failedPollTries")]
    poll: u32,
    #[serde(default, rename = "failedDeliverTries")]
    deliver: u32,
    #[serde(default, rename = "failedFinalizeTries")]
    finalize: u32,
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

    fn most(self) -> u32 {
        self.push.max(self.poll).max(self.deliver).max(self.finalize)
    }
}

impl Transfer {
    /// Tries of the present step in this run, 1 or more; once it has ended, those of the
    /// step that took the most. A try whose process died is not counted.
    #[must_use]
    pub fn tries(&self) -> u32 {
        let failed = self.failed_tries;
        let of_step = match self.phase {
            Phase::Completed | Phase::Failed | Phase::Canceled => failed.most(),
            _ if self.ending.is_some() => failed.finalize,
            Phase::Accepted | Phase::Pushing => failed.push,
            Phase::AwaitingArrival => failed.poll,
            Phase::Uploading => failed.deliver,
        };
        of_step.saturating_add(1)
    }
}

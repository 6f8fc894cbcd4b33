//! Reactions of the upload's state machine to a conflict. In a *conflict*, the drive refuses an
//! operation because of the item at the destination's path.
//!
//! The table [`crate::upload::refusal::TABLE`] decides; this module carries out its decision.

use std::time::Duration;

use super::step::Step;
use super::{InvocationOutcome, Occupancy, Persist, UploadMachine};
use crate::failure::FailureCode;
use crate::upload::refusal::{Decision, Occupant, Operation, after_lookup};

/// Highest number in a name that is tried under the policy `rename`.
const MAX_NAME_NUMBER: u32 = 99;
/// Maximum number of waits for a path that another session or an editor has locked. All waits
/// together take about 21 minutes, which is longer than the 15 minutes after which an abandoned
/// session expires.
const MAX_WAITS: u32 = 24;
/// First wait for a path. Each further wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// Longest wait for a path.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Maximum number of doublings of a wait. It avoids an overflow.
const MAX_DOUBLINGS: u32 = 10;

impl UploadMachine {
    /// Handles a conflict of `operation` after a lookup of the destination. The lookup did not find
    /// the document. `occupancy` is the item that it found.
    pub(super) fn handle_conflict(
        &mut self,
        operation: Operation,
        occupancy: Occupancy,
    ) -> Persist {
        let occupant = match occupancy {
            Occupancy::Nothing => Occupant::Nothing,
            Occupancy::Other | Occupancy::SameSize => Occupant::File,
            Occupancy::Folder => Occupant::Folder,
            Occupancy::FileInPath => Occupant::FileInPath,
        };
        match after_lookup(operation, self.rules.policy, occupant) {
            Decision::WaitForPath => self.wait_for_path(),
            Decision::NewSession => {
                self.replace_session(FailureCode::DestinationLocked);
                Persist::Before
            }
            Decision::NextNumber => self.try_next_number(),
            Decision::Repeat { last_failure } => {
                self.pending_failure = last_failure;
                self.retry_from(Step::PutDocument);
                Persist::Before
            }
            Decision::Fail(code) if operation == Operation::SmallPut => self.fail_put(code),
            Decision::Fail(code) => self.fail(code),
            // No row of the table for a conflict contains one of these decisions.
            Decision::Wait
            | Decision::RenewToken
            | Decision::Reconcile
            | Decision::Resume
            | Decision::CheckDrive
            | Decision::AlreadyGone
            | Decision::Absent => self.fail(FailureCode::Internal),
        }
    }

    /// Ends the invocation in order to wait for the path. The counter of waits is stored, so that
    /// the next invocation continues to count.
    fn wait_for_path(&mut self) -> Persist {
        self.counters.waits += 1;
        if self.counters.waits > MAX_WAITS {
            return self.fail(FailureCode::DestinationLocked);
        }
        let wait = FIRST_WAIT * (1 << (self.counters.waits - 1).min(MAX_DOUBLINGS));
        self.end_invocation(InvocationOutcome::Blocked(wait.min(LONGEST_WAIT)));
        Persist::Before
    }

    /// Handles a refused PUT, which wrote nothing.
    ///
    /// If no earlier PUT of this upload can have written the document, the checkpoint must no
    /// longer say that the document may be at the destination. Then the next run starts from the
    /// beginning, and `finalize` does not mistake a foreign file for the document.
    pub(super) fn fail_put(&mut self, code: FailureCode) -> Persist {
        if !self.may_have_written {
            self.may_be_delivered = false;
            self.sessions_opened = 0;
        }
        self.fail(code)
    }

    /// Tries the next numbered name, or fails when the policy or the maximum forbids it.
    pub(super) fn try_next_number(&mut self) -> Persist {
        if !self.is_numbering() || self.name_number >= MAX_NAME_NUMBER {
            return self.fail_put(FailureCode::DestinationConflict);
        }
        self.name_number += 1;
        self.step = Step::PutDocument;
        Persist::Before
    }
}

//! What follows a conflict, by [`crate::refusal::TABLE`].

use std::time::Duration;

use super::{Course, End, Seen, Step};
use crate::FailureCode;
use crate::refusal::{Decision, Occupant, Operation, after_look};

/// Names that are tried under the policy `rename` before the folder counts as full.
const MAX_NUMBER: u32 = 99;
/// Waits for a path that is held: about 21 minutes in all, because a session that nobody
/// closes lives for 15 minutes.
const MAX_WAITS: u32 = 24;
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl Course {
    /// The operation was refused because of a conflict, and this is what a look at the
    /// destination shows. The document is not there.
    pub(super) fn conflict(&mut self, operation: Operation, seen: Seen) -> bool {
        let occupant = match seen {
            Seen::Nothing => Occupant::Nothing,
            Seen::Other | Seen::SameSize => Occupant::File,
            Seen::Folder => Occupant::Folder,
            Seen::FileInPath => Occupant::FileInPath,
        };
        match after_look(operation, self.rules.policy, occupant) {
            Decision::WaitForPath => self.wait_for_path(),
            Decision::NewSession => {
                self.replace_session(FailureCode::DestinationLocked);
                true
            }
            Decision::NextNumber => self.next_number(),
            Decision::Repeat { then } => {
                self.cause = then;
                self.again(Step::Put);
                true
            }
            Decision::Fail(code) if operation == Operation::SmallPut => self.put_refused(code),
            Decision::Fail(code) => self.fail(code),
            // No row of a conflict says anything else.
            _ => self.fail(FailureCode::DestinationConflict),
        }
    }

    /// The counter of waits must be durable: each wait ends the invocation.
    fn wait_for_path(&mut self) -> bool {
        self.tally.waits += 1;
        if self.tally.waits > MAX_WAITS {
            return self.fail(FailureCode::DestinationLocked);
        }
        let wait = FIRST_WAIT * (1 << (self.tally.waits - 1).min(10));
        self.end(End::Blocked(wait.min(LONGEST_WAIT)));
        true
    }

    /// A refused PUT wrote nothing, but an earlier one may have. Without one, the next run
    /// starts from nothing, and the ending takes no foreign file for the document.
    pub(super) fn put_refused(&mut self, code: FailureCode) -> bool {
        if !self.in_doubt {
            self.sessions = 0;
        }
        self.fail(code)
    }

    pub(super) fn next_number(&mut self) -> bool {
        if !self.is_numbering() || self.number >= MAX_NUMBER {
            return self.put_refused(FailureCode::DestinationConflict);
        }
        self.number += 1;
        self.step = Step::Put;
        true
    }
}

//! Reactions of the upload's state machine to a lookup of the destination, and to the
//! comparison of the file that was found there.

use super::step::{Candidate, Step, Uncertainty};
use super::{MAX_HASH_CHECKS, Occupancy, Persist, UploadMachine};
use crate::failure::FailureCode;

/// Maximum number of lookups for one session that names no missing byte. After that number, the
/// session counts as unusable.
const MAX_STATUSES_WITHOUT_RANGE: u32 = 3;

impl UploadMachine {
    /// Handles the result of a lookup.
    pub(super) fn handle_lookup(&mut self, occupancy: Occupancy) -> Persist {
        let Step::LookUp(reason) = self.step else { return self.fail(FailureCode::Internal) };
        if occupancy != Occupancy::SameSize {
            return self.handle_absence(reason, occupancy);
        }
        // If this upload has written nothing, any file there is a conflict, even one with equal
        // bytes.
        if matches!(reason, Uncertainty::Conflict(_)) && !self.may_have_written {
            return self.handle_absence(reason, Occupancy::Other);
        }
        self.verify(Candidate::LookedUp(reason))
    }

    /// Handles a lookup that found a folder with the document's name.
    pub(super) fn handle_folder_at_destination(&mut self) -> Persist {
        let Step::LookUp(reason) = self.step else { return self.fail(FailureCode::Internal) };
        self.handle_absence(reason, Occupancy::Folder)
    }

    /// Handles a lookup that did not find the document. `reason` is the reason for the lookup.
    /// `occupancy` is the other item that was found, if any.
    fn handle_absence(&mut self, reason: Uncertainty, occupancy: Occupancy) -> Persist {
        match reason {
            Uncertainty::SessionGone => self.restart(),
            Uncertainty::NoExpectedRange => {
                self.statuses_without_range += 1;
                if self.statuses_without_range > MAX_STATUSES_WITHOUT_RANGE {
                    self.handle_incomplete_session()
                } else {
                    self.enter(Step::QuerySession)
                }
            }
            Uncertainty::PutUnanswered => self.enter(Step::LoadDocument),
            Uncertainty::Conflict(operation) => self.handle_conflict(operation, occupancy),
        }
    }

    /// Handles an item that was compared with the source and is not the document.
    pub(super) fn handle_other_file(&mut self) -> Persist {
        match self.step {
            Step::Verify(Candidate::LookedUp(reason)) => {
                self.hash_checks = 0;
                self.handle_absence(reason, Occupancy::Other)
            }
            Step::Verify(Candidate::CompletedByLastByte | Candidate::CompletedEarly) => {
                self.fail(FailureCode::VerificationFailed)
            }
            _ => self.fail(FailureCode::Internal),
        }
    }

    /// Checks the item again after a pause, or fails with `code` after too many checks.
    pub(super) fn check_again(&mut self, code: FailureCode) -> Persist {
        self.hash_checks += 1;
        if self.hash_checks > MAX_HASH_CHECKS {
            return self.fail(code);
        }
        // The checkpoint tells the next invocation that the drive has accepted every byte.
        let is_first_check = self.hash_checks == 1;
        if is_first_check && self.step == Step::Verify(Candidate::CompletedByLastByte) {
            self.offset = self.total;
            return Persist::Before;
        }
        Persist::NotNeeded
    }
}

//! Reactions of the upload's state machine to results about the upload session: its status,
//! its fragments, its opening and its closing.
//!
//! An *upload session* is a resource that the drive opens for one file. A *fragment* is a range of
//! the document's bytes, which is sent to the session in one request. `transitions` calls these
//! functions.

use std::time::Duration;

use super::step::{AfterClose, Candidate, Step, Uncertainty};
use super::{ExpectedRange, Persist, UploadMachine};
use crate::failure::FailureCode;
use crate::upload::FragmentRange;

/// Number of server errors on the last fragment after which the upload opens a new session with
/// smaller fragments. Some files complete only with smaller fragments.
const MAX_LAST_FRAGMENT_FAILURES: u32 = 3;

impl UploadMachine {
    /// Handles the status of the session.
    pub(super) fn handle_expected_range(&mut self, range: Option<ExpectedRange>) -> Persist {
        match range {
            Some(range) if range.start < self.total => self.continue_at(range),
            _ => self.look_up(Uncertainty::NoExpectedRange),
        }
    }

    /// Continues with the bytes that the session expects.
    fn continue_at(&mut self, range: ExpectedRange) -> Persist {
        self.record_progress(range.start);
        let has_lost_bytes = range.start < self.offset;
        // A checkpoint is stored before a change of the offset, and before each repetition.
        let must_store = range.start != self.offset || self.failures > 0;
        self.offset = range.start;
        self.expected_end = range.end;
        self.step = Step::SendFragment;
        if has_lost_bytes {
            return self.handle_lost_bytes();
        }
        if self.last_fragment_failures < MAX_LAST_FRAGMENT_FAILURES {
            return Persist::before_if(must_store);
        }
        if self.replaced_for_last_fragment {
            return self.fail(FailureCode::DestinationUnavailable);
        }
        self.replaced_for_last_fragment = true;
        self.plan = self.plan.at_most(self.total).halved();
        self.replace_session(FailureCode::DestinationUnavailable);
        Persist::Before
    }

    /// Handles an accepted fragment (202).
    pub(super) fn handle_accepted_fragment(
        &mut self,
        range: FragmentRange,
        next: Option<ExpectedRange>,
        took: Duration,
    ) -> Persist {
        // Normally, the session expects the byte after this fragment. If not, query its status.
        let Some(next) = next.filter(|next| next.start == range.end) else {
            return self.retry_from(Step::QuerySession);
        };
        self.advance_to(range.end);
        self.expected_end = next.end;
        self.plan = self.plan.grown(range.len(), took, self.rules.largest_fragment);
        if range.is_last() {
            // The drive has every byte but did not return the item.
            return self.enter(Step::QuerySession);
        }
        self.step = Step::SendFragment;
        Persist::Before
    }

    /// Handles a response to a fragment that contains the completed item.
    pub(super) fn handle_completed_file(&mut self, range: FragmentRange) -> Persist {
        if !range.is_last() {
            return self.verify(Candidate::CompletedEarly);
        }
        self.advance_to(range.end);
        self.verify(Candidate::CompletedByLastByte)
    }

    /// Advances the offset to the end of an acknowledged fragment.
    fn advance_to(&mut self, end: u64) {
        self.record_progress(end);
        self.bytes_sent += end - self.offset;
        self.offset = end;
        self.hashed_to = self.hashed_to.max(end);
    }

    /// Handles the opening of a session. The upload starts at the first byte.
    pub(super) fn handle_opened_session(&mut self) -> Persist {
        self.offset = 0;
        self.expected_end = None;
        self.last_fragment_failures = 0;
        self.statuses_without_range = 0;
        self.sessions_opened += 1;
        self.has_session = true;
        self.may_be_delivered = true;
        self.may_have_written = true;
        self.step = Step::SendFragment;
        Persist::Before
    }

    /// Handles a closed session. If `was_open` is `false`, the session had ended before and may
    /// have been completed.
    pub(super) fn handle_closed_session(&mut self, was_open: bool) -> Persist {
        if self.step == Step::CloseSession(AfterClose::RenewSource) {
            self.has_session = false;
            return self.enter(Step::RenewSource);
        }
        if was_open { self.restart() } else { self.look_up(Uncertainty::SessionGone) }
    }
}

//! Reactions of the upload's state machine to setbacks, and to the progress that resets its
//! counters.
//!
//! A *setback* is one of two faults of the drive: it loses bytes that it had acknowledged, or it
//! does not complete a file although it has every byte. The counter of setbacks continues over all
//! invocations of a run.

use super::step::{AfterClose, Step};
use super::{MAX_RENEWALS, Persist, UploadMachine};
use crate::failure::FailureCode;

/// Maximum number of setbacks without progress between them. After the first setback, the upload
/// continues in the same session, and after the second in a new session. So without progress, the
/// document is sent at most two more times.
const MAX_SETBACKS: u32 = 2;

impl UploadMachine {
    /// Records that the drive has acknowledged the bytes up to `offset`. Only a new maximum
    /// resets the counters, because acknowledging the same bytes again is no progress.
    pub(super) fn record_progress(&mut self, offset: u64) {
        if offset > self.counters.max_offset {
            self.counters.max_offset = offset;
            self.failures = 0;
            self.last_fragment_failures = 0;
            self.counters.setbacks = 0;
            self.counters.waits = 0;
        }
    }

    /// Handles a session that again expects bytes that it had acknowledged.
    pub(super) fn handle_lost_bytes(&mut self) -> Persist {
        self.counters.setbacks += 1;
        if self.counters.setbacks > MAX_SETBACKS {
            return self.fail(FailureCode::DestinationIncomplete);
        }
        if self.counters.setbacks == MAX_SETBACKS {
            self.replace_session(FailureCode::DestinationIncomplete);
        }
        Persist::Before
    }

    /// Handles a session that names no missing byte although the document is not at the
    /// destination.
    pub(super) fn handle_incomplete_session(&mut self) -> Persist {
        if self.offset < self.total {
            return self.replace_session(FailureCode::DestinationUnavailable);
        }
        // An offset equal to the size would mean that the drive has returned the completed item.
        self.offset = 0;
        self.counters.setbacks += 1;
        if self.counters.setbacks > MAX_SETBACKS {
            return self.fail(FailureCode::DestinationIncomplete);
        }
        self.replace_session(FailureCode::DestinationIncomplete);
        Persist::Before
    }

    /// Handles a source that was written again. All bytes that were sent and hashed so far
    /// belong to an outdated version.
    ///
    /// The order matters: first drop the bytes and the session, then record the new entity tag. In
    /// the other order, an invocation that takes over between the two steps would mix bytes of both
    /// versions.
    ///
    /// The new session does not count towards the maximum number of sessions, because pushes of
    /// other transfers cause such changes.
    pub(super) fn handle_source_change(&mut self) -> Persist {
        self.hashed_to = 0;
        self.offset = 0;
        self.expected_end = None;
        self.counters.renewals += 1;
        if self.counters.renewals > MAX_RENEWALS {
            return self.fail(FailureCode::SourceChanged);
        }
        self.pending_failure = FailureCode::SourceChanged;
        self.enter(if self.has_session {
            Step::CloseSession(AfterClose::RenewSource)
        } else {
            Step::RenewSource
        });
        Persist::Before
    }
}

//! Reactions of the upload's state machine to setbacks, and the progress that resets the
//! counters.
//!
//! A *setback* is a loss of bytes that the drive had acknowledged, or a file that the drive
//! does not complete although it has every byte. Setbacks are counted over all invocations
//! of a run.

use super::step::{AfterClose, Step};
use super::{MAX_RENEWALS, Persist, UploadMachine};
use crate::failure::FailureCode;

/// Maximum number of setbacks without progress between them. After the first setback, the upload
/// continues in the same session. After the second, it continues in a new session. So after the
/// last progress, the whole document is sent at most two more times.
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

    /// Handles a session that expects bytes which it had already acknowledged.
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

    /// Handles a session that names no missing byte while the document is not at the
    /// destination.
    pub(super) fn handle_incomplete_session(&mut self) -> Persist {
        if self.offset < self.total {
            return self.replace_session(FailureCode::DestinationUnavailable);
        }
        // The whole size as offset would mean that the drive has returned the completed item.
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
    /// These bytes and the session are dropped before the new entity tag is recorded. If the
    /// tag were recorded first, an invocation that takes over in between would mix bytes of
    /// both versions.
    ///
    /// Pushes of other transfers cause such changes, so the new session does not count
    /// against the maximum number of sessions.
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

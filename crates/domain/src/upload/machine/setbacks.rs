//! Setbacks: failures that are counted over all invocations of a run, and the progress that
//! resets the counters.

use super::step::{AfterClose, Step};
use super::{MAX_RENEWALS, Persist, UploadMachine};
use crate::failure::FailureCode;

/// Maximum number of setbacks in a row. After the first, the upload continues in the same
/// session; after the second, in a new one. So the document is sent at most twice more
/// after the last new maximum.
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

    /// Handles a drive that has fewer bytes than it had acknowledged.
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
        // A checkpoint with the whole offset would mean that the drive answered with the item.
        self.offset = 0;
        self.counters.setbacks += 1;
        if self.counters.setbacks > MAX_SETBACKS {
            return self.fail(FailureCode::DestinationIncomplete);
        }
        self.replace_session(FailureCode::DestinationIncomplete);
        Persist::Before
    }

    /// Handles a source that was written again: the bytes sent and hashed so far are of an
    /// outdated version. They and the session are dropped before the new entity tag is
    /// recorded. Otherwise an invocation that takes over in between would mix bytes of both
    /// versions.
    ///
    /// Pushes of other transfers cause this, so it does not use up a session.
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

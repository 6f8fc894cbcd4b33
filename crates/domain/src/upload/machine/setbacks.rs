//! Setbacks: failures that are counted over all invocations of a run, and the progress that
//! resets the counters.

use super::{MAX_RENEWALS, Step, UploadMachine};
use crate::failure::FailureCode;

/// Maximum number of setbacks in a row. After the first, the upload continues in the same
/// session; after the second, in a new one. So the document is sent at most twice more
/// after the last new maximum.
const MAX_SETBACKS: u32 = 2;

impl UploadMachine {
    /// Records that the drive has acknowledged the bytes up to `offset`. Only a new maximum
    /// resets the counters, because acknowledging the same bytes again is no progress.
    pub(super) fn reached(&mut self, offset: u64) {
        if offset > self.tally.furthest {
            self.tally.furthest = offset;
            self.failures = 0;
            self.last_failures = 0;
            self.tally.setbacks = 0;
            self.tally.waits = 0;
        }
    }

    /// Handles a drive that has fewer bytes than it had acknowledged.
    pub(super) fn handle_lost_bytes(&mut self) -> bool {
        self.tally.setbacks += 1;
        if self.tally.setbacks > MAX_SETBACKS {
            return self.fail(FailureCode::DestinationIncomplete);
        }
        if self.tally.setbacks == MAX_SETBACKS {
            self.replace_session(FailureCode::DestinationIncomplete);
        }
        true
    }

    /// Handles a session that names no missing byte while the document is not at the
    /// destination.
    pub(super) fn not_completed(&mut self) -> bool {
        if self.offset < self.total {
            return self.replace_session(FailureCode::DestinationUnavailable);
        }
        // A checkpoint with the whole offset would mean that the drive answered with the item.
        self.offset = 0;
        self.tally.setbacks += 1;
        if self.tally.setbacks > MAX_SETBACKS {
            return self.fail(FailureCode::DestinationIncomplete);
        }
        self.replace_session(FailureCode::DestinationIncomplete);
        true
    }

    /// Closes the session in order to open another. `because` is the failure that is
    /// reported when no further session is allowed.
    pub(super) fn replace_session(&mut self, because: FailureCode) -> bool {
        self.tally.replaced_because = Some(because);
        self.go(Step::Close { renew: false })
    }

    /// Handles a source that was written again: the bytes sent and hashed so far are of an
    /// outdated version. They and the session are dropped before the new entity tag is
    /// recorded. Otherwise an invocation that takes over in between would mix bytes of both
    /// versions.
    ///
    /// Pushes of other transfers cause this, so it does not use up a session.
    pub(super) fn source_changed(&mut self) -> bool {
        self.hashed_to = 0;
        self.offset = 0;
        self.gap_end = None;
        self.tally.renewals += 1;
        if self.tally.renewals > MAX_RENEWALS {
            return self.fail(FailureCode::SourceChanged);
        }
        self.cause = FailureCode::SourceChanged;
        self.go(if self.session { Step::Close { renew: true } } else { Step::Renew });
        true
    }
}

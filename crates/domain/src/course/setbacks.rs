//! Failures that are counted over all invocations of a run, and what resets them.

use super::{Course, MAX_RENEWALS, Step};
use crate::FailureCode;

/// Setbacks before the upload fails. The first is taken up in the same session, the second
/// in another one: after the last new maximum the document is sent twice more at most.
const MAX_SETBACKS: u32 = 2;

impl Course {
    /// The drive has acknowledged the bytes up to `offset`. Only a new maximum resets the
    /// counters: a server that acknowledges the same bytes again makes no progress.
    pub(super) fn reached(&mut self, offset: u64) {
        if offset > self.tally.furthest {
            self.tally.furthest = offset;
            self.failures = 0;
            self.last_failures = 0;
            self.tally.setbacks = 0;
            self.tally.waits = 0;
        }
    }

    /// The drive has fewer bytes than it had acknowledged.
    pub(super) fn set_back(&mut self) -> bool {
        self.tally.setbacks += 1;
        if self.tally.setbacks > MAX_SETBACKS {
            return self.fail(FailureCode::DestinationIncomplete);
        }
        if self.tally.setbacks == MAX_SETBACKS {
            self.replace_session(FailureCode::DestinationIncomplete);
        }
        true
    }

    /// The session names no missing byte, and the document is not at the destination.
    pub(super) fn not_completed(&mut self) -> bool {
        if self.offset < self.total {
            return self.replace_session(FailureCode::DestinationUnavailable);
        }
        // The checkpoint of a whole offset says that the drive answered with the item.
        self.offset = 0;
        self.tally.setbacks += 1;
        if self.tally.setbacks > MAX_SETBACKS {
            return self.fail(FailureCode::DestinationIncomplete);
        }
        self.replace_session(FailureCode::DestinationIncomplete);
        true
    }

    /// Closes the session, to open another. `because` is the failure when no other may be
    /// opened.
    pub(super) fn replace_session(&mut self, because: FailureCode) -> bool {
        self.tally.replaced_because = Some(because);
        self.go(Step::Close { renew: false })
    }

    /// The source was written again: what was sent and hashed is of bytes that are no more.
    /// It is forgotten before the new tag is taken, and so is the session: an invocation
    /// that took over in between would otherwise go on with bytes of both.
    ///
    /// Pushes of others cause this, so it uses up no session and counts by itself.
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

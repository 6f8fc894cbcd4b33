//! Pauses of an upload: how long the caller of the state machine waits before the next
//! command.

use std::time::Duration;

use super::step::{AfterClose, Step};
use super::{MAX_FAILURES, UploadMachine};

/// Pause before the second check for a hash; it doubles with each further check.
const FIRST_HASH_PAUSE: Duration = Duration::from_millis(250);
/// Maximum pause between two checks for a hash.
const LONGEST_HASH_PAUSE: Duration = Duration::from_secs(15);
/// Base of the backoff. The pause doubles with each failure and with each renewal of the
/// source, from 0.2 s to 6.4 s.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

impl UploadMachine {
    /// Returns the pause before the next command. It grows with each failure in a row, and
    /// with each check of an item whose hash the service has not computed yet.
    #[must_use]
    pub fn pause(&self) -> Duration {
        if self.hash_checks > 0 {
            (FIRST_HASH_PAUSE * (1 << (self.hash_checks - 1).min(10))).min(LONGEST_HASH_PAUSE)
        } else if self.is_renewing() {
            FIRST_PAUSE * (1 << self.counters.renewals.min(MAX_FAILURES))
        } else if self.failures > 0 || self.statuses_without_range > 0 {
            let setbacks = self.failures.max(self.statuses_without_range);
            FIRST_PAUSE * (1 << setbacks.min(MAX_FAILURES))
        } else {
            Duration::ZERO
        }
    }

    /// Returns whether the upload is restarting because the source was written again.
    const fn is_renewing(&self) -> bool {
        matches!(self.step, Step::CloseSession(AfterClose::RenewSource) | Step::RenewSource)
    }
}

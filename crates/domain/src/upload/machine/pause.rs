//! Pauses of an upload: how long the caller of the state machine waits before the next
//! command.
//!
//! A *renewal* is a restart of the upload because its source was written again.

use std::time::Duration;

use super::step::{AfterClose, Step};
use super::{MAX_FAILURES, UploadMachine};

/// Pause before the second check for a hash. Each further pause is twice as long.
const FIRST_HASH_PAUSE: Duration = Duration::from_millis(250);
/// Maximum pause between two checks for a hash.
const LONGEST_HASH_PAUSE: Duration = Duration::from_secs(15);
/// Base of the backoff. Each failure and each renewal doubles the pause, from 0.2 s to 6.4 s.
const BASE_PAUSE: Duration = Duration::from_millis(100);
/// Maximum number of doublings of the pause between checks. It avoids an overflow.
const MAX_DOUBLINGS: u32 = 10;

impl UploadMachine {
    /// Returns the pause before the next command. It grows with each consecutive failure, and with
    /// each check for a hash that the service has not computed yet.
    #[must_use]
    pub fn pause(&self) -> Duration {
        if self.hash_checks > 0 {
            let doublings = (self.hash_checks - 1).min(MAX_DOUBLINGS);
            (FIRST_HASH_PAUSE * (1 << doublings)).min(LONGEST_HASH_PAUSE)
        } else if self.is_renewing() {
            BASE_PAUSE * (1 << self.counters.renewals.min(MAX_FAILURES))
        } else if self.failures > 0 || self.statuses_without_range > 0 {
            let repetitions = self.failures.max(self.statuses_without_range);
            BASE_PAUSE * (1 << repetitions.min(MAX_FAILURES))
        } else {
            Duration::ZERO
        }
    }

    /// Returns whether the upload is restarting because the source was written again.
    const fn is_renewing(&self) -> bool {
        matches!(self.step, Step::CloseSession(AfterClose::RenewSource) | Step::RenewSource)
    }
}

//! Measured throughput of a document's delivery, and estimates of its progress and remaining time.
//! The workflow's steps that move bytes record the measurements. Status responses show the
//! estimates.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Length of the smoothing window. The new value is a weighted mean: the previous value has the
/// weight of this length, and a new measurement has the weight of the time since the previous one.
const WINDOW: SignedDuration = SignedDuration::from_secs(10);

/// Age after which a measurement is no longer used.
const MAX_AGE: SignedDuration = SignedDuration::from_secs(60);

/// Measured throughput. The value is smoothed over about ten seconds, so that one slow fragment
/// does not change estimates abruptly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Throughput {
    /// Time of the last measurement.
    pub at: Timestamp,
    /// Number of bytes that had arrived at this time.
    pub bytes: u64,
    /// Throughput in bytes per second; `None` after the first measurement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u64>,
}

impl Throughput {
    /// Creates the result of a first measurement. The throughput is unknown until the second one.
    #[must_use]
    pub const fn begin(at: Timestamp, bytes: u64) -> Self {
        Self { at, bytes, per_second: None }
    }

    /// Adds a measurement to `last`, or begins with this measurement if `last` is `None`. See
    /// [`Throughput::moved`].
    #[must_use]
    pub fn next(last: Option<Self>, at: Timestamp, bytes: u64) -> Self {
        last.map_or_else(|| Self::begin(at, bytes), |last| last.moved(at, bytes))
    }

    /// Adds a measurement.
    ///
    /// Starts over with this measurement in three cases:
    ///
    /// - There are fewer bytes than before, because a new upload session has begun.
    /// - The last measurement is too old.
    /// - The clock has gone back.
    #[must_use]
    pub fn moved(self, at: Timestamp, bytes: u64) -> Self {
        let elapsed = at.duration_since(self.at);
        if bytes < self.bytes || elapsed > MAX_AGE || elapsed.is_negative() {
            return Self::begin(at, bytes);
        }
        let Ok(elapsed_ms) = u128::try_from(elapsed.as_millis()) else { return self };
        if elapsed_ms == 0 {
            return self;
        }
        let measured = u128::from(bytes - self.bytes) * 1000 / elapsed_ms;
        let window = WINDOW.as_millis().unsigned_abs();
        let smoothed = match self.per_second {
            None => measured,
            Some(previous) => {
                (u128::from(previous) * window + measured * elapsed_ms) / (window + elapsed_ms)
            }
        };
        let per_second = Some(u64::try_from(smoothed).unwrap_or(u64::MAX));
        Self { at, bytes, per_second }
    }

    /// Returns the throughput in bytes per second, if it is known and not too old at `now`.
    #[must_use]
    pub fn per_second(&self, now: Timestamp) -> Option<u64> {
        self.per_second.filter(|_| now.duration_since(self.at) <= MAX_AGE)
    }

    /// Estimates the number of bytes that have moved since the last measurement. Returns 0 if
    /// the throughput is not known.
    #[must_use]
    pub fn estimated_bytes_since(&self, now: Timestamp) -> u64 {
        let Some(per_second) = self.per_second(now) else { return 0 };
        let elapsed_ms =
            u128::try_from(now.duration_since(self.at).as_millis()).unwrap_or_default();
        let moved = u128::from(per_second).saturating_mul(elapsed_ms) / 1000;
        u64::try_from(moved).unwrap_or(u64::MAX)
    }
}

/// Returns the number of seconds until `remaining` bytes have moved, at least 1. Returns
/// `None` when no bytes move.
#[must_use]
pub fn eta_seconds(remaining: u64, per_second: u64) -> Option<u64> {
    (per_second > 0).then(|| remaining.div_ceil(per_second).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).unwrap()
    }

    #[test]
    fn throughput_is_known_from_the_second_measurement_and_is_smoothed() {
        let first = Throughput::begin(at(0), 0);
        assert_eq!(first.per_second(at(0)), None);
        let second = first.moved(at(1_000), 1_000_000);
        assert_eq!(second.per_second(at(1_000)), Some(1_000_000));
        // Half the speed for one second. The earlier estimate counts as ten seconds, so the result
        // is (10 * 1,000,000 + 1 * 500,000) / 11.
        let third = second.moved(at(2_000), 1_500_000);
        assert_eq!(third.per_second(at(2_000)), Some(954_545));
        // Half the speed for a minute: the estimate nearly reaches it.
        let fourth = third.moved(at(62_000), 31_500_000);
        assert!((500_000..580_000).contains(&fourth.per_second(at(62_000)).unwrap()));
    }

    #[test]
    fn stale_or_restarted_throughput_is_unknown() {
        let known = Throughput::begin(at(0), 0).moved(at(1_000), 1_000_000);
        assert_eq!(known.per_second(at(61_001)), None, "the measurement is older than 60 s");
        assert_eq!(known.moved(at(2_000), 10), Throughput::begin(at(2_000), 10));
        assert_eq!(known.moved(at(100_000), 2_000_000).per_second, None);
        assert_eq!(known.moved(at(1_000), 1_000_001), known, "no time has passed");
        let huge = Throughput::begin(at(0), 0).moved(at(1), u64::MAX);
        assert_eq!(huge.per_second(at(1)), Some(u64::MAX));
    }

    #[test]
    fn bytes_are_estimated_between_two_measurements() {
        let known = Throughput::begin(at(0), 0).moved(at(1_000), 1_000_000);
        assert_eq!(known.estimated_bytes_since(at(1_000)), 0);
        assert_eq!(known.estimated_bytes_since(at(3_500)), 2_500_000);
        assert_eq!(
            known.estimated_bytes_since(at(500)),
            0,
            "an earlier time has an estimate of zero"
        );
        assert_eq!(known.estimated_bytes_since(at(61_001)), 0, "the speed is stale");
        assert_eq!(Throughput::begin(at(0), 0).estimated_bytes_since(at(5_000)), 0);
    }

    #[test]
    fn remaining_time_is_estimated_only_while_bytes_move() {
        assert_eq!(eta_seconds(1_000, 100), Some(10));
        assert_eq!(eta_seconds(1_001, 100), Some(11));
        assert_eq!(eta_seconds(0, 100), Some(1));
        assert_eq!(eta_seconds(1_000, 0), None);
    }
}

//! Arithmetic with points in time that cannot overflow.

use jiff::{SignedDuration, Timestamp};

/// Returns `time + duration`, saturating at the maximum timestamp.
pub(crate) fn saturating_add(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

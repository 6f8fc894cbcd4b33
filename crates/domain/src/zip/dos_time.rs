//! Time in the format of ZIP, which comes from MS-DOS.

use jiff::Timestamp;
use jiff::civil::{DateTime, datetime};
use jiff::tz::Offset;

/// First time that the format can express.
const EARLIEST: DateTime = datetime(1980, 1, 1, 0, 0, 0, 0);
/// Last time that the format can express.
const LATEST: DateTime = datetime(2107, 12, 31, 23, 59, 58, 0);

/// Time in the format of ZIP: in UTC, in steps of two seconds, from 1980 to 2107.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DosTime {
    /// Hour in the upper 5 bits, minute in 6 bits, half of the second in 5 bits.
    pub(super) time: u16,
    /// Years since 1980 in the upper 7 bits, month in 4 bits, day in 5 bits.
    pub(super) date: u16,
}

impl DosTime {
    /// Converts a time, rounded down to an even second. A time outside the range becomes the
    /// nearest time in the range.
    pub(super) fn from_timestamp(timestamp: Timestamp) -> Self {
        let utc = Offset::UTC.to_datetime(timestamp).clamp(EARLIEST, LATEST);
        // No cast changes a value, because all of these numbers are small and positive.
        let [hour, minute, second] = [utc.hour(), utc.minute(), utc.second()].map(|n| n as u16);
        let [month, day] = [utc.month(), utc.day()].map(|n| n as u16);
        let years = utc.year().saturating_sub(EARLIEST.year()) as u16;
        let time = (hour << 11) | (minute << 5) | (second / 2);
        let date = (years << 9) | (month << 5) | day;
        Self { time, date }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_stored_in_utc_with_two_seconds_precision() {
        let dos = |text: &str| DosTime::from_timestamp(text.parse().unwrap());
        let expected =
            DosTime { time: 13 << 11 | 7 << 5 | 29, date: (2026 - 1980) << 9 | 3 << 5 | 31 };
        assert_eq!(dos("2026-03-31T13:07:58Z"), expected);
        assert_eq!(dos("2026-03-31T13:07:59.999Z"), expected);
        assert_eq!(dos("2026-03-31T06:07:58-07:00"), expected);
    }

    #[test]
    fn time_outside_the_range_becomes_its_nearest_time() {
        let first = DosTime { time: 0, date: 1 << 5 | 1 };
        let last = DosTime { time: 23 << 11 | 59 << 5 | 29, date: 127 << 9 | 12 << 5 | 31 };
        for (timestamp, expected) in [
            (Timestamp::MIN, first),
            (Timestamp::UNIX_EPOCH, first),
            ("1980-01-01T00:00:01Z".parse().unwrap(), first),
            ("2107-12-31T23:59:58Z".parse().unwrap(), last),
            ("2108-01-01T00:00:00Z".parse().unwrap(), last),
            (Timestamp::MAX, last),
        ] {
            assert_eq!(DosTime::from_timestamp(timestamp), expected, "{timestamp}");
        }
    }
}

//! Dates in a search, such as `ge2026-01` (<https://hl7.org/fhir/R4/search.html#date>).
//!
//! The value of a date parameter is a date after an optional prefix, such as `ge` (greater than or
//! equal). The date may be partial, and then it stands for an interval: `2026-01` is the whole
//! month. The parser of a search converts each value to a [`DateRange`]. The search later compares
//! the times of document records with this range.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use jiff::{SignedDuration, Span, Timestamp};

use crate::value::Problem;

/// Maximum offset of a time zone from UTC, in minutes.
const MAX_OFFSET_MINUTES: u32 = 14 * 60;
/// Number of decimal digits after which a fraction of a second is a number of nanoseconds.
const NANOSECOND_DIGITS: u32 = 9;
/// Number of nanoseconds in a millisecond.
const NANOSECONDS_PER_MILLISECOND: i128 = 1_000_000;
/// Error for a value that is not a date with an optional prefix.
const INVALID_DATE: Problem = "must be a date such as 2026, 2026-01, 2026-01-31 or \
                               2026-01-31T10:00:00Z, after eq, ge, gt, le, lt or no prefix";

/// Range of time. The bounds are whole milliseconds, like the times of document records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateRange {
    /// First time in the range; `None` when the range has no beginning.
    pub from: Option<Timestamp>,
    /// First time after the range; `None` when the range has no end.
    pub until: Option<Timestamp>,
}

impl DateRange {
    /// The range of all times.
    pub const ALL: Self = Self { from: None, until: None };

    /// Parses a date with an optional prefix. A date without a time zone is in UTC.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let (prefix, date) = match text.split_at_checked(2) {
            Some((prefix, date)) if prefix.bytes().all(|byte| byte.is_ascii_lowercase()) => {
                (prefix, date)
            }
            _ => ("eq", text),
        };
        let Interval { start, end } = Interval::parse(date).ok_or(INVALID_DATE)?;
        let (from, until) = match prefix {
            "eq" => (Some(start), Some(end)),
            "ge" => (Some(start), None),
            "gt" => (Some(end), None),
            "le" => (None, Some(end)),
            "lt" => (None, Some(start)),
            _ => return Err(INVALID_DATE),
        };
        Ok(Self { from, until })
    }

    /// Returns whether the time is in the range.
    #[must_use]
    pub fn contains(&self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| time >= from) && self.until.is_none_or(|until| time < until)
    }

    /// Returns the smallest range that contains both ranges.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self {
            from: self.from.zip(other.from).map(|(left, right)| left.min(right)),
            until: self.until.zip(other.until).map(|(left, right)| left.max(right)),
        }
    }

    /// Returns the range of the times that are in both ranges. It contains no time if the ranges
    /// do not overlap.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        let until = match (self.until, other.until) {
            (Some(left), Some(right)) => Some(left.min(right)),
            (until, None) | (None, until) => until,
        };
        // `None` is less than every time, so the maximum is the stricter bound.
        Self { from: self.from.max(other.from), until }
    }
}

/// Interval of time that a date stands for. It includes `start` and excludes `end`.
struct Interval {
    start: Timestamp,
    end: Timestamp,
}

/// Smallest unit that a date without a time names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Precision {
    Year,
    Month,
    Day,
}

impl Interval {
    /// Parses `2026`, `2026-01`, `2026-01-31`, or a day with a time.
    fn parse(text: &str) -> Option<Self> {
        match text.split_once('T') {
            None => Self::of_date(text),
            Some((date, time)) => Self::of_time(date, time),
        }
    }

    /// Returns the year, the month or the day that a date without a time names.
    fn of_date(date: &str) -> Option<Self> {
        let (first_day, precision) = parse_date(date)?;
        let length = match precision {
            Precision::Year => Span::new().years(1),
            Precision::Month => Span::new().months(1),
            Precision::Day => Span::new().days(1),
        };
        let start = timestamp(first_day.at(0, 0, 0, 0), Offset::UTC)?;
        let next_day = first_day.checked_add(length).ok();
        let end = next_day.and_then(|day| timestamp(day.at(0, 0, 0, 0), Offset::UTC));
        Some(Self { start: round_up(start), end: round_up(end.unwrap_or(Timestamp::MAX)) })
    }

    /// Returns the minute, the second or the fraction of a second that a day with a time names.
    fn of_time(date: &str, time: &str) -> Option<Self> {
        let (day, precision) = parse_date(date)?;
        if precision != Precision::Day {
            return None;
        }
        let (time, offset) = split_time_zone(time)?;
        let (time, length) = parse_time(time)?;
        let start = timestamp(day.to_datetime(time), offset)?;
        let end = start.checked_add(length).unwrap_or(Timestamp::MAX);
        Some(Self { start: round_up(start), end: round_up(end) })
    }
}

fn timestamp(time: DateTime, offset: Offset) -> Option<Timestamp> {
    offset.to_timestamp(time).ok()
}

/// Rounds a bound up to a whole millisecond. The times of document records are whole milliseconds,
/// so the same records lie between the rounded bounds.
fn round_up(time: Timestamp) -> Timestamp {
    let milliseconds = time.as_nanosecond().div_euclid(NANOSECONDS_PER_MILLISECOND) as i64;
    let floor = Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MIN);
    if floor == time {
        time
    } else {
        floor.saturating_add(SignedDuration::from_millis(1)).unwrap_or(floor)
    }
}

/// Parses `yyyy[-mm[-dd]]`. Returns the first day of the named year or month, or the named day.
fn parse_date(text: &str) -> Option<(Date, Precision)> {
    let parts: Vec<_> = text.split('-').collect();
    let (year, month, day, precision) = match parts[..] {
        [year] => (year, "01", "01", Precision::Year),
        [year, month] => (year, month, "01", Precision::Month),
        [year, month, day] => (year, month, day, Precision::Day),
        _ => return None,
    };
    let year = parse_digits(year, 4).filter(|year| *year > 0)?;
    let (month, day) = (parse_digits(month, 2)?, parse_digits(day, 2)?);
    let date = Date::new(i16::try_from(year).ok()?, to_i8(month)?, to_i8(day)?);
    Some((date.ok()?, precision))
}

/// Splits `10:00:00Z` or `10:00:00+01:00` into the time of day and the offset from UTC. A text
/// without an offset is in UTC.
fn split_time_zone(text: &str) -> Option<(&str, Offset)> {
    if let Some(time) = text.strip_suffix('Z') {
        return Some((time, Offset::UTC));
    }
    let Some(sign_index) = text.find(['+', '-']) else { return Some((text, Offset::UTC)) };
    let (time, zone) = text.split_at(sign_index);
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (parse_digits(hours, 2)?, parse_digits(minutes, 2)?);
    let offset_minutes = hours * 60 + minutes;
    if minutes > 59 || offset_minutes > MAX_OFFSET_MINUTES {
        return None;
    }
    let seconds = i32::try_from(offset_minutes * 60).ok()?;
    let offset =
        Offset::from_seconds(if zone.starts_with('-') { -seconds } else { seconds }).ok()?;
    Some((time, offset))
}

/// Parses `hh:mm[:ss[.fraction]]`. Returns the time of day and the length of its last unit.
fn parse_time(text: &str) -> Option<(Time, SignedDuration)> {
    let mut parts = text.splitn(3, ':');
    let (hour, minute) = (parse_digits(parts.next()?, 2)?, parse_digits(parts.next()?, 2)?);
    let (second, nanosecond, length) = match parts.next() {
        None => (0, 0, SignedDuration::from_mins(1)),
        Some(seconds) => match seconds.split_once('.') {
            None => (parse_digits(seconds, 2)?, 0, SignedDuration::from_secs(1)),
            Some((second, fraction)) => {
                let digits = u32::try_from(fraction.len()).ok()?;
                let unit_nanoseconds = 10_u32.pow(NANOSECOND_DIGITS.checked_sub(digits)?);
                let nanosecond = parse_digits(fraction, fraction.len())? * unit_nanoseconds;
                let length = SignedDuration::from_nanos(i64::from(unit_nanoseconds));
                (parse_digits(second, 2)?, nanosecond, length)
            }
        },
    };
    let nanosecond = i32::try_from(nanosecond).ok()?;
    let time = Time::new(to_i8(hour)?, to_i8(minute)?, to_i8(second)?, nanosecond);
    Some((time.ok()?, length))
}

fn to_i8(number: u32) -> Option<i8> {
    i8::try_from(number).ok()
}

/// Parses a number that has exactly `count` decimal digits.
fn parse_digits(text: &str, count: usize) -> Option<u32> {
    let is_number =
        count > 0 && text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns the bounds of a range as text. A missing bound is an empty text.
    fn bounds(text: &str) -> (String, String) {
        let range = DateRange::parse(text).unwrap();
        let text = |time: Option<Timestamp>| time.map_or_else(String::new, |time| time.to_string());
        (text(range.from), text(range.until))
    }

    #[test]
    fn partial_dates_are_half_open_intervals() {
        for (text, from, until) in [
            ("2026", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2026-02", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
            ("2026-12", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("2026-01-31T23:59", "2026-01-31T23:59:00Z", "2026-02-01T00:00:00Z"),
            ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00Z", "2026-01-31T10:00:01Z"),
            ("2026-01-31T10:00:00.5-08:00", "2026-01-31T18:00:00.5Z", "2026-01-31T18:00:00.6Z"),
            ("2026-01-31T10:00:00+01:00", "2026-01-31T09:00:00Z", "2026-01-31T09:00:01Z"),
            ("2026-01-31T10:00:00.0001Z", "2026-01-31T10:00:00.001Z", "2026-01-31T10:00:00.001Z"),
            (
                "2026-01-31T10:00:00.123456789Z",
                "2026-01-31T10:00:00.124Z",
                "2026-01-31T10:00:00.124Z",
            ),
            ("0001-01-01T00:00:00+14:00", "0000-12-31T10:00:00Z", "0000-12-31T10:00:01Z"),
        ] {
            assert_eq!(bounds(text), (from.to_owned(), until.to_owned()), "{text}");
            assert_eq!(bounds(&format!("eq{text}")), (from.to_owned(), until.to_owned()));
            assert_eq!(bounds(&format!("ge{text}")), (from.to_owned(), String::new()));
            assert_eq!(bounds(&format!("gt{text}")), (until.to_owned(), String::new()));
            assert_eq!(bounds(&format!("le{text}")), (String::new(), until.to_owned()));
            assert_eq!(bounds(&format!("lt{text}")), (String::new(), from.to_owned()));
        }
        assert!(DateRange::parse("gt9999").unwrap().from.is_some());
        assert!(DateRange::parse("le9999-12-30").is_ok());
    }

    #[test]
    fn malformed_dates_and_other_prefixes_are_refused() {
        for bad in [
            "",
            "ge",
            "26",
            "0000",
            "2026-",
            "2026-13",
            "2026-1",
            "2026-02-30",
            "2026-02-01T",
            "2026-02-01T10",
            "2026-02-01T24:00",
            "2026-02-01T10:60",
            "2026-02-01T10:00:60Z",
            "2026-02-01T10:00:00.Z",
            "2026-02-01T10:00:00.0123456789Z",
            "2026-02T10:00",
            "2026-02-01T10:00+15:00",
            "2026-02-01T10:00+1:00",
            "2026-02-01T10:00ZZ",
            "2026-02-01Z",
            "ne2026",
            "sa2026",
            "eb2026",
            "ap2026",
            "xx2026",
            "GE2026",
            "gege2026",
            "ge 2026",
            "2026-01-31T10:00:00 01:00",
            "２０２６",
            "+2026",
            "-2026",
            "2026-02-01t10:00:00z",
            "é2026",
            "2026-02-01T10:00:00.+1Z",
        ] {
            assert!(DateRange::parse(bad).is_err(), "{bad}");
        }
    }

    fn date_text() -> impl Strategy<Value = String> {
        prop_oneof![
            "20[0-9]{2}",
            "202[0-9]-0[1-9]",
            "202[0-9]-1[0-2]-[0-2][1-9]",
            "2026-01-0[1-3]T[01][0-9]:[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?(Z|[+-]0[0-9]:[0-5]0)?",
        ]
    }

    proptest! {
        #[test]
        fn each_time_is_before_in_or_after_a_date(
            date in date_text(), millisecond in prop_oneof![
                1_767_225_600_000..1_767_400_000_000_i64, 946_684_800_000..1_900_000_000_000_i64,
            ],
        ) {
            let time = Timestamp::from_millisecond(millisecond).unwrap();
            let finds = |prefix: &str| {
                DateRange::parse(&format!("{prefix}{date}")).unwrap().contains(time)
            };
            let found = [finds("lt"), finds("eq"), finds("gt")];
            prop_assert_eq!(found.iter().filter(|is_found| **is_found).count(), 1);
            prop_assert_eq!(finds("ge"), finds("eq") || finds("gt"));
            prop_assert_eq!(finds("le"), finds("eq") || finds("lt"));
            prop_assert_eq!(finds(""), finds("eq"));
        }

        #[test]
        fn hull_and_intersection_agree_with_contains(
            a in "(eq|ge|gt|le|lt)202[0-3]", b in "(eq|ge|gt|le|lt)202[0-3]", years in 0..8_i64,
        ) {
            let time = Timestamp::from_second(1_546_300_800 + years * 31_557_600).unwrap();
            let (a, b) = (DateRange::parse(&a).unwrap(), DateRange::parse(&b).unwrap());
            prop_assert_eq!(a.intersection(b).contains(time), a.contains(time) && b.contains(time));
            prop_assert!(a.hull(b).contains(time) || !(a.contains(time) || b.contains(time)));
        }

        #[test]
        fn arbitrary_text_never_panics(text in "(\\PC|[0-9TZ:+. -]){0,40}") {
            let _ = DateRange::parse(&text);
        }
    }
}

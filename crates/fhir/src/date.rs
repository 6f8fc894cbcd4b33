//! Dates of a search: prefixes and partial dates as ranges of time
//! (<https://hl7.org/fhir/R4/search.html#date>).

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Span, Timestamp};

use crate::value::Problem;

/// Range of time. The bounds are whole milliseconds, as the times of records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateRange {
    /// First time in the range; `None` when the range has no beginning.
    pub from: Option<Timestamp>,
    /// First time after the range; `None` when the range has no end.
    pub until: Option<Timestamp>,
}

const FORM: Problem = "must be a date such as 2026, 2026-01, 2026-01-31 or 2026-01-31T10:00:00Z, \
                       after eq, ge, gt, le, lt or no prefix";

impl DateRange {
    /// The range of all times.
    pub const ALL: Self = Self { from: None, until: None };

    /// Reads a date with an optional prefix. A partial date stands for the interval that it names,
    /// in UTC.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let (prefix, date) = match text.split_at_checked(2) {
            Some((prefix, date)) if prefix.bytes().all(|b| b.is_ascii_lowercase()) => {
                (prefix, date)
            }
            _ => ("eq", text),
        };
        let (start, end) = interval(date).ok_or(FORM)?;
        let (from, until) = match prefix {
            "eq" => (Some(start), Some(end)),
            "ge" => (Some(start), None),
            "gt" => (Some(end), None),
            "le" => (None, Some(end)),
            "lt" => (None, Some(start)),
            _ => return Err(FORM),
        };
        Ok(Self { from, until })
    }

    /// Returns whether the time is in the range.
    #[must_use]
    pub fn contains(&self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| time >= from) && self.until.is_none_or(|until| time < until)
    }

    /// Returns the smallest range that contains both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self {
            from: self.from.zip(other.from).map(|(a, b)| a.min(b)),
            until: self.until.zip(other.until).map(|(a, b)| a.max(b)),
        }
    }

    /// Returns the times that are in both ranges. The result may be empty.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        let earlier = |a: Timestamp, b: Timestamp| a.min(b);
        Self {
            from: self.from.max(other.from),
            until: self
                .until
                .zip(other.until)
                .map(|(a, b)| earlier(a, b))
                .or(self.until)
                .or(other.until),
        }
    }
}

/// Returns the beginning and the end of the interval that a partial date names.
fn interval(text: &str) -> Option<(Timestamp, Timestamp)> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = digits(parts.next()?, 4).filter(|year| *year > 0)?;
    let month = parts.next().map(|part| digits(part, 2).ok_or(())).transpose().ok()?;
    let day = parts.next().map(|part| digits(part, 2).ok_or(())).transpose().ok()?;
    if parts.next().is_some() || (time.is_some() && day.is_none()) {
        return None;
    }
    let date = jiff::civil::Date::new(
        i16::try_from(year).ok()?,
        i8::try_from(month.unwrap_or(1)).ok()?,
        i8::try_from(day.unwrap_or(1)).ok()?,
    )
    .ok()?;
    let Some(time) = time else {
        let length = match (month, day) {
            (None, _) => Span::new().years(1),
            (Some(_), None) => Span::new().months(1),
            (Some(_), Some(_)) => Span::new().days(1),
        };
        let end = date.checked_add(length).ok().map(|end| end.at(0, 0, 0, 0));
        let end = end.and_then(|end| instant(end, Offset::UTC)).unwrap_or(Timestamp::MAX);
        return Some((milliseconds(instant(date.at(0, 0, 0, 0), Offset::UTC)?), milliseconds(end)));
    };
    let (time, offset) = time_zone(time)?;
    let (clock, length) = clock(time)?;
    let start = instant(date.to_datetime(clock), offset)?;
    let end = start.checked_add(length).unwrap_or(Timestamp::MAX);
    Some((milliseconds(start), milliseconds(end)))
}

fn instant(time: DateTime, offset: Offset) -> Option<Timestamp> {
    offset.to_timestamp(time).ok()
}

/// Rounds up to whole milliseconds. The times of records are whole milliseconds, so the comparison
/// with the result is that with the exact time.
fn milliseconds(time: Timestamp) -> Timestamp {
    let floor = Timestamp::from_millisecond(time.as_nanosecond().div_euclid(1_000_000) as i64)
        .unwrap_or(Timestamp::MIN);
    if floor == time {
        time
    } else {
        floor.saturating_add(SignedDuration::from_millis(1)).unwrap_or(floor)
    }
}

/// Splits the time zone off. Without one, UTC applies.
fn time_zone(text: &str) -> Option<(&str, Offset)> {
    if let Some(time) = text.strip_suffix('Z') {
        return Some((time, Offset::UTC));
    }
    let Some(at) = text.find(['+', '-']) else { return Some((text, Offset::UTC)) };
    let (time, zone) = text.split_at(at);
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    if minutes > 59 || hours * 60 + minutes > 14 * 60 {
        return None;
    }
    let seconds = i32::try_from((hours * 60 + minutes) * 60).ok()?;
    let offset =
        Offset::from_seconds(if zone.starts_with('-') { -seconds } else { seconds }).ok()?;
    Some((time, offset))
}

/// Reads `hh:mm[:ss[.fraction]]`. Returns the time and its precision.
fn clock(text: &str) -> Option<(jiff::civil::Time, SignedDuration)> {
    let mut parts = text.splitn(3, ':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let (second, nanosecond, length) = match parts.next() {
        None => (0, 0, SignedDuration::from_mins(1)),
        Some(seconds) => match seconds.split_once('.') {
            None => (digits(seconds, 2)?, 0, SignedDuration::from_secs(1)),
            Some((second, fraction)) => {
                let scale = 10_u32.pow(9_u32.checked_sub(u32::try_from(fraction.len()).ok()?)?);
                let nanosecond = digits(fraction, fraction.len())? * scale;
                (digits(second, 2)?, nanosecond, SignedDuration::from_nanos(i64::from(scale)))
            }
        },
    };
    let small = |number: u32| i8::try_from(number).ok();
    let time = jiff::civil::Time::new(
        small(hour)?,
        small(minute)?,
        small(second)?,
        i32::try_from(nanosecond).ok()?,
    );
    Some((time.ok()?, length))
}

/// Reads exactly `count` decimal digits.
fn digits(text: &str, count: usize) -> Option<u32> {
    let is_number = count > 0 && text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(text: &str) -> (String, String) {
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
            assert_eq!(range(text), (from.to_owned(), until.to_owned()), "{text}");
            assert_eq!(range(&format!("eq{text}")), (from.to_owned(), until.to_owned()));
            assert_eq!(range(&format!("ge{text}")), (from.to_owned(), String::new()));
            assert_eq!(range(&format!("gt{text}")), (until.to_owned(), String::new()));
            assert_eq!(range(&format!("le{text}")), (String::new(), until.to_owned()));
            assert_eq!(range(&format!("lt{text}")), (String::new(), from.to_owned()));
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

    fn date() -> impl Strategy<Value = String> {
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
            date in date(), millisecond in prop_oneof![
                1_767_225_600_000..1_767_400_000_000_i64, 946_684_800_000..1_900_000_000_000_i64,
            ],
        ) {
            let time = Timestamp::from_millisecond(millisecond).unwrap();
            let is = |prefix: &str| DateRange::parse(&format!("{prefix}{date}")).unwrap().contains(time);
            prop_assert_eq!([is("lt"), is("eq"), is("gt")].iter().filter(|is| **is).count(), 1);
            prop_assert_eq!(is("ge"), is("eq") || is("gt"));
            prop_assert_eq!(is("le"), is("eq") || is("lt"));
            prop_assert_eq!(is(""), is("eq"));
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

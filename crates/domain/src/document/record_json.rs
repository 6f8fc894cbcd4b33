//! Reads the members of a registry record, with an error for each faulty one.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::de::{DeserializeOwned, Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Subject, SubjectPatterns};

/// Tolerated difference between the clocks of the system of record and of docferry.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(60);
/// Earliest time, the beginning of the year 1: FHIR knows no earlier one.
const EARLIEST_SECOND: i64 = -62_135_596_800;

/// Maximum number of digits of a fraction of a second: nanoseconds, which jiff can represent.
const MAX_FRACTION_DIGITS: usize = 9;
/// Maximum length of a time, in bytes.
pub(super) const MAX_TIME_LEN: usize =
    "YYYY-MM-DDThh:mm:ss.".len() + MAX_FRACTION_DIGITS + "+hh:mm".len();

/// Rules of a deployment for the records that it accepts.
#[derive(Debug, Clone, Copy)]
pub struct RecordRules<'a> {
    /// The systems of subject identifiers.
    pub subjects: &'a SubjectPatterns,
    /// The current time; records contain no later time.
    pub now: Timestamp,
}

/// Faulty field of a record. The text contains no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldError {
    /// Name of the member; `record` when the error concerns the whole record.
    pub field: String,
    /// The rule that it breaks.
    pub problem: String,
}

impl FieldError {
    pub(super) fn new(field: &str, problem: impl Into<String>) -> Self {
        Self { field: field.to_owned(), problem: problem.into() }
    }
}

/// Members of a JSON object, and the errors found in them.
pub(super) struct Members<'a> {
    members: Vec<(String, &'a RawValue)>,
    errors: Vec<FieldError>,
}

impl<'a> Members<'a> {
    /// Parses an object. Unknown and duplicate members are errors.
    pub(super) fn parse(text: &'a str, known: &[&str]) -> Result<Self, Vec<FieldError>> {
        let syntax = |error: &serde_json::Error| {
            let problem = if error.is_data() {
                "must be a JSON object".to_owned()
            } else {
                format!("is not JSON (column {})", error.column())
            };
            vec![FieldError::new("record", problem)]
        };
        let mut reader = serde_json::Deserializer::from_str(text);
        let members = reader.deserialize_map(MemberVisitor).map_err(|error| syntax(&error))?;
        reader.end().map_err(|error| syntax(&error))?;
        let mut errors = Vec::new();
        for (place, (name, _)) in members.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let shown: String = name.chars().take(40).flat_map(char::escape_default).collect();
                errors.push(FieldError::new(&shown, "is not a member of a record"));
            } else if members[..place].iter().any(|(earlier, _)| earlier == name) {
                errors.push(FieldError::new(name, "occurs twice"));
            }
        }
        Ok(Self { members, errors })
    }

    /// Reads a member that must be present.
    pub(super) fn required<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if self.raw(name).is_none() {
            self.errors.push(FieldError::new(name, "is required"));
        }
        self.optional(name, read)
    }

    /// Reads a member that may be missing or null.
    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let read = read(self.raw(name)?);
        read.map_err(|problem| self.errors.push(FieldError::new(name, problem))).ok()
    }

    /// Returns the record, unless there are errors.
    pub(super) fn finish<T>(self, build: impl FnOnce() -> Option<T>) -> Result<T, Vec<FieldError>> {
        if self.errors.is_empty() { build().ok_or(self.errors) } else { Err(self.errors) }
    }

    fn raw(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.members.iter().find(|(known, _)| known == name)?;
        Some(value.get()).filter(|text| *text != "null")
    }

    /// Reads a string with a rule of its own.
    pub(super) fn text<T: FromStr<Err: fmt::Display>>(raw: &str) -> Result<T, String> {
        let text: String = json(raw, "must be a string")?;
        text.parse().map_err(|error: T::Err| error.to_string())
    }

    /// Reads an array of different strings.
    pub(super) fn texts<T>(raw: &str, max: usize) -> Result<Vec<T>, String>
    where
        T: FromStr<Err: fmt::Display> + PartialEq,
    {
        let texts: Vec<String> = json(raw, "must be an array of strings")?;
        if texts.len() > max {
            return Err(format!("must have at most {max} elements"));
        }
        let mut values = Vec::with_capacity(texts.len());
        for (place, text) in texts.iter().enumerate() {
            let value = text.parse().map_err(|error: T::Err| format!("[{place}] {error}"))?;
            if values.contains(&value) {
                return Err(format!("[{place}] occurs twice"));
            }
            values.push(value);
        }
        Ok(values)
    }

    /// Reads a whole number.
    pub(super) fn number(raw: &str, allowed: RangeInclusive<u64>) -> Result<u64, String> {
        let problem =
            || format!("must be a whole number from {} to {}", allowed.start(), allowed.end());
        let number = serde_json::from_str(raw).map_err(|_| problem())?;
        if allowed.contains(&number) { Ok(number) } else { Err(problem()) }
    }

    /// Reads a time that is not in the future, and cuts it to whole milliseconds.
    pub(super) fn time(raw: &str, now: Timestamp) -> Result<Timestamp, String> {
        const FORM: &str =
            "must be an RFC 3339 time with Z or an offset, such as 2026-01-31T10:00:00Z";
        let text: String = json(raw, FORM)?;
        let time = Some(text).filter(|text| is_rfc_3339(text));
        let time: Timestamp =
            time.and_then(|text| text.parse().ok()).ok_or_else(|| FORM.to_owned())?;
        if time.as_second() < EARLIEST_SECOND {
            return Err("must not be before the year 1".to_owned());
        }
        if time > now.saturating_add(CLOCK_TOLERANCE).unwrap_or(Timestamp::MAX) {
            return Err("must not be in the future".to_owned());
        }
        Timestamp::from_millisecond(time.as_millisecond()).map_err(|_| FORM.to_owned())
    }

    /// Reads one of the given codes.
    pub(super) fn code<T: Copy>(
        raw: &str,
        all: &[T],
        name: fn(T) -> &'static str,
    ) -> Result<T, String> {
        let names = || all.iter().map(|code| name(*code)).collect::<Vec<_>>().join(", ");
        let text: Option<String> = serde_json::from_str(raw).ok();
        let code = all.iter().copied().find(|code| text.as_deref() == Some(name(*code)));
        code.ok_or_else(|| format!("must be one of {}", names()))
    }

    /// Reads `{"system": …, "value": …}`; the system may be missing.
    pub(super) fn subject(raw: &str, patterns: &SubjectPatterns) -> Result<Subject, String> {
        let read = || {
            let mut of = Members::parse(raw, &["system", "value"])?;
            let system: Option<String> = of.optional("system", Members::text);
            let value: Option<String> = of.required("value", Members::text);
            of.finish(|| value.map(|value| (system, value)))
        };
        let (system, value) = read().map_err(|errors| {
            errors.first().map_or_else(String::new, |error| match error.field.as_str() {
                "record" => "must be an object with system and value".to_owned(),
                _ => error.to_string(),
            })
        })?;
        patterns.read(system.as_deref(), &value).map_err(|error| error.to_string())
    }
}

/// Returns whether a text is `YYYY-MM-DDThh:mm:ss` with an optional fraction, and `Z` or `±hh:mm`.
///
/// jiff parses more forms than RFC 3339: spaces, lower case, basic format, offsets without minutes
/// or with seconds, and time zones in brackets. It also reads a second 60 as 59. The ranges of the
/// other numbers are left to jiff, except for the hours of an offset, which it allows up to 25.
fn is_rfc_3339(text: &str) -> bool {
    let has_form = |text: &str, form: &str| {
        let is_same =
            |(b, form): (u8, u8)| if form == b'0' { b.is_ascii_digit() } else { b == form };
        text.len() == form.len() && text.bytes().zip(form.bytes()).all(is_same)
    };
    let Some((time, rest)) = text.split_at_checked("YYYY-MM-DDThh:mm:ss".len()) else {
        return false;
    };
    let zone_start = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (fraction, zone) = rest.split_at(zone_start);
    let is_fraction = fraction.is_empty()
        || fraction.strip_prefix('.').is_some_and(|digits| {
            (1..=MAX_FRACTION_DIGITS).contains(&digits.len())
                && digits.bytes().all(|b| b.is_ascii_digit())
        });
    let is_zone = zone == "Z"
        || ((has_form(zone, "+00:00") || has_form(zone, "-00:00")) && zone.get(1..3) < Some("24"));
    has_form(time, "0000-00-00T00:00:00") && !time.ends_with("60") && is_fraction && is_zone
}

/// Reads JSON of a type; the error is `problem` and never contains the value.
fn json<T: DeserializeOwned>(raw: &str, problem: &str) -> Result<T, String> {
    serde_json::from_str(raw).map_err(|_| problem.to_owned())
}

/// Collects the members of an object in their order, duplicates included.
struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

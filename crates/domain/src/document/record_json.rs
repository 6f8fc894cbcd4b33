//! Strict parser for a registry record in JSON. It reports one error for each faulty member.
//!
//! A *registry record* is the metadata of one document. The *system of record* is the court's
//! system that sends such records. A *member* is a name and its value in a JSON object.
//!
//! `DocumentRecord::from_json` reads each member through [`Members`], which collects the errors of
//! all members. serde reads stored records without these rules, because they were validated before
//! they were stored.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::de::{DeserializeOwned, Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Subject, SubjectPatterns};

/// Tolerated difference between the clocks of the system of record and of docferry.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(60);
/// Earliest allowed time, in seconds since 1970: the beginning of the year 1. FHIR does not allow
/// earlier times.
const EARLIEST_SECOND: i64 = -62_135_596_800;

/// Maximum number of digits of a fraction of a second. Nine digits are nanoseconds, which jiff can
/// represent.
const MAX_FRACTION_DIGITS: usize = 9;
/// Maximum length of a time, in bytes.
pub(super) const MAX_TIME_LEN: usize =
    "YYYY-MM-DDThh:mm:ss.".len() + MAX_FRACTION_DIGITS + "+hh:mm".len();
/// Rule for the form of a time.
const TIME_FORM: &str =
    "must be an RFC 3339 time with Z or an offset, such as 2026-01-31T10:00:00Z";
/// Maximum number of characters of an unknown member's name that an error shows.
const MAX_SHOWN_NAME_CHARS: usize = 40;

/// Rules of a deployment for the records that it accepts.
#[derive(Debug, Clone, Copy)]
pub struct RecordRules<'a> {
    /// The systems of subject identifiers.
    pub subjects: &'a SubjectPatterns,
    /// The current time. The times in a record must not be later, except for a small difference
    /// between clocks.
    pub now: Timestamp,
}

/// Error in one field of a record. The message never contains the value of the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldError {
    /// Name of the field, or `record` if the error concerns the whole record.
    pub field: String,
    /// The rule that the field breaks, such as `is required`.
    pub problem: String,
}

impl FieldError {
    pub(super) fn new(field: &str, problem: impl Into<String>) -> Self {
        Self { field: field.to_owned(), problem: problem.into() }
    }
}

/// Member of a JSON object. Its value is not parsed yet.
struct Member<'a> {
    name: String,
    value: &'a RawValue,
}

/// Members of a JSON object, and the errors found in them.
///
/// [`Members::required`] and [`Members::optional`] find a member by its name. The functions without
/// `self`, such as [`Members::text`], parse the JSON text `raw` of a member's value.
pub(super) struct Members<'a> {
    members: Vec<Member<'a>>,
    errors: Vec<FieldError>,
}

impl<'a> Members<'a> {
    /// Parses an object. Reports an error for each member whose name is not in `known_names` or
    /// occurs twice.
    pub(super) fn parse(text: &'a str, known_names: &[&str]) -> Result<Self, Vec<FieldError>> {
        let syntax_error = |error: &serde_json::Error| {
            let problem = if error.is_data() {
                "must be a JSON object".to_owned()
            } else {
                format!("is not JSON (column {})", error.column())
            };
            vec![FieldError::new("record", problem)]
        };
        let mut reader = serde_json::Deserializer::from_str(text);
        let members =
            reader.deserialize_map(MemberVisitor).map_err(|error| syntax_error(&error))?;
        reader.end().map_err(|error| syntax_error(&error))?;
        let mut errors = Vec::new();
        for (index, Member { name, .. }) in members.iter().enumerate() {
            if !known_names.contains(&name.as_str()) {
                let shown_name: String = name
                    .chars()
                    .take(MAX_SHOWN_NAME_CHARS)
                    .flat_map(char::escape_default)
                    .collect();
                errors.push(FieldError::new(&shown_name, "is not a member of a record"));
            } else if members[..index].iter().any(|earlier| earlier.name == *name) {
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
        let result = read(self.raw(name)?);
        result.map_err(|problem| self.errors.push(FieldError::new(name, problem))).ok()
    }

    /// Returns the value that `build` creates. If any member was faulty, returns the errors
    /// instead.
    pub(super) fn finish<T>(self, build: impl FnOnce() -> Option<T>) -> Result<T, Vec<FieldError>> {
        if self.errors.is_empty() { build().ok_or(self.errors) } else { Err(self.errors) }
    }

    /// Returns the JSON text of a member's value, or `None` if the member is missing or null.
    fn raw(&self, name: &str) -> Option<&'a str> {
        let member = self.members.iter().find(|member| member.name == name)?;
        Some(member.value.get()).filter(|text| *text != "null")
    }

    /// Reads a string and parses it by the rule of the type `T`.
    pub(super) fn text<T: FromStr<Err: fmt::Display>>(raw: &str) -> Result<T, String> {
        let text: String = json(raw, "must be a string")?;
        text.parse().map_err(|error: T::Err| error.to_string())
    }

    /// Reads an array of at most `max_len` different strings.
    pub(super) fn texts<T>(raw: &str, max_len: usize) -> Result<Vec<T>, String>
    where
        T: FromStr<Err: fmt::Display> + PartialEq,
    {
        let texts: Vec<String> = json(raw, "must be an array of strings")?;
        if texts.len() > max_len {
            return Err(format!("must have at most {max_len} elements"));
        }
        let mut values = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            let value = text.parse().map_err(|error: T::Err| format!("[{index}] {error}"))?;
            if values.contains(&value) {
                return Err(format!("[{index}] occurs twice"));
            }
            values.push(value);
        }
        Ok(values)
    }

    /// Reads a whole number in the range `allowed`.
    pub(super) fn number(raw: &str, allowed: RangeInclusive<u64>) -> Result<u64, String> {
        let problem =
            || format!("must be a whole number from {} to {}", allowed.start(), allowed.end());
        let number = serde_json::from_str(raw).map_err(|_| problem())?;
        if allowed.contains(&number) { Ok(number) } else { Err(problem()) }
    }

    /// Reads a time and rounds it down to a millisecond. The time must not be in the future.
    pub(super) fn time(raw: &str, now: Timestamp) -> Result<Timestamp, String> {
        let malformed = || TIME_FORM.to_owned();
        let text: String = json(raw, TIME_FORM)?;
        if !is_rfc_3339(&text) {
            return Err(malformed());
        }
        let time: Timestamp = text.parse().map_err(|_| malformed())?;
        if time.as_second() < EARLIEST_SECOND {
            return Err("must not be before the year 1".to_owned());
        }
        if time > now.saturating_add(CLOCK_TOLERANCE).unwrap_or(Timestamp::MAX) {
            return Err("must not be in the future".to_owned());
        }
        Timestamp::from_millisecond(time.as_millisecond()).map_err(|_| malformed())
    }

    /// Reads one of the codes in `all`. `name` returns the text of a code.
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

    /// Reads a subject from an object such as `{"system": …, "value": …}`. The member `system` may
    /// be missing. Of several errors, only the first is returned.
    pub(super) fn subject(raw: &str, patterns: &SubjectPatterns) -> Result<Subject, String> {
        let read_members = || {
            let mut members = Members::parse(raw, &["system", "value"])?;
            let system: Option<String> = members.optional("system", Members::text);
            let value: Option<String> = members.required("value", Members::text);
            members.finish(|| value.map(|value| (system, value)))
        };
        let (system, value) = read_members().map_err(|errors| {
            errors.first().map_or_else(String::new, |error| match error.field.as_str() {
                "record" => "must be an object with system and value".to_owned(),
                _ => error.to_string(),
            })
        })?;
        patterns.read(system.as_deref(), &value).map_err(|error| error.to_string())
    }
}

/// Returns whether a text has the form `YYYY-MM-DDThh:mm:ss`, then an optional fraction, then `Z`
/// or `±hh:mm`.
///
/// The caller then parses the text with jiff, which checks the ranges of most numbers. jiff alone
/// accepts more than RFC 3339, and this function refuses the difference:
///
/// - other forms: spaces, lower case, basic format, offsets without minutes or with seconds, and
///   time zones in brackets;
/// - a second 60, which jiff reads as 59, and an offset of 25 hours.
fn is_rfc_3339(text: &str) -> bool {
    // In the text `form`, `0` stands for any digit, and every other character stands for itself.
    let has_form = |text: &str, form: &str| {
        let is_match = |(byte, pattern): (u8, u8)| match pattern {
            b'0' => byte.is_ascii_digit(),
            _ => byte == pattern,
        };
        text.len() == form.len() && text.bytes().zip(form.bytes()).all(is_match)
    };
    let Some((date_time, fraction_and_zone)) = text.split_at_checked("YYYY-MM-DDThh:mm:ss".len())
    else {
        return false;
    };
    let zone_start = fraction_and_zone.find(['Z', '+', '-']).unwrap_or(fraction_and_zone.len());
    let (fraction, zone) = fraction_and_zone.split_at(zone_start);
    let is_fraction = fraction.is_empty()
        || fraction.strip_prefix('.').is_some_and(|digits| {
            (1..=MAX_FRACTION_DIGITS).contains(&digits.len())
                && digits.bytes().all(|b| b.is_ascii_digit())
        });
    let is_zone = zone == "Z"
        || ((has_form(zone, "+00:00") || has_form(zone, "-00:00")) && zone.get(1..3) < Some("24"));
    let is_date_time = has_form(date_time, "0000-00-00T00:00:00") && !date_time.ends_with("60");
    is_date_time && is_fraction && is_zone
}

/// Deserializes a value. The error is `problem`, because the error of serde may contain the value.
fn json<T: DeserializeOwned>(raw: &str, problem: &str) -> Result<T, String> {
    serde_json::from_str(raw).map_err(|_| problem.to_owned())
}

/// Collects the members of an object in their order, duplicates included.
struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Vec<Member<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry()? {
            members.push(Member { name, value });
        }
        Ok(members)
    }
}

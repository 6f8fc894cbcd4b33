//! Parser of the file of `docferry grants import`, which has one JSON object in each line (NDJSON).
//!
//! Each line grants a person the documents of a subject or of an entitlement group. The file may
//! contain personal data, so no error contains a value of the file.

use std::collections::BTreeMap;

use docferry_domain::document::{Coverage, Grant, MAX_ERRORS, MAX_LINE_BYTES, SubjectPatterns};
use docferry_domain::person::Person;
use docferry_domain::text::is_printable;
use jiff::Timestamp;
use serde::Deserialize;

/// Maximum length in bytes of the subject of a token, which names a person. The subject is a part
/// of a key of DynamoDB.
const MAX_PERSON_BYTES: usize = 512;

/// One line of the file. It has either a `subject`, written as `[system|]value`, or a `group`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    person: String,
    subject: Option<String>,
    group: Option<String>,
    expires_at: Option<String>,
}

/// Parses all lines.
///
/// # Errors
/// A text that lists the invalid lines.
pub(super) fn parse(
    text: &str,
    patterns: &SubjectPatterns,
) -> Result<Vec<(Person, Grant)>, String> {
    let (mut grants, mut errors) = (Vec::new(), Vec::new());
    // Number of the first line with each person and coverage.
    let mut first_lines = BTreeMap::new();
    // Editors may write a byte order mark before the first line.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1_u64..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let (person, grant) = match parse_line(line, patterns) {
            Ok(parsed) => parsed,
            Err(error) => {
                errors.push(format!("line {number}: {error}"));
                continue;
            }
        };
        let key = (person.clone(), grant.coverage.clone());
        let first_number = *first_lines.entry(key).or_insert(number);
        if first_number == number {
            grants.push((person, grant));
        } else {
            errors.push(format!("line {number}: the grant occurs in line {first_number} already"));
        }
    }
    if errors.is_empty() {
        return Ok(grants);
    }
    let omitted_errors = errors.len().saturating_sub(MAX_ERRORS);
    errors.truncate(MAX_ERRORS);
    if omitted_errors > 0 {
        errors.push(format!("{omitted_errors} more errors"));
    }
    Err(errors.join("\n"))
}

/// Parses one line. The error continues a sentence that begins with the number of the line.
fn parse_line(line: &str, patterns: &SubjectPatterns) -> Result<(Person, Grant), String> {
    if line.len() > MAX_LINE_BYTES {
        return Err(format!("is longer than {MAX_LINE_BYTES} bytes"));
    }
    // The message of serde is not used, because it would contain values.
    let line: Line = serde_json::from_str(line).map_err(|error| {
        if error.is_data() {
            "must be an object with the texts person, subject or group, and expiresAt, each at \
             most once"
                .to_owned()
        } else {
            format!("is not JSON (column {})", error.column())
        }
    })?;
    let coverage = match (&line.subject, &line.group) {
        (Some(subject), None) => {
            let subject = patterns.read_text(subject);
            Coverage::Subject(subject.map_err(|error| format!("subject: {error}"))?)
        }
        (None, Some(group)) => {
            Coverage::Group(group.parse().map_err(|error| format!("group: {error}"))?)
        }
        _ => return Err("must have either subject or group".to_owned()),
    };
    let expires_at = line.expires_at.as_deref().map(parse_time).transpose()?;
    let person = parse_person(&line.person).map_err(|problem| format!("person: {problem}"))?;
    Ok((person, Grant { coverage, expires_at }))
}

/// Parses a time, and cuts it to whole milliseconds, as the registry stores times.
fn parse_time(text: &str) -> Result<Timestamp, String> {
    let time = text.parse().ok();
    time.and_then(|time: Timestamp| Timestamp::from_millisecond(time.as_millisecond()).ok())
        .ok_or_else(|| {
            "expiresAt: must be an RFC 3339 time such as 2026-12-31T23:59:59Z".to_owned()
        })
}

/// Parses the name of a person: the subject of the person's access tokens, such as `ada`. The
/// principal `sub:ada`, by which records name the caller with this subject, stands for the same
/// person.
pub(super) fn parse_person(text: &str) -> Result<Person, &'static str> {
    let subject = text.strip_prefix("sub:").unwrap_or(text);
    let is_valid = (1..=MAX_PERSON_BYTES).contains(&subject.len()) && is_printable(subject);
    is_valid
        .then(|| Person::new(subject))
        .ok_or("must be the subject of a token, of at most 512 printable characters")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_default(text: &str) -> Result<Vec<(Person, Grant)>, String> {
        parse(text, &SubjectPatterns::default())
    }

    #[test]
    fn lines_name_a_person_and_a_subject_or_group() {
        let text = "\u{feff}{\"person\": \"ada\", \"subject\": \"s-1\"}\n\n\
             {\"person\": \"sub:ada\", \"subject\": \"urn:docferry:court-file|S-2\"}\r\n\
             {\"person\": \"bob\", \"group\": \"civil\", \"expiresAt\": \"2026-12-31T00:00:00.0001Z\"}";
        let grants = parse_default(text).unwrap();
        let subjects: Vec<_> = grants
            .iter()
            .map(|(person, grant)| match &grant.coverage {
                Coverage::Subject(subject) => format!("{} {}", person.as_str(), subject.value()),
                Coverage::Group(group) => format!("{} {}", person.as_str(), group.as_str()),
            })
            .collect();
        assert_eq!(subjects, ["ada S-1", "ada S-2", "bob civil"]);
        assert_eq!(grants[2].1.expires_at, "2026-12-31T00:00:00Z".parse().ok());
    }

    #[test]
    fn errors_name_the_line_and_no_value() {
        for (bad, expected) in [
            ("secret", "is not JSON"),
            ("{\"person\": \"secret\"}", "must have either"),
            (
                "{\"person\": \"secret\", \"subject\": \"S-1\", \"group\": \"a\"}",
                "must have either",
            ),
            ("{\"person\": 5, \"subject\": \"secret\"}", "must be an object"),
            ("{\"person\": \"ada\", \"subject\": \"S-1\", \"secret\": 1}", "must be an object"),
            ("{\"person\": \"\", \"subject\": \"S-1\"}", "person: must be"),
            ("{\"person\": \"ada\", \"subject\": \"secret\"}", "subject: the value"),
            ("{\"person\": \"ada\", \"group\": \" secret\"}", "group: must be"),
            (
                "{\"person\": \"ada\", \"group\": \"a\", \"expiresAt\": \"secret\"}",
                "expiresAt: must",
            ),
            ("{\"person\": \"ada\", \"group\": \"known\"}", "occurs in line 1"),
        ] {
            let text = format!("{{\"person\": \"ada\", \"group\": \"known\"}}\n{bad}\n");
            let error = parse_default(&text).unwrap_err();
            assert!(error.starts_with("line 2: ") && error.contains(expected), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}

//! Reads grants from NDJSON. No error contains a value.

use std::collections::BTreeMap;

use docferry_domain::document::{Coverage, Grant, MAX_ERRORS, MAX_LINE_BYTES, SubjectPatterns};
use docferry_domain::person::Person;
use docferry_domain::text::is_printable;
use jiff::Timestamp;
use serde::Deserialize;

/// Maximum length of a token subject, in bytes. It is part of a key of DynamoDB.
const MAX_PERSON_LEN: usize = 512;

/// One line of the file.
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
    let (mut grants, mut errors, mut seen) = (Vec::new(), Vec::new(), BTreeMap::new());
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
        let first = *seen.entry((person.clone(), grant.coverage.clone())).or_insert(number);
        if first == number {
            grants.push((person, grant));
        } else {
            errors.push(format!("line {number}: the grant occurs in line {first} already"));
        }
    }
    if errors.is_empty() {
        return Ok(grants);
    }
    let omitted = errors.len().saturating_sub(MAX_ERRORS);
    errors.truncate(MAX_ERRORS);
    if omitted > 0 {
        errors.push(format!("{omitted} more errors"));
    }
    Err(errors.join("\n"))
}

fn parse_line(line: &str, patterns: &SubjectPatterns) -> Result<(Person, Grant), String> {
    if line.len() > MAX_LINE_BYTES {
        return Err(format!("is longer than {MAX_LINE_BYTES} bytes"));
    }
    // The message of serde would contain values.
    let line: Line = serde_json::from_str(line).map_err(|error| match error.is_data() {
        true => "must be an object with the texts person, subject or group, and expiresAt, each \
                 at most once"
            .to_owned(),
        false => format!("is not JSON (column {})", error.column()),
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
    let expires_at = line.expires_at.as_deref().map(read_time).transpose()?;
    let person = read_person(&line.person).map_err(|problem| format!("person: {problem}"))?;
    Ok((person, Grant { coverage, expires_at }))
}

/// Reads a time, and cuts it to whole milliseconds.
fn read_time(text: &str) -> Result<Timestamp, String> {
    let time = text.parse().ok();
    time.and_then(|time: Timestamp| Timestamp::from_millisecond(time.as_millisecond()).ok())
        .ok_or_else(|| {
            "expiresAt: must be an RFC 3339 time such as 2026-12-31T23:59:59Z".to_owned()
        })
}

/// Reads a token subject (`ada`). A principal id (`sub:ada`) means the same person.
pub(super) fn read_person(text: &str) -> Result<Person, &'static str> {
    let subject = text.strip_prefix("sub:").unwrap_or(text);
    let is_valid = (1..=MAX_PERSON_LEN).contains(&subject.len()) && is_printable(subject);
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

//! Trace context of a request: the value of the header `traceparent`. Log entries of several
//! systems contain the trace id from this value, so that all entries about one request can be
//! found.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Length of the four fields that every version of the header has: version, trace id, parent
/// id and flags. They have 2, 32, 16 and 2 digits and are separated by three dashes.
const KNOWN_LEN: usize = 55;

/// Position of a call in a trace that spans systems: the value of the header `traceparent`
/// of [W3C Trace Context](https://www.w3.org/TR/trace-context/). docferry passes it on
/// without interpreting it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TraceParent(String);

impl TraceParent {
    /// Returns the value of the header: ASCII, at most 55 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the trace id, which consists of 32 hexadecimal digits. The logs of all systems
    /// can be searched for it.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        // The trace id follows the two digits of the version and a dash.
        self.0.get(3..35).unwrap_or_default()
    }
}

/// Error for a text that is not a valid `traceparent` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidTraceParent;

impl fmt::Display for InvalidTraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a valid traceparent header")
    }
}

impl std::error::Error for InvalidTraceParent {}

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    /// Parses the header. A later version may add fields after the flags. As the standard requires,
    /// these fields are dropped and the version becomes 00.
    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        let known_fields = text.get(..KNOWN_LEN).ok_or(InvalidTraceParent)?;
        let later_fields = &text[KNOWN_LEN..];
        let fields: Vec<&str> = known_fields.split('-').collect();
        let [version, trace, parent, flags] = fields[..] else { return Err(InvalidTraceParent) };
        let is_hex = |field: &str, digits: usize| {
            field.len() == digits
                && field.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
        };
        // The standard forbids an id that consists only of zeros.
        let is_id =
            |field: &str, digits| is_hex(field, digits) && field.bytes().any(|byte| byte != b'0');
        let is_version_valid = match version {
            "00" => later_fields.is_empty(),
            // The standard forbids this version.
            "ff" => false,
            _ => later_fields.is_empty() || later_fields.starts_with('-'),
        };
        let are_fields_valid =
            is_hex(version, 2) && is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2);
        if are_fields_valid && is_version_valid {
            Ok(Self(format!("00-{trace}-{parent}-{flags}")))
        } else {
            Err(InvalidTraceParent)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn valid_traceparent_is_passed_on_unchanged() {
        let trace: TraceParent = VALID.parse().unwrap();
        assert_eq!(trace.as_str(), VALID);
        assert_eq!(trace.trace_id(), "0af7651916cd43dd8448eb211c80319c");
    }

    #[test]
    fn fields_of_later_traceparent_versions_are_dropped() {
        let later_version = VALID.replacen("00", "cc", 1);
        for text in [later_version.clone(), format!("{later_version}-what-the-future-brings")] {
            assert_eq!(text.parse::<TraceParent>().unwrap().as_str(), VALID);
        }
    }

    #[test]
    fn malformed_traceparent_is_refused() {
        for malformed in [
            String::new(),
            "x".repeat(KNOWN_LEN),
            // A character of two bytes crosses the end of the known fields.
            "é".repeat(30),
            VALID.to_uppercase(),
            format!("{VALID}-more"),
            VALID.replacen("00", "ff", 1),
            VALID.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            VALID.replace("b7ad6b7169203331", &"0".repeat(16)),
            VALID.replace('-', "_"),
            format!("{}more", VALID.replacen("00", "01", 1)),
        ] {
            assert_eq!(malformed.parse::<TraceParent>(), Err(InvalidTraceParent), "{malformed}");
        }
    }
}

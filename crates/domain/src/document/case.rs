//! References to court cases. A service may name a court case in a request, and the audit trail
//! records it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::is_printable;

/// Error for a text that cannot name a court file. The error never contains the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidCourtFile(&'static str);

/// Number or name of a court file, as the requesting service writes it. `Debug` hides the text,
/// because it may show whom a document concerns.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CourtFile(String);

impl CourtFile {
    /// Maximum length of the text, in characters.
    pub const MAX_CHARS: usize = 200;

    /// Returns the text as the service sent it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CourtFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CourtFile(…)")
    }
}

impl FromStr for CourtFile {
    type Err = InvalidCourtFile;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for CourtFile {
    type Error = InvalidCourtFile;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() {
            return Err(InvalidCourtFile("must not be empty"));
        }
        if text.chars().count() > Self::MAX_CHARS {
            return Err(InvalidCourtFile("must be at most 200 characters"));
        }
        if !is_printable(&text) {
            return Err(InvalidCourtFile("must not contain characters that cannot be displayed"));
        }
        if text.trim() != text {
            return Err(InvalidCourtFile("must not begin or end with a space"));
        }
        Ok(Self(text))
    }
}

impl From<CourtFile> for String {
    fn from(court_file: CourtFile) -> Self {
        court_file.0
    }
}

/// Class of a court case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseClass {
    /// Civil case.
    Civil,
    /// Criminal case.
    Criminal,
}

/// Court case for which a service requests documents. Only the audit trail uses it. It gives no
/// access to documents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CaseReference {
    /// The court file, if the service named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub court_file: Option<CourtFile>,
    /// Class of the case, if the service named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<CaseClass>,
}

impl CaseReference {
    /// Returns whether the service named neither a court file nor a class.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.court_file.is_none() && self.class.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn court_file_is_printable_text_of_limited_length() {
        for valid in ["VLC-S-S-123456", "Ré 12/34 (法廷)", &"é".repeat(200)] {
            assert_eq!(valid.parse::<CourtFile>().unwrap().as_str(), valid);
        }
        for invalid in ["", " S-1", "S-1 ", "S\n1", "S\u{202e}1", "S\u{fffd}", &"é".repeat(201)] {
            let error = invalid.parse::<CourtFile>().unwrap_err();
            assert!(invalid.is_empty() || !error.to_string().contains(invalid), "{error}");
        }
    }

    #[test]
    fn stored_case_contains_only_the_given_members() {
        let case = |value| serde_json::from_value::<CaseReference>(value).unwrap();
        let full = json!({ "courtFile": "S-1", "class": "criminal" });
        assert_eq!(serde_json::to_value(case(full.clone())).unwrap(), full);
        assert_eq!(serde_json::to_value(CaseReference::default()).unwrap(), json!({}));
        assert!(case(json!({})).is_empty() && !case(json!({ "class": "civil" })).is_empty());
    }

    #[test]
    fn debug_output_hides_the_court_file() {
        let court_file = Some("S-123456".parse().unwrap());
        let case = CaseReference { court_file, class: Some(CaseClass::Civil) };
        assert!(!format!("{case:?}").contains("123456"));
    }
}

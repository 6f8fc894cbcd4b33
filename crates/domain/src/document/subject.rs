//! Subjects: the court files or patients that documents concern.
//!
//! A subject is an identifier with two parts. The *system* is a URI that names a kind of
//! identifier, and the *value* identifies the subject within the system. A deployment configures
//! its systems, each with a *pattern* for the values. [`SubjectPatterns`] validates the identifiers
//! in requests and in imported records.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::subject_pattern::Pattern;

/// Maximum length of a system, in bytes.
pub(super) const MAX_SYSTEM_LEN: usize = 256;

/// The court file or patient that a document concerns. `Debug` hides the value.
///
/// The value is in its normal form, so equal subjects have equal values. [`SubjectPatterns::read`]
/// validates a subject from outside. `Deserialize` reads stored subjects only and does not validate
/// them.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    system: String,
    value: String,
}

impl Subject {
    /// Returns the URI of the system.
    #[must_use]
    pub fn system(&self) -> &str {
        &self.system
    }

    /// Returns the value, which identifies the subject within its system.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns `system|value`. No system contains `|`, so the text is unique.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}|{}", self.system, self.value)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({}|…)", self.system)
    }
}

/// Error for a subject that the configuration does not allow. The text never contains the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// The system is not configured.
    #[error("the system is not known; use one of {0}")]
    UnknownSystem(String),
    /// The value does not have the form that its system requires.
    #[error("{0}")]
    Malformed(&'static str),
}

/// Error in the configuration of subject patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPatterns(&'static str);

/// Configuration of one system of subject identifiers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemSetting {
    /// URI of the system.
    pub system: String,
    /// `court-file`, `nhs-number`, or a regular expression for the whole value.
    pub pattern: String,
}

/// The systems of subject identifiers in a deployment, with their patterns. The first system is the
/// default.
///
/// Without a configuration, there is one system, [`SubjectPatterns::DEFAULT_SYSTEM`], with the
/// pattern of court file numbers.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Vec<SystemSetting>")]
pub struct SubjectPatterns {
    systems: Vec<System>,
}

/// A configured system whose pattern has been parsed.
#[derive(Debug, Clone)]
struct System {
    uri: String,
    pattern: Pattern,
}

impl Default for SubjectPatterns {
    fn default() -> Self {
        let uri = Self::DEFAULT_SYSTEM.to_owned();
        Self { systems: vec![System { uri, pattern: Pattern::CourtFile }] }
    }
}

impl SubjectPatterns {
    /// The only system of a deployment without a configuration of its own.
    pub const DEFAULT_SYSTEM: &str = "urn:docferry:court-file";

    /// Returns the URI of the default system, which applies to an identifier without a system.
    #[must_use]
    pub fn default_system(&self) -> &str {
        self.systems.first().map_or("", |system| &system.uri)
    }

    /// Validates an identifier and converts its value into the normal form. `system` is a URI.
    /// `None` stands for the default system.
    ///
    /// # Errors
    /// [`SubjectError`] when the system is unknown or the value malformed.
    pub fn read(&self, system: Option<&str>, value: &str) -> Result<Subject, SubjectError> {
        let uri = system.unwrap_or_else(|| self.default_system());
        let Some(System { uri, pattern }) = self.systems.iter().find(|known| known.uri == uri)
        else {
            let known_uris: Vec<_> = self.systems.iter().map(|known| known.uri.as_str()).collect();
            return Err(SubjectError::UnknownSystem(known_uris.join(", ")));
        };
        let value = pattern.normalize(value).map_err(SubjectError::Malformed)?;
        Ok(Subject { system: uri.clone(), value })
    }

    /// Reads an identifier from one text: `system|value`, or a value of the default system.
    ///
    /// # Errors
    /// [`SubjectError`] when the system is unknown or the value malformed.
    pub fn read_text(&self, text: &str) -> Result<Subject, SubjectError> {
        match text.split_once('|') {
            Some((system, value)) => self.read(Some(system), value),
            None => self.read(None, text),
        }
    }
}

/// Validates a configuration.
impl TryFrom<Vec<SystemSetting>> for SubjectPatterns {
    type Error = InvalidPatterns;

    fn try_from(settings: Vec<SystemSetting>) -> Result<Self, Self::Error> {
        if settings.is_empty() {
            return Err(InvalidPatterns("at least one system is needed"));
        }
        let mut systems: Vec<System> = Vec::with_capacity(settings.len());
        for SystemSetting { system: uri, pattern } in settings {
            let is_uri = uri.contains(':')
                && uri.len() <= MAX_SYSTEM_LEN
                && uri.bytes().all(|b| b.is_ascii_graphic() && b != b'|');
            if !is_uri {
                return Err(InvalidPatterns("a system must be a URI without |"));
            }
            if systems.iter().any(|known| known.uri == uri) {
                return Err(InvalidPatterns("a system occurs twice"));
            }
            let pattern = Pattern::parse(&pattern)
                .ok_or(InvalidPatterns("a pattern is neither a preset nor a regular expression"))?;
            systems.push(System { uri, pattern });
        }
        Ok(Self { systems })
    }
}

/// Parses a configuration in JSON: a list of [`SystemSetting`]s.
impl FromStr for SubjectPatterns {
    type Err = InvalidPatterns;

    fn from_str(json: &str) -> Result<Self, Self::Err> {
        let settings: Vec<SystemSetting> = serde_json::from_str(json).map_err(|_| {
            InvalidPatterns("must be a JSON list of objects with the members system and pattern")
        })?;
        settings.try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NHS: &str = "https://fhir.nhs.uk/Id/nhs-number";

    fn patterns() -> SubjectPatterns {
        let json = r#"[
            {"system": "urn:example:court-file", "pattern": "court-file"},
            {"system": "https://fhir.nhs.uk/Id/nhs-number", "pattern": "nhs-number"},
            {"system": "urn:example:mrn", "pattern": "[0-9]{4}|x[a-z ]*"}
        ]"#;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn unknown_system_error_names_the_known_ones() {
        for unknown in ["", "urn:other", "URN:example:court-file"] {
            let error = patterns().read(Some(unknown), "1").unwrap_err().to_string();
            assert!(error.contains("urn:example:court-file"), "{error}");
        }
    }

    #[test]
    fn faulty_configuration_is_refused() {
        for bad in [
            "[]",
            r#"[{"system": "no uri", "pattern": "court-file"}]"#,
            r#"[{"system": "urn:a|b", "pattern": "court-file"}]"#,
            r#"[{"system": "urn:a", "pattern": "("}]"#,
            r#"[{"system": "urn:a", "pattern": "a)|(b"}]"#,
            r#"[{"system": "urn:a", "pattern": "1"}, {"system": "urn:a", "pattern": "2"}]"#,
            r#"[{"system": "urn:a", "pattern": "1", "default": true}]"#,
        ] {
            assert!(serde_json::from_str::<SubjectPatterns>(bad).is_err(), "{bad}");
            assert!(bad.parse::<SubjectPatterns>().is_err(), "{bad}");
        }
        assert!("{}".parse::<SubjectPatterns>().is_err());
    }

    #[test]
    fn default_configuration_has_the_system_of_court_files() {
        let json = r#"[{"system": "urn:docferry:court-file", "pattern": "court-file"}]"#;
        let key_by = |patterns: SubjectPatterns| patterns.read(None, "vlc-s-1").unwrap().key();
        assert_eq!(key_by(SubjectPatterns::default()), key_by(json.parse().unwrap()));
    }

    #[test]
    fn text_without_a_system_has_the_default_system() {
        let subject = patterns().read_text("s-1").unwrap();
        assert_eq!(subject.key(), "urn:example:court-file|S-1");
        assert_eq!(patterns().read_text(&subject.key()), Ok(subject));
        assert!(patterns().read_text("|s-1").is_err());
        let by_default = SubjectPatterns::default().read_text("s-1").unwrap();
        assert_eq!(by_default.key(), "urn:docferry:court-file|S-1");
    }

    #[test]
    fn debug_output_hides_the_value() {
        let subject = patterns().read(Some(NHS), "9434765919").unwrap();
        assert_eq!(format!("{subject:?}"), "Subject(https://fhir.nhs.uk/Id/nhs-number|…)");
        assert_eq!(subject.key(), "https://fhir.nhs.uk/Id/nhs-number|9434765919");
    }
}

//! Reader of a Lambda function's settings, which are environment variables.
//!
//! A function reads its settings once, when it starts. [`Reader`] collects all missing and invalid
//! variables, so that an operator sees every problem in one error and not one after the other.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use docferry_domain::settings::{RULES, variable};
use jiff::SignedDuration;

/// Value of `ENVIRONMENT` for local development. Only this environment may call services without
/// TLS or on loopback addresses.
const LOCAL_ENVIRONMENT: &str = "local";

/// Source of environment variables. Tests use an array of names and values instead of the process
/// environment.
pub trait Variables {
    /// Returns the value of a variable if it is set.
    fn get(&self, name: &str) -> Option<String>;
}

/// [`Variables`] of the process environment.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Variables for ProcessEnvironment {
    #[expect(clippy::disallowed_methods, reason = "the only place that reads the environment")]
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

impl<const N: usize> Variables for [(&str, &str); N] {
    fn get(&self, name: &str) -> Option<String> {
        self.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
    }
}

/// Error that lists every missing, invalid or contradictory variable, with the expected value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration: {}", self.0.join("; "))
    }
}

/// Reader of settings that collects the problems it finds.
///
/// A getter returns a placeholder for an invalid variable, so that the caller can read the next
/// variables. [`Reader::finish`] then fails with all problems. It also checks the [rules](RULES)
/// that relate several numbers to each other, such as "the retention of records is at least that of
/// jobs".
#[derive(Debug)]
pub struct Reader<V> {
    variables: V,
    problems: Vec<String>,
    /// Numbers that have been read, by variable. [`Reader::finish`] checks the rules on them.
    numbers: BTreeMap<String, u64>,
}

impl Reader<ProcessEnvironment> {
    /// Creates a reader of the process environment.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::new(ProcessEnvironment)
    }
}

impl<V: Variables> Reader<V> {
    /// Creates a reader of these variables.
    pub fn new(variables: V) -> Self {
        Self { variables, problems: Vec::new(), numbers: BTreeMap::new() }
    }

    /// Reads a text. Returns `None` if the variable is unset or empty.
    pub fn optional(&mut self, name: &str) -> Option<String> {
        self.variables.get(name).filter(|value| !value.is_empty())
    }

    /// Reads a required text. If the variable is unset or empty, the error shows `example`.
    pub fn required(&mut self, name: &str, example: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problem(format!("{name} is not set (for example {example})"));
            String::new()
        })
    }

    /// Reads a base URL. Returns `None` if the variable is unset or empty. The scheme `http` is
    /// allowed only in the environment `local`.
    pub fn optional_url(&mut self, name: &str) -> Option<String> {
        let url = self.optional(name)?;
        let is_unencrypted =
            url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"));
        if is_unencrypted && !self.is_local() {
            self.problem(format!("{name} must be an https URL outside the environment local"));
        }
        Some(url)
    }

    /// Reads a required base URL, with the same rule as [`Reader::optional_url`].
    pub fn required_url(&mut self, name: &str, example: &str) -> String {
        self.optional_url(name).unwrap_or_else(|| self.required(name, example))
    }

    /// Returns whether `ENVIRONMENT` is `local`.
    pub fn is_local(&mut self) -> bool {
        self.optional("ENVIRONMENT").is_some_and(|environment| environment == LOCAL_ENVIRONMENT)
    }

    /// Reads an integer and records it for the check of the rules. Returns `default` if the
    /// variable is unset or empty.
    pub fn number<T>(&mut self, name: &str, default: T) -> T
    where
        T: FromStr + Copy + TryInto<u64>,
        T::Err: fmt::Display,
    {
        let number = self.parsed_or(name, default);
        self.numbers.insert(name.to_owned(), number.try_into().unwrap_or(u64::MAX));
        number
    }

    /// Reads a value of any type that can be parsed. Returns `default` if the variable is unset or
    /// empty.
    pub fn parsed_or<T>(&mut self, name: &str, default: T) -> T
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let Some(text) = self.optional(name) else { return default };
        text.parse().unwrap_or_else(|error: T::Err| {
            self.problem(format!("{name} is not valid: {error}"));
            default
        })
    }

    /// Reads a duration in whole seconds, which must be at least 1. Returns `default` seconds if
    /// the variable is unset or empty.
    pub fn seconds(&mut self, name: &str, default: u32) -> SignedDuration {
        self.duration(name, default, 1)
    }

    /// Reads a duration in whole hours, which must be at least 1. Returns `default` hours if the
    /// variable is unset or empty.
    pub fn hours(&mut self, name: &str, default: u32) -> SignedDuration {
        self.duration(name, default, 3600)
    }

    /// Reads a duration as a number of units, each of which is `unit_seconds` long.
    fn duration(&mut self, name: &str, default: u32, unit_seconds: i64) -> SignedDuration {
        let count: u32 = self.number(name, default);
        if count == 0 {
            self.problem(format!("{name} must be at least 1"));
        }
        SignedDuration::from_secs(i64::from(count) * unit_seconds)
    }

    /// Adds a problem that the caller has found. A problem that was found before is not repeated,
    /// because several adapters may read the same variable.
    pub fn problem(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.problems.contains(&text) {
            self.problems.push(text);
        }
    }

    /// Finishes reading and returns a value that was created from the settings. `None` stands for a
    /// value that could not be created.
    ///
    /// # Errors
    /// If `value` is `None`, and in the same cases as [`Reader::finish`].
    pub fn finish_with<T>(mut self, value: Option<T>) -> Result<T, ConfigError> {
        if value.is_none() && self.problems.is_empty() {
            self.problem("a client could not be created");
        }
        self.finish().and_then(|()| value.ok_or(ConfigError(Vec::new())))
    }

    /// Finishes reading and checks the rules.
    ///
    /// # Errors
    /// [`ConfigError`] with all problems, if there are any. Its text never contains the value of a
    /// variable, which may be a secret.
    pub fn finish(mut self) -> Result<(), ConfigError> {
        let numbers = &self.numbers;
        let value = |setting: &str| numbers.get(&variable(setting)).copied();
        let broken_rules = RULES.iter().filter(|rule| rule.is_broken(value));
        self.problems.extend(broken_rules.map(|rule| rule.text.to_owned()));
        if self.problems.is_empty() { Ok(()) } else { Err(ConfigError(self.problems)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_configuration_problems_are_reported_together() {
        let mut reader = Reader::new([("SIZE", "many"), ("EMPTY", ""), ("WAIT", "0")]);

        reader.required("TABLE", "docferry-transfers");
        assert_eq!(reader.parsed_or("SIZE", 7_u32), 7);
        assert_eq!(reader.optional("EMPTY"), None);
        reader.seconds("WAIT", 5);
        let text = reader.finish().unwrap_err().to_string();

        for name in ["TABLE", "SIZE", "WAIT"] {
            assert!(text.contains(name), "{text}");
        }
        assert!(!text.contains("many") && !text.contains("EMPTY"), "{text}");
    }

    #[test]
    fn contradictory_settings_are_rejected() {
        let with_record_ttl = |hours: &'static str| {
            let mut reader = Reader::new([("RECORD_TTL_HOURS", hours), ("JOB_TTL_HOURS", "24")]);
            reader.hours("RECORD_TTL_HOURS", 168);
            reader.hours("JOB_TTL_HOURS", 24);
            reader.seconds("TRANSFER_DEADLINE_SECONDS", 14_400);
            reader.finish()
        };
        // A record must outlive its job (24 hours) and the longest run (14,400 seconds, which are 4
        // hours).
        assert_eq!(with_record_ttl("28"), Ok(()));
        let text = with_record_ttl("27").unwrap_err().to_string();
        assert!(text.contains("RecordTtlHours must be at least JobTtlHours"), "{text}");
    }

    #[test]
    fn defaults_are_checked_against_the_settings_rules() {
        // The minimum is above the default of the maximum.
        let mut reader = Reader::new([("FILE_ID_MIN", "200000000")]);
        reader.number("FILE_ID_MIN", 10_000_u64);
        reader.number("FILE_ID_MAX", 100_000_000_u64);
        assert!(reader.finish_with(Some(())).is_err());
    }

    #[test]
    fn http_urls_are_rejected_outside_the_local_environment() {
        let check_url = |environment: &'static str, url: &'static str| {
            let mut reader = Reader::new([("ENVIRONMENT", environment), ("ORDS_BASE_URL", url)]);
            assert_eq!(reader.required_url("ORDS_BASE_URL", "https://ords.example.org"), url);
            reader.finish()
        };
        assert_eq!(check_url("local", "http://127.0.0.1:8101"), Ok(()));
        assert_eq!(check_url("prod", "https://ords.example.org"), Ok(()));
        for environment in ["", "dev", "prod", "localx"] {
            for url in ["http://ords.example.org", "HTTP://127.0.0.1:1"] {
                let text = check_url(environment, url).unwrap_err().to_string();
                assert!(text.contains("ORDS_BASE_URL must be an https URL"), "{text}");
                assert!(!text.contains(url), "{text}");
            }
        }
    }

    #[test]
    fn missing_url_is_reported_once() {
        let mut reader = Reader::new([]);
        reader.required_url("ORDS_BASE_URL", "https://ords.example.org");
        let text = reader.finish().unwrap_err().to_string();
        assert_eq!(text.matches("ORDS_BASE_URL").count(), 1, "{text}");
    }

    #[test]
    fn defaults_apply_to_unset_and_empty_variables() {
        let mut reader = Reader::new([("A", ""), ("B", "9")]);
        assert_eq!((reader.parsed_or("A", 1_u8), reader.parsed_or("B", 1_u8)), (1, 9));
        assert_eq!(reader.hours("C", 2), SignedDuration::from_hours(2));
        assert_eq!(reader.finish(), Ok(()));
    }
}

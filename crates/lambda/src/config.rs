//! Settings from environment variables, read once, all problems told at once.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;

/// Where variables come from.
pub trait Variables {
    /// The variable's value, if it is set.
    fn get(&self, name: &str) -> Option<String>;
}

/// The environment of the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Variables for ProcessEnvironment {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

impl<const N: usize> Variables for [(&str, &str); N] {
    fn get(&self, name: &str) -> Option<String> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
    }
}

/// Every variable that is missing or wrong, with what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration: {}", self.0.join("; "))
    }
}

/// Reads settings one by one and collects what is wrong with them.
///
/// A getter gives a placeholder for a variable that is wrong, so that reading
/// goes on; [`Reader::finish`] then fails with all of them.
#[derive(Debug)]
pub struct Reader<V> {
    variables: V,
    problems: Vec<String>,
}

impl Reader<ProcessEnvironment> {
    /// Reads the environment of the process.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::new(ProcessEnvironment)
    }
}

impl<V: Variables> Reader<V> {
    /// Reads these variables.
    pub fn new(variables: V) -> Self {
        Self { variables, problems: Vec::new() }
    }

    /// A text, or `None` when unset or empty.
    pub fn optional(&mut self, name: &str) -> Option<String> {
        self.variables.get(name).filter(|value| !value.is_empty())
    }

    /// A text that must be there; `example` says what it looks like.
    pub fn required(&mut self, name: &str, example: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problems.push(format!("{name} is not set (for example {example})"));
            String::new()
        })
    }

    /// A value of any kind, or `default` when unset or empty.
    pub fn or<T>(&mut self, name: &str, default: T) -> T
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let Some(text) = self.optional(name) else { return default };
        text.parse().unwrap_or_else(|error: T::Err| {
            self.problems.push(format!("{name} is not valid: {error}"));
            default
        })
    }

    /// Whole seconds (at least 1), or `default` of them.
    pub fn seconds(&mut self, name: &str, default: u32) -> SignedDuration {
        self.duration(name, default, 1)
    }

    /// Whole hours (at least 1), or `default` of them.
    pub fn hours(&mut self, name: &str, default: u32) -> SignedDuration {
        self.duration(name, default, 3600)
    }

    fn duration(&mut self, name: &str, default: u32, unit: i64) -> SignedDuration {
        let count: u32 = self.or(name, default);
        if count == 0 {
            self.problems.push(format!("{name} must be at least 1"));
        }
        SignedDuration::from_secs(i64::from(count) * unit)
    }

    /// Notes a problem that only the caller can see.
    pub fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
    }

    /// Ends the reading, and gives what was made on the way.
    ///
    /// # Errors
    /// As [`Reader::finish`]; also when `made` is missing.
    pub fn finish_with<T>(mut self, made: Option<T>) -> Result<T, ConfigError> {
        match made {
            Some(made) => self.finish().map(|()| made),
            None => {
                if self.problems.is_empty() {
                    self.problem("a client could not be made");
                }
                Err(ConfigError(self.problems))
            }
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that was wrong. No text repeats a value.
    pub fn finish(self) -> Result<(), ConfigError> {
        if self.problems.is_empty() { Ok(()) } else { Err(ConfigError(self.problems)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_told_at_once_and_names_its_variable() {
        let mut reader = Reader::new([("SIZE", "many"), ("EMPTY", ""), ("WAIT", "0")]);
        reader.required("TABLE", "docferry-transfers");
        assert_eq!(reader.or("SIZE", 7_u32), 7);
        assert_eq!(reader.optional("EMPTY"), None);
        reader.seconds("WAIT", 5);
        let text = reader.finish().unwrap_err().to_string();
        for name in ["TABLE", "SIZE", "WAIT"] {
            assert!(text.contains(name), "{text}");
        }
        assert!(!text.contains("many") && !text.contains("EMPTY"), "{text}");
    }

    #[test]
    fn defaults_stand_in_for_what_is_unset_or_empty() {
        let mut reader = Reader::new([("A", ""), ("B", "9")]);
        assert_eq!((reader.or("A", 1_u8), reader.or("B", 1_u8)), (1, 9));
        assert_eq!(reader.hours("C", 2), SignedDuration::from_hours(2));
        assert_eq!(reader.finish(), Ok(()));
    }
}

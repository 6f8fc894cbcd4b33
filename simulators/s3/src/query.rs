//! Query string of a request to the S3 simulator.

use crate::error::S3Error;

/// Decoded parameters of a query string.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns a parameter's text. A missing parameter is empty.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// Returns a number. A missing or empty parameter has the default value.
    pub(crate) fn number(&self, name: &str, default: usize) -> Result<usize, S3Error> {
        match self.text(name) {
            "" => Ok(default),
            text => text.parse().map_err(|_error| {
                S3Error::invalid_argument(&format!("Provided {name} not an integer"))
            }),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn has_any(&self, names: &[&str]) -> bool {
        self.0.iter().any(|(key, _)| names.contains(&key.as_str()))
    }

    /// Returns whether all parameters have one of these names.
    pub(crate) fn has_only(&self, names: &[&str]) -> bool {
        self.0.iter().all(|(key, _)| names.contains(&key.as_str()))
    }
}

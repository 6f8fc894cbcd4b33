//! Address of the API, from the deployment's configuration.

use std::str::FromStr;

use docferry_domain::document::DocumentId;

/// Address under which the API's resources are found, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

/// The text is not an address of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an http or https URL without a query")]
pub struct InvalidBaseUrl;

impl BaseUrl {
    /// Returns the address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the address of all documents.
    pub(crate) fn documents(&self) -> String {
        format!("{}/DocumentReference", self.0)
    }

    /// Returns the address of a document. An id needs no encoding.
    pub(crate) fn document(&self, id: &DocumentId) -> String {
        format!("{}/DocumentReference/{id}", self.0)
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let is_plain = |rest: &str| {
            !rest.starts_with('/')
                && !rest.is_empty()
                && rest.bytes().all(|b| b.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(&b))
        };
        rest.filter(|rest| is_plain(rest)).ok_or(InvalidBaseUrl)?;
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slash_at_the_end_is_removed() {
        let base: BaseUrl = "https://docs.example/fhir/".parse().unwrap();
        assert_eq!(base.documents(), "https://docs.example/fhir/DocumentReference");
        for bad in
            ["", "docs.example", "ftp://a", "https://", "https:///a", "https://a?b", "http://a b"]
        {
            assert_eq!(bad.parse::<BaseUrl>(), Err(InvalidBaseUrl), "{bad}");
        }
    }
}

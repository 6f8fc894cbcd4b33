//! Public address of the API. The configuration of the deployment contains it.

use std::str::FromStr;

use docferry_domain::document::DocumentId;

/// Address below which clients find the resources of the API, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

/// Error for a text that is not the address of an API.
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
        let host_and_path = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let is_plain = |host_and_path: &str| {
            !host_and_path.starts_with('/')
                && !host_and_path.is_empty()
                && host_and_path
                    .bytes()
                    .all(|b| b.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(&b))
        };
        host_and_path.filter(|text| is_plain(text)).ok_or(InvalidBaseUrl)?;
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

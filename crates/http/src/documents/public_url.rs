//! Address under which callers reach the API, for the links in responses.

use docferry_fhir::{BaseUrl, InvalidBaseUrl, IssueCode, OperationOutcome};
use http::{HeaderMap, header};

use super::failure::Failure;

/// Address of the API in links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicUrl {
    /// The configured address. A custom domain needs it, because the paths of a custom domain do
    /// not begin with a stage.
    Configured(BaseUrl),
    /// `https://{Host}/{stage}`, the address of a REST API of API Gateway. If the header
    /// `X-Forwarded-Proto` is `http`, the scheme is `http`. Callers cannot forge this header,
    /// because API Gateway and proxies overwrite it.
    OfRequest {
        /// Stage of the API.
        stage: String,
    },
}

impl PublicUrl {
    /// Returns the configured address if there is one, else the address of a stage.
    ///
    /// # Errors
    /// Returns [`InvalidBaseUrl`] if the configured address is not the URL of an API.
    pub fn new(configured: Option<&str>, stage: String) -> Result<Self, InvalidBaseUrl> {
        match configured {
            Some(url) => url.parse().map(Self::Configured),
            None => Ok(Self::OfRequest { stage }),
        }
    }

    /// Returns the address for the links in the response to a request.
    pub(super) fn of(&self, headers: &HeaderMap) -> Result<BaseUrl, Failure> {
        let stage = match self {
            Self::Configured(url) => return Ok(url.clone()),
            Self::OfRequest { stage } => stage,
        };
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let is_http = text("x-forwarded-proto") == Some("http");
        let scheme = if is_http { "http" } else { "https" };
        let host = text(header::HOST.as_str()).unwrap_or_default();
        // A host with a path is refused. Otherwise a caller could direct links to another API of
        // the same host.
        let is_host = !host.contains(['/', '@']);
        let url = format!("{scheme}://{host}/{stage}").parse().ok().filter(|_| is_host);
        url.ok_or_else(|| {
            OperationOutcome::new(IssueCode::Structure, "the header Host is malformed").into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(host: &str, scheme: Option<&str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("host", host.parse().unwrap());
        if let Some(scheme) = scheme {
            headers.insert("x-forwarded-proto", scheme.parse().unwrap());
        }
        let url = PublicUrl::new(None, "prod".into()).unwrap().of(&headers);
        url.ok().map(|url| url.as_str().to_owned())
    }

    #[test]
    fn host_and_stage_make_the_address() {
        let host = "a1.execute-api.ca-central-1.amazonaws.com";
        assert_eq!(url(host, None), Some(format!("https://{host}/prod")));
        assert_eq!(url(host, Some("https")), Some(format!("https://{host}/prod")));
        assert_eq!(url("127.0.0.1:80", Some("http")), Some("http://127.0.0.1:80/prod".to_owned()));
        for bad in ["", "a b", "evil.example/x", "a@evil.example", "a?b", "a#b"] {
            assert_eq!(url(bad, None), None, "{bad}");
        }
    }

    #[test]
    fn configured_address_ignores_the_request() {
        let configured = PublicUrl::new(Some("https://docs.example/"), "prod".into()).unwrap();
        let url = configured.of(&HeaderMap::new()).ok();
        assert_eq!(url.map(|url| url.as_str().to_owned()).as_deref(), Some("https://docs.example"));
    }
}

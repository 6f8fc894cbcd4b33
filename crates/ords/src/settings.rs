use std::time::Duration;

use docferry_app::ports::Cause;
use reqwest::Url;

/// Where ORDS is, and what is the same in every request.
#[derive(Debug, Clone)]
pub struct OrdsSettings {
    /// Base URL, with the path up to `/doc/push-to-server` and `/ping`.
    pub base_url: String,
    /// `database_id`.
    pub database_id: String,
    /// `server`: where ORDS writes the document.
    pub server: String,
    /// `putid`: who asks.
    pub put_id: String,
    /// `ticket_lifetime`, in minutes.
    pub ticket_lifetime_minutes: u32,
    /// Limit for a whole request, connecting included.
    pub timeout: Duration,
}

impl OrdsSettings {
    /// The usual requester, ticket and time-out.
    #[must_use]
    pub fn new(
        base_url: impl Into<String>,
        database_id: impl Into<String>,
        server: impl Into<String>,
    ) -> Self {
        Self {
            base_url: base_url.into(),
            database_id: database_id.into(),
            server: server.into(),
            put_id: "SCV".into(),
            ticket_lifetime_minutes: 20,
            timeout: Duration::from_secs(30),
        }
    }

    /// The base URL without a trailing slash.
    pub(crate) fn base(&self) -> Result<String, SetupError> {
        match Url::parse(&self.base_url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.query().is_none() => {
                Ok(self.base_url.trim_end_matches('/').to_owned())
            }
            _ => Err(SetupError::BaseUrl),
        }
    }
}

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The base URL is none.
    #[error("the base URL of ORDS must be an absolute http or https URL without a query")]
    BaseUrl,
    /// The TLS stack did not start: no root certificates, say.
    #[error("the HTTP client could not be set up")]
    Client(#[source] Cause),
}

//! Settings of the client of ORDS, the document source.

use std::time::Duration;

use docferry_app::ports::Cause;
use reqwest::Url;

/// Default of [`OrdsSettings::put_id`].
const DEFAULT_PUT_ID: &str = "SCV";
/// Default of [`OrdsSettings::ticket_lifetime_minutes`].
const DEFAULT_TICKET_LIFETIME_MINUTES: u32 = 20;
/// Default of [`OrdsSettings::timeout`].
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Address of ORDS, and the parameters that are the same in every push.
#[derive(Debug, Clone)]
pub struct OrdsSettings {
    /// Base URL, to which `/doc/push-to-server` and `/ping` are appended.
    pub base_url: String,
    /// Value of the parameter `database_id`.
    pub database_id: String,
    /// Value of the parameter `server`: the server to which ORDS writes the document.
    pub server: String,
    /// Value of the parameter `putid`: the id of the requester.
    pub put_id: String,
    /// Value of the parameter `ticket_lifetime`, in minutes.
    pub ticket_lifetime_minutes: u32,
    /// Time limit of a whole request, including connecting.
    pub timeout: Duration,
}

impl OrdsSettings {
    /// Returns settings with the default requester (`SCV`), ticket lifetime (20 minutes) and
    /// timeout (30 s).
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
            put_id: DEFAULT_PUT_ID.into(),
            ticket_lifetime_minutes: DEFAULT_TICKET_LIFETIME_MINUTES,
            timeout: DEFAULT_TIMEOUT,
        }
    }

    /// Validates the base URL and returns it without a trailing slash.
    pub(crate) fn valid_base_url(&self) -> Result<String, SetupError> {
        match Url::parse(&self.base_url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.query().is_none() => {
                Ok(self.base_url.trim_end_matches('/').to_owned())
            }
            _ => Err(SetupError::BaseUrl),
        }
    }
}

/// Failure to create the client.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The base URL is invalid.
    #[error("the base URL of ORDS must be an absolute http or https URL without a query")]
    BaseUrl,
    /// The TLS stack could not be set up, for example because there are no root certificates.
    #[error("the HTTP client could not be set up")]
    Client(#[source] Cause),
}

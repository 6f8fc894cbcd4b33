//! HTTP client of ORDS, the REST service in front of the court's object store.
//!
//! [`OrdsSource`] asks ORDS to push a document, and checks the health of ORDS. A pushed document
//! later arrives in the exchange bucket, from which docferry delivers it.

use docferry_app::ports::{
    CredentialsProvider, DocumentSource, Freshness, SourceAnswer, SourceError,
};
use docferry_app::trace::{self, TRACEPARENT};
use docferry_domain::ids::ObjectGuid;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use reqwest::{RequestBuilder, redirect};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;

use crate::credentials::OrdsCredentials;
use crate::response::{OrdsResponse, PingResponse, PushResponse, parse_response};
use crate::settings::{OrdsSettings, SetupError};

/// Limit for response bodies. Valid responses have some hundred bytes.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// [`DocumentSource`] that gets documents from ORDS.
pub struct OrdsSource<P> {
    http: reqwest::Client,
    /// Base URL, without a trailing slash.
    base_url: String,
    settings: OrdsSettings,
    credentials_provider: P,
}

impl<P: CredentialsProvider<OrdsCredentials>> OrdsSource<P> {
    /// Creates a client without sending a request.
    ///
    /// # Errors
    /// [`SetupError`] if the base URL is invalid or the TLS stack cannot be set up.
    pub fn new(settings: OrdsSettings, credentials_provider: P) -> Result<Self, SetupError> {
        let base_url = settings.valid_base_url()?;
        let http = reqwest::Client::builder()
            .user_agent(concat!("docferry/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .tcp_nodelay(true)
            .timeout(settings.timeout)
            .build()
            .map_err(|error| SetupError::Client(error.without_url().into()))?;
        Ok(Self { http, base_url, settings, credentials_provider })
    }

    /// Sends a request and parses its response.
    ///
    /// If ORDS rejects the cached credentials, fresh ones are read. The request is sent once more
    /// if the credentials have changed.
    async fn request_json<T: DeserializeOwned>(
        &self,
        request: impl Fn(&OrdsCredentials) -> RequestBuilder + Sync,
    ) -> Result<T, SourceError> {
        let credentials = self.credentials(Freshness::Cached).await?;
        match parse_response(&self.send(request(&credentials)).await?) {
            Err(SourceError::Unauthorized) => {
                let fresh = self.credentials(Freshness::Fresh).await?;
                if fresh.equals(&credentials) {
                    return Err(SourceError::Unauthorized);
                }
                parse_response(&self.send(request(&fresh)).await?)
            }
            result => result,
        }
    }

    /// Reads the credentials, from a cache or fresh.
    async fn credentials(&self, freshness: Freshness) -> Result<OrdsCredentials, SourceError> {
        let credentials = self.credentials_provider.credentials(freshness).await;
        credentials.map_err(SourceError::Unavailable)
    }

    /// Builds a GET request with HTTP Basic authentication and the header of the current trace.
    fn get(&self, path: &str, credentials: &OrdsCredentials) -> RequestBuilder {
        let password = credentials.password.expose_secret();
        let request = self.http.get(format!("{}{path}", self.base_url));
        let request = request.basic_auth(&credentials.username, Some(password));
        match trace::current() {
            Some(trace) => request.header(TRACEPARENT, trace.as_str()),
            None => request,
        }
    }

    /// Sends a request and reads the response.
    async fn send(&self, request: RequestBuilder) -> Result<OrdsResponse, SourceError> {
        let response = request.send().await;
        let response =
            response.map_err(|error| SourceError::Unavailable(error.without_url().into()))?;
        let media_type = content_type(response.headers());
        let status = response.status();
        let body = http::Response::<reqwest::Body>::from(response).into_body();
        let body = match Limited::new(body, MAX_RESPONSE_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            // A body over the limit is replaced by an empty one. With a success status, an
            // empty body is an error. With an error status, the body does not matter.
            Err(error) if error.is::<LengthLimitError>() => bytes::Bytes::new(),
            Err(error) => return Err(SourceError::Unavailable(error)),
        };
        Ok(OrdsResponse { status, media_type, body })
    }
}

/// Returns the media type in the header `Content-Type`, in lower case and without parameters.
/// Returns an empty text if there is none.
fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

impl<P: CredentialsProvider<OrdsCredentials>> DocumentSource for OrdsSource<P> {
    async fn push(&self, guid: &ObjectGuid) -> Result<SourceAnswer, SourceError> {
        let settings = &self.settings;
        let ticket_lifetime = settings.ticket_lifetime_minutes.to_string();
        let response: PushResponse = self
            .request_json(|credentials| {
                self.get("/doc/push-to-server", credentials).query(&[
                    ("document_guid", guid.as_str()),
                    ("application_id", &credentials.application_id),
                    ("app_password", credentials.application_password.expose_secret()),
                    ("user_name", &credentials.account_name),
                    ("database_id", &settings.database_id),
                    ("ticket_lifetime", &ticket_lifetime),
                    ("putid", &settings.put_id),
                    ("server", &settings.server),
                ])
            })
            .await?;
        response.try_into()
    }

    async fn ping(&self) -> Result<String, SourceError> {
        let response: PingResponse =
            self.request_json(|credentials| self.get("/ping", credentials)).await?;
        Ok(response.status)
    }
}

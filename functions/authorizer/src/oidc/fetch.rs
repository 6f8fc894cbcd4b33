//! Fetches the public keys of the OpenID Connect issuer over HTTP, for the key cache.
//!
//! The issuer publishes two JSON documents: the discovery document, which contains the URL of the
//! keys, and the key document (JSON Web Key Set, JWKS).

use std::future::Future;
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use reqwest::redirect;
use serde::Deserialize;

use super::keys::KeySet;
use super::settings::{OidcSettings, SetupError, secure_url};

/// Maximum size of a document in bytes. The key documents of large issuers, which include
/// certificates, have about 50 kB.
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
/// Timeout for fetching one document. An invocation of the function may have to fetch two
/// documents.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Name of the discovery document in errors.
const DISCOVERY_DOCUMENT: &str = "the discovery document";
/// Name of the key document in errors.
const KEY_DOCUMENT: &str = "the key document";

/// Failure to fetch the keys. The error texts name the document, but contain no URL.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No complete response arrived in time, or the response is too large.
    #[error("{0}: no complete response")]
    NoAnswer(&'static str),
    /// The status is not 200. Redirects are not followed.
    #[error("{0}: status {1}")]
    Status(&'static str, u16),
    /// The document is invalid or has no usable keys.
    #[error("{0}: invalid content")]
    Invalid(&'static str),
    /// The discovery document belongs to another issuer.
    #[error("the discovery document names another issuer")]
    OtherIssuer,
}

/// Source of the issuer's keys.
pub trait KeySource: Send + Sync {
    /// Fetches the current keys.
    fn fetch(&self) -> impl Future<Output = Result<KeySet, FetchError>> + Send;
}

/// [`KeySource`] that fetches the keys over HTTP.
#[derive(Debug)]
pub struct HttpKeys {
    http: reqwest::Client,
    issuer: String,
    /// Configured URL of the keys. If it is `None`, the URL in the discovery document is used.
    jwks_url: Option<String>,
}

/// The members of the discovery document that are used here.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl HttpKeys {
    /// Creates the HTTP client without sending a request.
    ///
    /// # Errors
    /// [`SetupError`] if the settings are invalid or the TLS stack fails to start.
    pub fn new(settings: &OidcSettings) -> Result<Self, SetupError> {
        settings.check()?;
        let http = reqwest::Client::builder()
            .user_agent(concat!("docferry/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .tcp_nodelay(true)
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| SetupError::Client(error.without_url()))?;
        let OidcSettings { issuer, jwks_url, .. } = settings.clone();
        Ok(Self { http, issuer, jwks_url })
    }

    /// Returns the URL of the keys: the configured one, or the one in the discovery document.
    async fn jwks_url(&self) -> Result<String, FetchError> {
        if let Some(url) = &self.jwks_url {
            return Ok(url.clone());
        }
        let base = self.issuer.trim_end_matches('/');
        let url = format!("{base}/.well-known/openid-configuration");
        let bytes = self.get(DISCOVERY_DOCUMENT, &url).await?;
        let discovery: Discovery =
            serde_json::from_slice(&bytes).map_err(|_| FetchError::Invalid(DISCOVERY_DOCUMENT))?;
        if discovery.issuer != self.issuer {
            return Err(FetchError::OtherIssuer);
        }
        secure_url(&discovery.jwks_uri).ok_or(FetchError::Invalid(DISCOVERY_DOCUMENT))?;
        Ok(discovery.jwks_uri)
    }

    /// Fetches a document. `document` is its name in errors.
    async fn get(&self, document: &'static str, url: &str) -> Result<Vec<u8>, FetchError> {
        let request = self.http.get(url).header("accept", "application/json");
        let response = request.send().await.map_err(|_| FetchError::NoAnswer(document))?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(document, response.status().as_u16()));
        }
        let body = Limited::new(reqwest::Body::from(response), MAX_DOCUMENT_BYTES);
        let collected = body.collect().await.map_err(|_| FetchError::NoAnswer(document))?;
        Ok(collected.to_bytes().to_vec())
    }
}

impl KeySource for HttpKeys {
    async fn fetch(&self) -> Result<KeySet, FetchError> {
        let bytes = self.get(KEY_DOCUMENT, &self.jwks_url().await?).await?;
        let keys = KeySet::parse(&bytes).ok_or(FetchError::Invalid(KEY_DOCUMENT))?;
        // An empty key set counts as an error, so that the cache keeps the previous keys.
        if keys.is_empty() { Err(FetchError::Invalid(KEY_DOCUMENT)) } else { Ok(keys) }
    }
}

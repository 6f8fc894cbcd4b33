use std::future::Future;
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use reqwest::redirect;
use serde::Deserialize;

use super::keys::KeySet;
use super::settings::{OidcSettings, SetupError, secure_url};

/// The most that a document may have. Large providers' keys, with their
/// certificates, take some fifty kilobytes.
const LARGEST_BYTES: usize = 256 * 1024;
/// How long one document may take. Two of them have to fit into an invocation.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Why the keys could not be had. Says which document, and no URL.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No whole answer came in time, or one that is too large.
    #[error("{0}: no whole answer")]
    NoAnswer(&'static str),
    /// Another status than 200; a redirect, too.
    #[error("{0}: answered {1}")]
    Status(&'static str, u16),
    /// It is not such a document.
    #[error("{0}: not what it should be")]
    Invalid(&'static str),
    /// The discovery document is of another issuer.
    #[error("the discovery document names another issuer")]
    OtherIssuer,
}

/// Where the issuer's keys come from.
pub trait KeySource: Send + Sync {
    /// The keys as they are now.
    fn fetch(&self) -> impl Future<Output = Result<KeySet, FetchError>> + Send;
}

/// The issuer's keys by HTTP: from the URL of the settings, or from the one that
/// its discovery document names.
#[derive(Debug)]
pub struct HttpKeys {
    http: reqwest::Client,
    issuer: String,
    jwks_url: Option<String>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl HttpKeys {
    /// A client; nothing is sent until it is used.
    ///
    /// # Errors
    /// [`SetupError`] when the settings make no sense or the TLS stack does not start.
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

    async fn jwks_url(&self) -> Result<String, FetchError> {
        if let Some(url) = &self.jwks_url {
            return Ok(url.clone());
        }
        let what = "the discovery document";
        let base = self.issuer.trim_end_matches('/');
        let url = format!("{base}/.well-known/openid-configuration");
        let bytes = self.get(what, &url).await?;
        let found: Discovery =
            serde_json::from_slice(&bytes).map_err(|_| FetchError::Invalid(what))?;
        if found.issuer != self.issuer {
            return Err(FetchError::OtherIssuer);
        }
        secure_url(&found.jwks_uri).ok_or(FetchError::Invalid(what))?;
        Ok(found.jwks_uri)
    }

    async fn get(&self, what: &'static str, url: &str) -> Result<Vec<u8>, FetchError> {
        let request = self.http.get(url).header("accept", "application/json");
        let response = request.send().await.map_err(|_| FetchError::NoAnswer(what))?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(what, response.status().as_u16()));
        }
        let body = Limited::new(reqwest::Body::from(response), LARGEST_BYTES);
        let whole = body.collect().await.map_err(|_| FetchError::NoAnswer(what))?;
        Ok(whole.to_bytes().to_vec())
    }
}

impl KeySource for HttpKeys {
    async fn fetch(&self) -> Result<KeySet, FetchError> {
        let what = "the key document";
        let bytes = self.get(what, &self.jwks_url().await?).await?;
        let keys = KeySet::parse(&bytes).ok_or(FetchError::Invalid(what))?;
        // Without a key nobody could be let in; the ones from before may still be good.
        if keys.is_empty() { Err(FetchError::Invalid(what)) } else { Ok(keys) }
    }
}

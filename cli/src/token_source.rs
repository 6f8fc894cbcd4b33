//! Access tokens for an OAuth client, with which the client calls docferry's API.
//!
//! The tokens are requested from the issuer's token endpoint with the client credentials grant of
//! OAuth 2.0, and cached until shortly before they expire.

use std::fmt;
use std::time::{Duration, Instant};

use reqwest::{StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use crate::error::ClientError;
use crate::http::{is_loopback, parse_retry_after, read_body};
use crate::wire::Problem;

/// A token is renewed this long before it expires, so that it is valid during the call.
const RENEWAL_MARGIN: Duration = Duration::from_secs(60);
/// Lifetime of a token without `expires_in`, which is optional in RFC 6749.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);

/// Credentials of an OAuth client for the client credentials grant (RFC 6749, section 4.4).
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// Token endpoint of the issuer: `https`, or `http` on a loopback address.
    pub token_url: String,
    /// Id of the client.
    pub client_id: String,
    /// Secret of the client.
    pub client_secret: SecretString,
    /// Scopes to request, separated by spaces. `None` requests the issuer's default scopes.
    pub scope: Option<String>,
}

/// Selects the token of a request, if an OAuth client sends the request. Other credentials are not
/// renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenUse {
    /// The cached token, unless it expires soon.
    Cached,
    /// A new token, because the service refused the cached one.
    Renewed,
}

/// Requests access tokens from the token endpoint and caches the current one.
#[derive(Debug)]
pub(crate) struct TokenSource {
    http: reqwest::Client,
    /// Token endpoint.
    url: Url,
    credentials: ClientCredentials,
    current: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    value: SecretString,
    /// Time from which the token must be renewed.
    renew_at: Instant,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Successful response of the token endpoint (RFC 6749, section 5.1).
#[derive(Deserialize)]
struct TokenResponse {
    access_token: SecretString,
    expires_in: Option<u64>,
}

/// Error response of the token endpoint (RFC 6749, section 5.2).
#[derive(Default, Deserialize)]
struct TokenError {
    error: Option<String>,
    error_description: Option<String>,
}

impl TokenSource {
    /// Creates a source of tokens for these credentials. `build_http` creates the HTTP client
    /// for the token endpoint.
    ///
    /// # Errors
    /// [`ClientError::TokenUrl`] when the token endpoint does not use TLS, because the
    /// secret would be sent in clear text.
    pub(crate) fn new(
        credentials: ClientCredentials,
        build_http: impl FnOnce(&Url) -> Result<reqwest::Client, ClientError>,
    ) -> Result<Self, ClientError> {
        let url = parse_token_url(&credentials.token_url)?;
        Ok(Self { http: build_http(&url)?, url, credentials, current: None.into() })
    }

    /// Returns the cached token. Requests a new token if the cached one expires soon, or if
    /// `token_use` is [`TokenUse::Renewed`].
    pub(crate) async fn token(&self, token_use: TokenUse) -> Result<SecretString, ClientError> {
        // The lock is held during the request, so that concurrent calls request one token.
        let mut current = self.current.lock().await;
        let usable_token = current
            .as_ref()
            .filter(|token| token_use == TokenUse::Cached && Instant::now() < token.renew_at);
        if let Some(token) = usable_token {
            return Ok(token.value.clone());
        }
        let token = self.request_token().await?;
        let value = token.value.clone();
        *current = Some(token);
        Ok(value)
    }

    /// Requests a token from the token endpoint.
    async fn request_token(&self) -> Result<Token, ClientError> {
        let ClientCredentials { client_id, client_secret, scope, .. } = &self.credentials;
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(scope.as_deref().map(|scope| ("scope", scope)));
        // RFC 6749 requires that id and secret are each encoded before they are joined by a colon.
        let form_encode = |text| url::form_urlencoded::byte_serialize(text).collect::<String>();
        let request = self
            .http
            .post(self.url.clone())
            .basic_auth(
                form_encode(client_id.as_bytes()),
                Some(form_encode(client_secret.expose_secret().as_bytes())),
            )
            .header(header::ACCEPT, "application/json")
            .form(&form);
        let requested_at = Instant::now();
        let response = request.send().await?;
        let status = response.status();
        let retry_after = parse_retry_after(response.headers());
        let body = read_body(response).await?;
        if !status.is_success() {
            let error = serde_json::from_slice(&body).unwrap_or_default();
            return Err(token_endpoint_error(status, retry_after, error));
        }
        let token_response: TokenResponse =
            serde_json::from_slice(&body).map_err(|_| ClientError::InvalidResponse {
                status: status.as_u16(),
                reason: "the response of the token endpoint has no token".into(),
            })?;
        let lifetime = token_response.expires_in.map_or(DEFAULT_LIFETIME, Duration::from_secs);
        // The margin is at most a fifth of the lifetime, so that a token with a lifetime below the
        // usual margin can be used at all.
        let margin = RENEWAL_MARGIN.min(lifetime / 5);
        let renew_at = requested_at + lifetime.saturating_sub(margin);
        Ok(Token { value: token_response.access_token, renew_at })
    }
}

/// Converts an error response of the token endpoint to an error of the client.
fn token_endpoint_error(
    status: StatusCode,
    retry_after: Option<Duration>,
    error: TokenError,
) -> ClientError {
    let problem = Box::new(Problem {
        title: Some("the token endpoint issued no token".into()),
        detail: error.error_description,
        code: error.error,
        ..Problem::default()
    });
    let code = status.as_u16();
    match code {
        408 | 429 | 500..=599 => ClientError::Unavailable { status: code, retry_after, problem },
        _ => ClientError::Unauthorized { status: code, problem },
    }
}

/// Parses the address of a token endpoint. The address must use TLS or be a loopback address.
fn parse_token_url(text: &str) -> Result<Url, ClientError> {
    let refuse = |reason: &str| ClientError::TokenUrl { reason: reason.into() };
    let url = Url::parse(text).map_err(|error| refuse(&error.to_string()))?;
    let is_safe = match url.scheme() {
        "https" => true,
        "http" => is_loopback(&url),
        _ => false,
    };
    if !is_safe {
        return Err(refuse("it must begin with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it must not contain a user name or password"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_endpoint_must_use_tls_or_loopback() {
        for good in ["https://issuer.example/token", "http://127.0.0.1:1/t", "http://localhost/t"] {
            assert!(parse_token_url(good).is_ok(), "{good}");
        }
        for bad in ["http://issuer.example/token", "ftp://x/", "token", "https://u:p@x/t"] {
            let error = parse_token_url(bad).unwrap_err();
            assert!(matches!(error, ClientError::TokenUrl { .. }), "{bad}");
            assert!(!error.to_string().contains("u:p"), "{error}");
        }
    }

    #[test]
    fn debug_output_of_a_token_shows_no_secret() {
        let token = Token { value: "hunter2".into(), renew_at: Instant::now() };
        assert!(!format!("{token:?}").contains("hunter2"));
    }
}

//! Access tokens of the application (OAuth 2.0 client credentials), cached and renewed.

use docferry_app::ports::{Cause, Clock, CredentialsProvider, DriveError, Freshness};
use docferry_domain::failure::FailureCode;
use docferry_domain::upload::refusal::Operation;
use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::answer::GraphResponse;
use crate::failure::{classify, no_effect};
use crate::path::segment;
use crate::settings::GraphSettings;

/// Time between a failed renewal and the next one, while the old token is still valid.
const PAUSE_AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(30);

/// Credentials of the app registration.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// Id of the application.
    pub client_id: String,
    /// Secret of the application.
    pub client_secret: SecretString,
}

/// Value of the `Authorization` header, marked as sensitive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bearer(HeaderValue);

impl Bearer {
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// Cached token with the times of its renewal and its expiry.
struct Token {
    bearer: Bearer,
    refresh_at: Timestamp,
    expires_at: Timestamp,
}

/// Response of the token endpoint.
#[derive(Deserialize)]
struct TokenResponse {
    access_token: SecretString,
    expires_in: u32,
}

/// Cache of the access token, which is renewed at 80 % of its life. The lock is held during a
/// renewal, so that there is one request at a time and concurrent callers wait for its result.
pub(crate) struct Tokens<P> {
    http: reqwest::Client,
    url: String,
    scope: String,
    provider: P,
    cached: Mutex<Option<Token>>,
}

impl<P: CredentialsProvider<ClientCredentials>> Tokens<P> {
    pub(crate) fn new(
        http: reqwest::Client,
        settings: &GraphSettings,
        authority_url: &str,
        graph_url: &str,
        provider: P,
    ) -> Self {
        let tenant = segment(&settings.tenant_id);
        Self {
            http,
            url: format!("{authority_url}/{tenant}/oauth2/v2.0/token"),
            scope: format!("{graph_url}/.default"),
            provider,
            cached: Mutex::new(None),
        }
    }

    /// Returns a valid token.
    ///
    /// `rejected` is the token that Graph has just rejected. It is never returned again, but a
    /// token that a concurrent call has renewed meanwhile is.
    pub(crate) async fn bearer(
        &self,
        clock: &impl Clock,
        rejected: Option<&Bearer>,
    ) -> Result<Bearer, DriveError> {
        let mut cached = self.cached.lock().await;
        cached.take_if(|token| Some(&token.bearer) == rejected);
        if let Some(token) = cached.as_ref().filter(|token| clock.now() < token.refresh_at) {
            return Ok(token.bearer.clone());
        }
        match self.request(clock).await {
            Ok(token) => Ok(cached.insert(token).bearer.clone()),
            Err(error) => match cached.as_mut() {
                Some(token) if clock.now() < token.expires_at => {
                    token.refresh_at = clock.now() + PAUSE_AFTER_FAILURE;
                    Ok(token.bearer.clone())
                }
                _ => Err(error),
            },
        }
    }

    /// Requests a new token.
    async fn request(&self, clock: &impl Clock) -> Result<Token, DriveError> {
        match self.request_with(Freshness::Cached, clock).await {
            // The client secret may have been rotated since it was cached.
            Err(DriveError::Unauthorized { .. }) => {
                self.request_with(Freshness::Fresh, clock).await
            }
            result => result,
        }
    }

    /// Requests a token with the cached or the freshly read client secret.
    async fn request_with(
        &self,
        lookup: Freshness,
        clock: &impl Clock,
    ) -> Result<Token, DriveError> {
        let credentials = self.provider.credentials(lookup).await;
        let credentials = credentials.map_err(token_unavailable)?;
        let form = [
            ("client_id", credentials.client_id.as_str()),
            ("client_secret", credentials.client_secret.expose_secret()),
            ("scope", &self.scope),
            ("grant_type", "client_credentials"),
        ];
        let requested_at = clock.now();
        let response = self.http.post(&self.url).form(&form).send().await;
        let response = response.map_err(|error| token_unavailable(error.without_url()))?;
        let answer = GraphResponse::read(response.into(), requested_at).await;
        let answer = answer.map_err(token_unavailable)?;
        if !answer.status.is_success() {
            return Err(classify(Operation::Token, &answer));
        }
        let token = answer.json().and_then(|token| parse_token(&token, requested_at));
        token.ok_or_else(|| token_unavailable("the token endpoint's response has no token"))
    }
}

/// Builds the token from the response. Its life is counted from the time of the request.
fn parse_token(answer: &TokenResponse, requested_at: Timestamp) -> Option<Token> {
    let text = format!("Bearer {}", answer.access_token.expose_secret());
    let mut header = HeaderValue::try_from(text).ok()?;
    header.set_sensitive(true);
    let life = SignedDuration::from_secs(answer.expires_in.into());
    Some(Token {
        bearer: Bearer(header),
        refresh_at: requested_at + life * 4 / 5,
        expires_at: requested_at + life,
    })
}

/// Error for a missing token. Without a token no call is sent, so the drive is unchanged.
fn token_unavailable(cause: impl Into<Cause>) -> DriveError {
    no_effect(FailureCode::DestinationUnavailable, cause)
}

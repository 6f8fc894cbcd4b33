//! Cache of the access token with which docferry calls Microsoft Graph. The token belongs to the
//! application, not to a user (OAuth 2.0 client credentials).

use docferry_app::ports::{Cause, Clock, CredentialsProvider, DriveError, Freshness};
use docferry_domain::failure::FailureCode;
use docferry_domain::upload::refusal::Operation;
use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::failure::{classify, no_effect};
use crate::path::segment;
use crate::response::GraphResponse;
use crate::settings::GraphSettings;

/// Time between a failed renewal of the token and the next renewal, while the old token is still
/// valid.
const PAUSE_AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(30);

/// Credentials with which docferry requests an access token.
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
    renew_at: Timestamp,
    expires_at: Timestamp,
}

/// Response of the token endpoint.
#[derive(Deserialize)]
struct TokenResponse {
    access_token: SecretString,
    expires_in: u32,
}

/// Cache of the access token. It renews the token when 80 % of the token's life are over.
///
/// The lock is held during a renewal, so concurrent callers wait for one renewal instead of
/// requesting tokens of their own.
pub(crate) struct Tokens<P> {
    http: reqwest::Client,
    /// URL of the token endpoint.
    url: String,
    /// Scope to request: all rights of the application for Graph.
    scope: String,
    /// Provider of the client secret.
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
    /// `rejected` is a token that Graph has just rejected. This function never returns it. If a
    /// concurrent call has already renewed the token, this function returns the renewed token and
    /// sends no request.
    pub(crate) async fn bearer(
        &self,
        clock: &impl Clock,
        rejected: Option<&Bearer>,
    ) -> Result<Bearer, DriveError> {
        let mut cached = self.cached.lock().await;
        cached.take_if(|token| Some(&token.bearer) == rejected);
        if let Some(token) = cached.as_ref().filter(|token| clock.now() < token.renew_at) {
            return Ok(token.bearer.clone());
        }
        match self.request_token(clock).await {
            Ok(token) => Ok(cached.insert(token).bearer.clone()),
            Err(error) => match cached.as_mut() {
                Some(token) if clock.now() < token.expires_at => {
                    token.renew_at = clock.now() + PAUSE_AFTER_FAILURE;
                    Ok(token.bearer.clone())
                }
                _ => Err(error),
            },
        }
    }

    /// Requests a new token. If the client secret is rejected, reads the secret again and repeats
    /// the request once.
    async fn request_token(&self, clock: &impl Clock) -> Result<Token, DriveError> {
        match self.request_token_with(Freshness::Cached, clock).await {
            // The client secret may have been changed since it was cached.
            Err(DriveError::Unauthorized { .. }) => {
                self.request_token_with(Freshness::Fresh, clock).await
            }
            result => result,
        }
    }

    /// Requests a token with the cached or the freshly read client secret.
    async fn request_token_with(
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
        let sent = self.http.post(&self.url).form(&form).send().await;
        let received = sent.map_err(|error| token_unavailable(error.without_url()))?;
        let response = GraphResponse::read(received.into(), requested_at).await;
        let response = response.map_err(token_unavailable)?;
        if !response.status.is_success() {
            return Err(classify(Operation::Token, &response));
        }
        let token = response.json().and_then(|body| parse_token(&body, requested_at));
        token.ok_or_else(|| token_unavailable("the token endpoint's response has no token"))
    }
}

/// Builds the token from a response of the token endpoint. The token's life is counted from the
/// time of the request.
fn parse_token(response: &TokenResponse, requested_at: Timestamp) -> Option<Token> {
    let text = format!("Bearer {}", response.access_token.expose_secret());
    let mut header = HeaderValue::try_from(text).ok()?;
    header.set_sensitive(true);
    let life = SignedDuration::from_secs(response.expires_in.into());
    Some(Token {
        bearer: Bearer(header),
        renew_at: requested_at + life * 4 / 5,
        expires_at: requested_at + life,
    })
}

/// Returns the error for a token that could not be obtained. Without a token, no call is sent to
/// Graph, so the drive is unchanged.
fn token_unavailable(cause: impl Into<Cause>) -> DriveError {
    no_effect(FailureCode::DestinationUnavailable, cause)
}

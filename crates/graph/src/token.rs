use docferry_app::ports::{Cause, Clock, CredentialsProvider, DriveError, Lookup};
use docferry_domain::FailureCode;
use docferry_domain::refusal::Operation;
use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::answer::Answer;
use crate::failure::{classify, not_done};
use crate::path::segment;
use crate::settings::GraphSettings;

/// A token is not asked for again sooner than this after the token endpoint
/// failed, while the old one is still good.
const PAUSE_AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(30);

/// What the app registration proves itself with.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// The application's id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
}

/// The `Authorization` header's value, marked as sensitive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bearer(HeaderValue);

impl Bearer {
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

struct Token {
    bearer: Bearer,
    refresh_at: Timestamp,
    expires_at: Timestamp,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: SecretString,
    expires_in: u32,
}

/// The token, kept and renewed at 80 % of its life. Behind the lock one request
/// is made and whoever else needs the token waits for its answer.
pub(crate) struct Tokens<P> {
    http: reqwest::Client,
    url: String,
    scope: String,
    provider: P,
    kept: Mutex<Option<Token>>,
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
            kept: Mutex::new(None),
        }
    }

    /// A token. `rejected` is one that Graph has just refused: it is not given
    /// again, unlike one that somebody else has renewed meanwhile.
    pub(crate) async fn bearer(
        &self,
        clock: &impl Clock,
        rejected: Option<&Bearer>,
    ) -> Result<Bearer, DriveError> {
        let mut kept = self.kept.lock().await;
        kept.take_if(|token| Some(&token.bearer) == rejected);
        if let Some(token) = kept.as_ref().filter(|token| clock.now() < token.refresh_at) {
            return Ok(token.bearer.clone());
        }
        match self.request(clock).await {
            Ok(token) => Ok(kept.insert(token).bearer.clone()),
            Err(error) => match kept.as_mut() {
                Some(token) if clock.now() < token.expires_at => {
                    token.refresh_at = clock.now() + PAUSE_AFTER_FAILURE;
                    Ok(token.bearer.clone())
                }
                _ => Err(error),
            },
        }
    }

    async fn request(&self, clock: &impl Clock) -> Result<Token, DriveError> {
        match self.request_with(Lookup::Cached, clock).await {
            // The secret may have been rotated since it was read.
            Err(DriveError::Unauthorized { .. }) => self.request_with(Lookup::Fresh, clock).await,
            result => result,
        }
    }

    async fn request_with(&self, lookup: Lookup, clock: &impl Clock) -> Result<Token, DriveError> {
        let credentials = self.provider.credentials(lookup).await;
        let credentials = credentials.map_err(lost)?;
        let form = [
            ("client_id", credentials.client_id.as_str()),
            ("client_secret", credentials.client_secret.expose_secret()),
            ("scope", &self.scope),
            ("grant_type", "client_credentials"),
        ];
        let asked_at = clock.now();
        let response = self.http.post(&self.url).form(&form).send().await;
        let response = response.map_err(|error| lost(error.without_url()))?;
        let answer = Answer::read(response.into(), asked_at).await;
        let answer = answer.map_err(lost)?;
        if !answer.status.is_success() {
            return Err(classify(Operation::Token, &answer));
        }
        let token = answer.json().and_then(|token| kept_from(&token, asked_at));
        token.ok_or_else(|| lost("the token endpoint's answer holds no token"))
    }
}

fn kept_from(answer: &TokenAnswer, asked_at: Timestamp) -> Option<Token> {
    let text = format!("Bearer {}", answer.access_token.expose_secret());
    let mut header = HeaderValue::try_from(text).ok()?;
    header.set_sensitive(true);
    let life = SignedDuration::from_secs(answer.expires_in.into());
    Some(Token {
        bearer: Bearer(header),
        refresh_at: asked_at + life * 4 / 5,
        expires_at: asked_at + life,
    })
}

/// Without a token no call is made, so nothing was done.
fn lost(cause: impl Into<Cause>) -> DriveError {
    not_done(FailureCode::DestinationUnavailable, cause)
}

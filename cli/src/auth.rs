//! Who the client says it is, and where its tokens come from.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{RequestBuilder, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use crate::client::{is_loopback, read, retry_after};
use crate::error::ClientError;
use crate::wire::Problem;

/// A token is renewed this long before its end, so that it lasts for the call.
const MARGIN: Duration = Duration::from_secs(60);
/// RFC 6749 lets an issuer keep silent about the lifetime.
const LIFETIME_UNKNOWN: Duration = Duration::from_secs(300);

/// Who calls. No `Debug` shows a password, token or secret.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// The service account, by HTTP Basic.
    Account {
        /// Its name.
        username: String,
        /// Its password.
        password: SecretString,
    },
    /// A bearer token that somebody else got. It is not renewed.
    Token(SecretString),
    /// A client that gets its tokens itself.
    Client(ClientCredentials),
}

/// The client credentials grant of OAuth 2.0 (RFC 6749, section 4.4).
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// The issuer's token endpoint: `https`, or `http` on a loopback address.
    pub token_url: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretString,
    /// Scopes to ask for, with spaces between; without them, what the issuer gives.
    pub scope: Option<String>,
}

/// Puts credentials on requests; the tokens of a client are got when needed and shared.
#[derive(Debug, Clone)]
pub(crate) enum Signer {
    Account { username: String, password: SecretString },
    Token(SecretString),
    Client(Arc<TokenSource>),
}

#[derive(Debug)]
pub(crate) struct TokenSource {
    http: reqwest::Client,
    url: Url,
    credentials: ClientCredentials,
    current: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    value: SecretString,
    until: Instant,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// RFC 6749, section 5.1.
#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
    expires_in: Option<u64>,
}

/// RFC 6749, section 5.2.
#[derive(Default, Deserialize)]
struct Refused {
    error: Option<String>,
    error_description: Option<String>,
}

impl Signer {
    /// # Errors
    /// [`ClientError::TokenUrl`] for a token endpoint that would give the secret away.
    pub(crate) fn new(
        credentials: Credentials,
        http: impl FnOnce(&Url) -> Result<reqwest::Client, ClientError>,
    ) -> Result<Self, ClientError> {
        Ok(match credentials {
            Credentials::Account { username, password } => Self::Account { username, password },
            Credentials::Token(token) => Self::Token(token),
            Credentials::Client(credentials) => {
                let url = parse(&credentials.token_url)?;
                let http = http(&url)?;
                Self::Client(Arc::new(TokenSource { http, url, credentials, current: None.into() }))
            }
        })
    }

    /// The request with credentials; `refused` is whether those of a try before were,
    /// which a new token may mend.
    ///
    /// # Errors
    /// What the token endpoint answers.
    pub(crate) async fn sign(
        &self,
        request: RequestBuilder,
        refused: bool,
    ) -> Result<RequestBuilder, ClientError> {
        Ok(match self {
            Self::Account { username, password } => {
                request.basic_auth(username, Some(password.expose_secret()))
            }
            Self::Token(token) => request.bearer_auth(token.expose_secret()),
            Self::Client(source) => {
                request.bearer_auth(source.token(refused).await?.expose_secret())
            }
        })
    }

    /// Whether other credentials can be had than those that were refused.
    pub(crate) fn can_renew(&self) -> bool {
        matches!(self, Self::Client(_))
    }
}

impl TokenSource {
    async fn token(&self, refused: bool) -> Result<SecretString, ClientError> {
        // Held while the issuer is asked: several calls at once need one token.
        let mut current = self.current.lock().await;
        let good = current.as_ref().filter(|token| !refused && Instant::now() < token.until);
        if let Some(token) = good {
            return Ok(token.value.clone());
        }
        let token = self.ask().await?;
        let value = token.value.clone();
        *current = Some(token);
        Ok(value)
    }

    async fn ask(&self) -> Result<Token, ClientError> {
        let ClientCredentials { client_id, client_secret, scope, .. } = &self.credentials;
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(scope.as_deref().map(|scope| ("scope", scope)));
        // The RFC wants both encoded before they are joined by a colon.
        let encoded = |text| url::form_urlencoded::byte_serialize(text).collect::<String>();
        let request = self
            .http
            .post(self.url.clone())
            .basic_auth(
                encoded(client_id.as_bytes()),
                Some(encoded(client_secret.expose_secret().as_bytes())),
            )
            .header(header::ACCEPT, "application/json")
            .form(&form);
        let asked = Instant::now();
        let response = request.send().await?;
        let (status, pause) = (response.status(), retry_after(response.headers()));
        let body = read(response).await?;
        if !status.is_success() {
            return Err(refusal(status, pause, serde_json::from_slice(&body).unwrap_or_default()));
        }
        let granted: Granted =
            serde_json::from_slice(&body).map_err(|_| ClientError::InvalidAnswer {
                status: status.as_u16(),
                reason: "the token endpoint sent no token".into(),
            })?;
        let lifetime = granted.expires_in.map_or(LIFETIME_UNKNOWN, Duration::from_secs);
        // A fifth of a short life; a token that lives for less than the margin is of use too.
        let until = asked + lifetime.saturating_sub(MARGIN.min(lifetime / 5));
        Ok(Token { value: granted.access_token, until })
    }
}

fn refusal(status: StatusCode, retry_after: Option<Duration>, refused: Refused) -> ClientError {
    let problem = Box::new(Problem {
        title: Some("the token endpoint gave no token".into()),
        detail: refused.error_description,
        code: refused.error,
        ..Problem::default()
    });
    let code = status.as_u16();
    match code {
        408 | 429 | 500..=599 => ClientError::Unavailable { status: code, retry_after, problem },
        _ => ClientError::Unauthorized { status: code, problem },
    }
}

fn parse(text: &str) -> Result<Url, ClientError> {
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
    fn a_secret_goes_over_tls_or_stays_on_the_machine() {
        for good in ["https://issuer.example/token", "http://127.0.0.1:1/t", "http://localhost/t"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in ["http://issuer.example/token", "ftp://x/", "token", "https://u:p@x/t"] {
            let error = parse(bad).unwrap_err();
            assert!(matches!(error, ClientError::TokenUrl { .. }), "{bad}");
            assert!(!error.to_string().contains("u:p"), "{error}");
        }
    }

    #[test]
    fn no_debug_output_shows_a_secret() {
        let client = ClientCredentials {
            token_url: "https://issuer.example/token".into(),
            client_id: "id".into(),
            client_secret: "hunter2".into(),
            scope: None,
        };
        let token = Token { value: "hunter2".into(), until: Instant::now() };
        for shown in [
            format!("{:?}", Credentials::Token("hunter2".into())),
            format!("{:?}", Credentials::Client(client)),
            format!("{token:?}"),
        ] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}

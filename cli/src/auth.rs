//! Credentials of the client: a service account, a bearer token or an OAuth client. The [`Signer`]
//! adds them to requests.

use std::sync::Arc;

use reqwest::RequestBuilder;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::error::ClientError;
use crate::token_source::{ClientCredentials, TokenSource, TokenUse};

/// Credentials of the caller. `Debug` output shows no password, token or secret.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// The service account, with HTTP Basic authentication.
    Account {
        /// Name of the account.
        username: String,
        /// Password of the account.
        password: SecretString,
    },
    /// A bearer token. It is not renewed.
    Token(SecretString),
    /// An OAuth client, which requests its own tokens.
    Client(ClientCredentials),
}

/// Adds credentials to requests. It has the same variants as [`Credentials`], but an OAuth client
/// has become a source of tokens. All clones share the source and its current token.
#[derive(Debug, Clone)]
pub(crate) enum Signer {
    Account { username: String, password: SecretString },
    Token(SecretString),
    Client(Arc<TokenSource>),
}

impl Signer {
    /// Creates a signer. `build_http` creates the HTTP client for an OAuth client's token endpoint.
    ///
    /// # Errors
    /// [`ClientError::TokenUrl`] when the token endpoint does not use TLS, because the
    /// secret would be sent in clear text.
    pub(crate) fn new(
        credentials: Credentials,
        build_http: impl FnOnce(&Url) -> Result<reqwest::Client, ClientError>,
    ) -> Result<Self, ClientError> {
        Ok(match credentials {
            Credentials::Account { username, password } => Self::Account { username, password },
            Credentials::Token(token) => Self::Token(token),
            Credentials::Client(credentials) => {
                Self::Client(Arc::new(TokenSource::new(credentials, build_http)?))
            }
        })
    }

    /// Adds credentials to the request.
    ///
    /// # Errors
    /// A [`ClientError`] when a new token is needed and the token endpoint issues none.
    pub(crate) async fn sign(
        &self,
        request: RequestBuilder,
        token_use: TokenUse,
    ) -> Result<RequestBuilder, ClientError> {
        Ok(match self {
            Self::Account { username, password } => {
                request.basic_auth(username, Some(password.expose_secret()))
            }
            Self::Token(token) => request.bearer_auth(token.expose_secret()),
            Self::Client(source) => {
                request.bearer_auth(source.token(token_use).await?.expose_secret())
            }
        })
    }

    /// Returns whether a new token can be requested after the service refused the current one.
    pub(crate) fn can_renew(&self) -> bool {
        matches!(self, Self::Client(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_of_credentials_shows_no_secret() {
        let client = ClientCredentials {
            token_url: "https://issuer.example/token".into(),
            client_id: "id".into(),
            client_secret: "hunter2".into(),
            scope: None,
        };
        for shown in [
            format!("{:?}", Credentials::Token("hunter2".into())),
            format!("{:?}", Credentials::Client(client)),
        ] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}

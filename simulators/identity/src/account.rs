//! Clients and users of the OpenID Connect provider simulator, and the rights in their tokens.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Claims about the rights of a client or user.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rights {
    /// Scopes that are granted on request, in the claim `scope`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Claim `client_roles`, as Keycloak can be configured to write it; `None` omits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_roles: Option<Vec<String>>,
    /// Claim `roles`, as Entra writes it; `None` omits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// Claim `oid`, as Entra writes it; `None` omits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oid: Option<String>,
}

/// An OAuth client.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    /// Client id, also the subject of the tokens that the client gets for itself.
    pub client_id: String,
    /// Client secret; `None` makes a public client, which can only request tokens for users.
    #[serde(default, skip_serializing)]
    pub client_secret: Option<String>,
    /// Permitted redirect URIs.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Rights in the client's own tokens. They also limit the scopes of a user's token for this
    /// client.
    #[serde(flatten)]
    pub rights: Rights,
}

/// Omits the client secret.
impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// A person who can sign in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Login name, also the claim `preferred_username`.
    pub login: String,
    /// Subject; generated if absent.
    #[serde(default = "new_subject")]
    pub sub: String,
    /// Claim `email`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Rights in the person's tokens.
    #[serde(flatten)]
    pub rights: Rights,
}

impl User {
    /// Creates a user with a new subject and no rights.
    #[must_use]
    pub fn new(login: impl Into<String>) -> Self {
        Self { login: login.into(), sub: new_subject(), email: None, rights: Rights::default() }
    }
}

fn new_subject() -> String {
    Uuid::new_v4().to_string()
}

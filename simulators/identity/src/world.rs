//! Everything the simulated provider knows.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use aws_lc_rs::error::Unspecified;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sim_kit::Stage;
use uuid::Uuid;

use crate::{
    Config,
    keys::{Algorithm, Key},
};

/// The operations that rules may name.
pub(crate) const OPERATIONS: [&str; 4] = ["discovery", "jwks", "authorize", "token"];

/// A rule has no fields that only this simulator knows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extra {}

pub(crate) type Rule = sim_kit::Rule<Extra>;

/// What tokens say of a client or a user besides who it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rights {
    /// In `scope`, if asked for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// In `client_roles`, as Keycloak can be told to write it; none = no such claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_roles: Option<Vec<String>>,
    /// In `roles`, as Entra writes it; none = no such claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// In `oid`, as Entra writes it; none = no such claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oid: Option<String>,
}

/// A program that asks for tokens.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    /// Its id, which is also the subject of tokens that it gets for itself.
    pub client_id: String,
    /// Its secret; none = a public client, which can only have users sign in.
    #[serde(default, skip_serializing)]
    pub client_secret: Option<String>,
    /// Where users may be sent back to.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// What its own tokens say, and the most that a user's token by it says.
    #[serde(flatten)]
    pub rights: Rights,
}

/// Without the secret.
impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// A person.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// What the person is called at sign-in, and the claim `preferred_username`.
    pub login: String,
    /// The subject; made up when none is given.
    #[serde(default = "made_up")]
    pub sub: String,
    /// The claim `email`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What the person's tokens say.
    #[serde(flatten)]
    pub rights: Rights,
}

impl User {
    /// Somebody of that name, with a subject of its own and no rights.
    #[must_use]
    pub fn new(login: impl Into<String>) -> Self {
        Self { login: login.into(), sub: made_up(), email: None, rights: Rights::default() }
    }
}

fn made_up() -> String {
    Uuid::new_v4().to_string()
}

/// An authorization that was given and not used yet.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) nonce: Option<String>,
    pub(crate) scope: String,
    pub(crate) user: User,
    pub(crate) until: Timestamp,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) clients: BTreeMap<String, Client>,
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) grants: HashMap<String, Grant>,
    /// One for each algorithm.
    pub(crate) keys: Vec<Arc<Key>>,
    /// No token is signed with these any more; they still stand in the document.
    pub(crate) retired: Vec<Arc<Key>>,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) stage: Arc<Stage<Extra>>,
    /// In no document.
    pub(crate) foreign: [Arc<Key>; 2],
    issuer: OnceLock<String>,
    state: Mutex<State>,
}

impl World {
    pub(crate) fn new(config: Config) -> Result<Self, Unspecified> {
        let pair = || -> Result<[Arc<Key>; 2], Unspecified> {
            Ok([
                Arc::new(Key::generate(Algorithm::Rs256)?),
                Arc::new(Key::generate(Algorithm::Es256)?),
            ])
        };
        let by_id = |client: &Client| (client.client_id.clone(), client.clone());
        let by_login = |user: &User| (user.login.clone(), user.clone());
        let state = State {
            clients: config.clients.iter().map(by_id).collect(),
            users: config.users.iter().map(by_login).collect(),
            grants: HashMap::new(),
            keys: pair()?.into(),
            retired: Vec::new(),
        };
        Ok(Self {
            config,
            stage: Arc::new(Stage::new(&OPERATIONS)),
            foreign: pair()?,
            issuer: OnceLock::new(),
            state: Mutex::new(state),
        })
    }

    pub(crate) fn set_issuer(&self, url: &str) {
        // Once: a world is served once.
        let _first = self.issuer.set(url.to_owned());
    }

    pub(crate) fn issuer(&self) -> &str {
        self.issuer.get().map_or("", String::as_str)
    }

    /// Never held across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key that tokens are signed with by this algorithm.
    pub(crate) fn key(&self, algorithm: Algorithm) -> Option<Arc<Key>> {
        of(&self.state().keys, algorithm)
    }

    pub(crate) fn foreign_key(&self, algorithm: Algorithm) -> Option<Arc<Key>> {
        of(&self.foreign, algorithm)
    }
}

fn of(keys: &[Arc<Key>], algorithm: Algorithm) -> Option<Arc<Key>> {
    keys.iter().find(|key| key.algorithm() == algorithm).cloned()
}

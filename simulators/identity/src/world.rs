//! State of the OpenID Connect provider simulator. All request handlers share a [`World`]. It
//! contains clients, users, keys and authorization codes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use aws_lc_rs::error::Unspecified;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sim_kit::Stage;

use crate::{
    account::{Client, User},
    config::Config,
    keys::{Algorithm, Key},
};

/// Names of the operations to which a fault rule can apply.
pub(crate) const OPERATIONS: [&str; 4] = ["discovery", "jwks", "authorize", "token"];

/// Faults that only this simulator has. There are none, but a fault rule needs the type.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentityFaults {}

/// A fault rule of this simulator: makes chosen requests fail.
pub(crate) type Rule = sim_kit::Rule<IdentityFaults>;

/// An authorization code that has not been exchanged yet.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    /// Code challenge of PKCE: the SHA-256 of the code verifier in unpadded base64url.
    pub(crate) challenge: String,
    /// Value that the client wants to find in the ID token.
    pub(crate) nonce: Option<String>,
    pub(crate) scope: String,
    pub(crate) user: User,
    /// Time at which the code expires.
    pub(crate) expires_at: Timestamp,
}

/// State that requests change.
#[derive(Debug)]
pub(crate) struct State {
    /// Clients by their ids.
    pub(crate) clients: BTreeMap<String, Client>,
    /// Users by their logins.
    pub(crate) users: BTreeMap<String, User>,
    /// Grants by their authorization codes.
    pub(crate) grants: HashMap<String, Grant>,
    /// Signing keys, one per algorithm.
    pub(crate) keys: Vec<Arc<Key>>,
    /// Replaced keys that the provider still publishes in its key set document.
    pub(crate) retired: Vec<Arc<Key>>,
}

/// The simulated provider.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    /// Fault rules, latency and the request log.
    pub(crate) stage: Arc<Stage<IdentityFaults>>,
    /// Keys that the provider does not publish, one for each algorithm. Tests sign invalid tokens
    /// with them.
    pub(crate) foreign: [Arc<Key>; 2],
    issuer: OnceLock<String>,
    state: Mutex<State>,
}

impl World {
    pub(crate) fn new(config: Config) -> Result<Self, Unspecified> {
        let generate_keys = || -> Result<[Arc<Key>; 2], Unspecified> {
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
            keys: generate_keys()?.into(),
            retired: Vec::new(),
        };
        Ok(Self {
            config,
            stage: Arc::new(Stage::new(&OPERATIONS)),
            foreign: generate_keys()?,
            issuer: OnceLock::new(),
            state: Mutex::new(state),
        })
    }

    pub(crate) fn set_issuer(&self, url: &str) {
        // The issuer is set only once, because a world is served only once.
        let _result = self.issuer.set(url.to_owned());
    }

    pub(crate) fn issuer(&self) -> &str {
        self.issuer.get().map_or("", String::as_str)
    }

    /// Locks the state. The guard must never be held across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the current signing key of this algorithm.
    pub(crate) fn key(&self, algorithm: Algorithm) -> Option<Arc<Key>> {
        find_key(&self.state().keys, algorithm)
    }

    pub(crate) fn foreign_key(&self, algorithm: Algorithm) -> Option<Arc<Key>> {
        find_key(&self.foreign, algorithm)
    }
}

fn find_key(keys: &[Arc<Key>], algorithm: Algorithm) -> Option<Arc<Key>> {
    keys.iter().find(|key| key.algorithm() == algorithm).cloned()
}

//! State of the simulated provider.

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

/// Operations that rules may name.
pub(crate) const OPERATIONS: [&str; 4] = ["discovery", "jwks", "authorize", "token"];

/// This simulator's rules have no additional fields.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extra {}

pub(crate) type Rule = sim_kit::Rule<Extra>;

/// An authorization code that has not been exchanged yet.
#[derive(Debug)]
pub(crate) struct Grant {
    /// Code challenge of PKCE: unpadded base64url of the verifier's SHA-256.
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) nonce: Option<String>,
    pub(crate) scope: String,
    pub(crate) user: User,
    /// Expiration of the code.
    pub(crate) until: Timestamp,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) clients: BTreeMap<String, Client>,
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) grants: HashMap<String, Grant>,
    /// Signing keys, one per algorithm.
    pub(crate) keys: Vec<Arc<Key>>,
    /// Replaced keys that are still in the key set document.
    pub(crate) retired: Vec<Arc<Key>>,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) stage: Arc<Stage<Extra>>,
    /// Keys that are in no key set document, one per algorithm.
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
        // Set once, because a world is served only once.
        let _first = self.issuer.set(url.to_owned());
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

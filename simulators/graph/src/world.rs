//! State of the simulated service, and the reception of request bodies.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::body::Body;
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use sim_kit::{Call, Stage};

use crate::{
    config::Config,
    content::Draft,
    drive::{Tree, User},
    error::GraphError,
    session::Session,
};

/// Operations that rules may name.
pub(crate) const OPERATIONS: [&str; 15] = [
    "token",
    "getUser",
    "getDrive",
    "createSession",
    "fragment",
    "lastFragment",
    "sessionStatus",
    "deleteSession",
    "simplePut",
    "getItem",
    "deleteItem",
    "getContent",
    "download",
    "listChildren",
    "changeItem",
];

/// Fields of a rule that only the Graph simulator has.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Extra {
    /// The completed item reports a wrong quickXorHash, now and later.
    pub(crate) corrupt_hash: bool,
    /// This response contains no hash.
    pub(crate) no_hash: bool,
    /// The file is completed but the response is an empty object.
    pub(crate) no_item: bool,
    /// `nextExpectedRanges` of this response is empty.
    pub(crate) empty_ranges: bool,
    /// The session no longer exists from now on.
    pub(crate) expire_session: bool,
    /// Acknowledged bytes are lost afterwards, including those of a last fragment. The file is not
    /// completed, and the status reports `0-`.
    pub(crate) forget_bytes: bool,
    /// The connection is reset after this fraction (0 to 1) of a fragment's body.
    pub(crate) reset_after: Option<f64>,
    /// The service edits the metadata of the completed file.
    pub(crate) rewrite: bool,
}

pub(crate) type Rule = sim_kit::Rule<Extra>;

/// Traffic to one destination path, over all its sessions.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic {
    /// Received body bytes, including those of failed requests.
    pub(crate) received: u64,
    /// Number of sessions opened.
    pub(crate) sessions: u64,
    /// Number of fragment requests with well-formed headers.
    pub(crate) fragments: u64,
    /// Length of the largest fragment in bytes.
    pub(crate) largest: u64,
}

/// A destination: the user's UPN and the path in lower case.
pub(crate) type Destination = (String, String);

pub(crate) fn destination(user: &User, path: &[String]) -> Destination {
    (user.upn.clone(), path.join("/").to_lowercase())
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) tree: Tree,
    pub(crate) sessions: HashMap<String, Session>,
    pub(crate) traffic: HashMap<Destination, Traffic>,
    /// Access tokens with their expiration.
    pub(crate) tokens: HashMap<String, Instant>,
    /// Idle lifetime of new sessions.
    pub(crate) session_lifetime: Duration,
}

impl State {
    pub(crate) fn traffic(&mut self, destination: &Destination) -> &mut Traffic {
        self.traffic.entry(destination.clone()).or_default()
    }
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) url: String,
    dir: PathBuf,
    pub(crate) stage: Arc<Stage<Extra>>,
    state: Mutex<State>,
}

impl World {
    pub(crate) fn new(config: Config, url: String, dir: PathBuf) -> Self {
        let mut state = State { session_lifetime: config.session_lifetime, ..State::default() };
        for upn in &config.users {
            state.tree.put_user(upn, None, None);
        }
        let stage = Arc::new(Stage::new(&OPERATIONS));
        Self { config, url, dir, stage, state: Mutex::new(state) }
    }

    /// Returns the directory for received bytes, or `None` if they are not stored.
    pub(crate) fn storage_dir(&self) -> Option<&Path> {
        (!self.config.forget_bytes).then_some(self.dir.as_path())
    }

    /// Locks the state. The guard must never be held across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a request's body to its end, even if the request will be rejected. Otherwise a client
    /// that is still sending would see a reset instead of the response.
    ///
    /// Bytes are counted as they arrive, so that those of a broken request count too.
    pub(crate) async fn receive(
        &self,
        body: Body,
        call: &mut Call,
        subject: &str,
        mut draft: Option<&mut Draft>,
        count: impl Fn(&mut State, u64),
    ) -> Result<(), ReceiveError> {
        let mut line = self.stage.shaper.line(subject);
        let mut body = body;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| ReceiveError::Broken)?;
            let Ok(bytes) = frame.into_data() else {
                continue;
            };
            call.count(bytes.len());
            count(&mut self.state(), bytes.len() as u64);
            if let Some(draft) = draft.as_deref_mut() {
                draft.push(&bytes).map_err(|error| ReceiveError::Disk(error.into()))?;
            }
            line.pass(bytes.len()).await;
        }
        Ok(())
    }
}

pub(crate) enum ReceiveError {
    /// The client closed the connection, or a rule broke it.
    Broken,
    /// The bytes could not be written to disk.
    Disk(GraphError),
}

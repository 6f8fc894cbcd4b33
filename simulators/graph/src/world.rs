//! Everything the simulated service knows.

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
    Config,
    content::Draft,
    drive::{Tree, User},
    error::GraphError,
    session::Session,
};

/// The operations that rules may name.
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

/// The fields of a rule that only Graph knows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Extra {
    /// The completed item reports a wrong quickXorHash, now and later.
    pub(crate) corrupt_hash: bool,
    /// This answer carries no hash.
    pub(crate) no_hash: bool,
    /// The file is complete but the answer is an empty object.
    pub(crate) no_item: bool,
    /// This answer's `nextExpectedRanges` is empty.
    pub(crate) empty_ranges: bool,
    /// The session is gone from now on.
    pub(crate) expire_session: bool,
    /// What is acknowledged is lost afterwards, the last fragment's bytes too: the file is
    /// not completed, and the status says `0-`.
    pub(crate) forget_bytes: bool,
    /// The connection is reset when this part of a fragment's body has come.
    pub(crate) reset_after: Option<f64>,
    /// The service edits the metadata of the completed file.
    pub(crate) rewrite: bool,
}

pub(crate) type Rule = sim_kit::Rule<Extra>;

/// What was sent to one destination path, over all sessions.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic {
    pub(crate) received: u64,
    pub(crate) sessions: u64,
    pub(crate) fragments: u64,
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
    pub(crate) tokens: HashMap<String, Instant>,
    /// How long a new session lives without a call.
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

    /// Where received bytes go, if they are kept.
    pub(crate) fn place_for_bytes(&self) -> Option<&Path> {
        (!self.config.forget_bytes).then_some(self.dir.as_path())
    }

    /// Never held across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a request's body to its end, whatever becomes of it: a client that is
    /// still sending would see a reset instead of the answer.
    ///
    /// Bytes count as they come, so that those of a broken request count too.
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
    /// The client went away.
    Broken,
    Disk(GraphError),
}

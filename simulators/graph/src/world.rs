//! State of the Microsoft Graph simulator, and the reception of request bodies.
//!
//! All request handlers share one [`World`]. It contains the configuration, the fault rules, which
//! make chosen requests fail, and the mutable [`State`]: users, files, upload sessions and access
//! tokens.

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
    config::Config, content::Draft, destination::Destination, drive::Tree, error::GraphError,
    session::Session,
};

/// Names of the operations to which a fault rule can apply.
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

/// Faults that only the Graph simulator has. A fault rule contains these fields and the fields that
/// the rules of all simulators have.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct GraphFaults {
    /// From this response on, the completed item has a wrong quickXorHash.
    pub(crate) corrupt_hash: bool,
    /// This response contains no hash.
    pub(crate) no_hash: bool,
    /// The file is completed, but the response is an empty object.
    pub(crate) no_item: bool,
    /// The list `nextExpectedRanges` in this response is empty.
    pub(crate) empty_ranges: bool,
    /// The session expires before the request is handled.
    pub(crate) expire_session: bool,
    /// After this response, the service loses all bytes of the session. This includes the bytes of
    /// the last fragment, so the file is not completed and the session expects the range `0-`.
    pub(crate) forget_bytes: bool,
    /// The connection is reset after this fraction (0 to 1) of a fragment's body.
    pub(crate) reset_after: Option<f64>,
    /// The service edits the metadata of the completed file.
    pub(crate) rewrite: bool,
}

/// States whether the JSON of an item contains the hash of the file. The real service adds the hash
/// some time after the upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HashField {
    Present,
    Absent,
}

impl GraphFaults {
    /// Returns whether the response contains the hash of the file.
    pub(crate) fn hash_field(&self) -> HashField {
        if self.no_hash { HashField::Absent } else { HashField::Present }
    }
}

/// A fault rule of the Graph simulator: makes chosen requests fail.
pub(crate) type Rule = sim_kit::Rule<GraphFaults>;

/// Traffic to one destination path, summed over all its sessions.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic {
    /// Received body bytes, including those of failed requests.
    pub(crate) received_bytes: u64,
    /// Number of sessions opened.
    pub(crate) sessions: u64,
    /// Number of fragment requests with well-formed headers.
    pub(crate) fragments: u64,
    /// Length of the largest fragment in bytes.
    pub(crate) largest_fragment: u64,
}

/// State of the simulator that requests change.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) tree: Tree,
    pub(crate) sessions: HashMap<String, Session>,
    pub(crate) traffic: HashMap<Destination, Traffic>,
    /// Access tokens with their expiration.
    pub(crate) tokens: HashMap<String, Instant>,
    /// Time without activity after which a new session expires.
    pub(crate) session_lifetime: Duration,
}

impl State {
    /// Returns the traffic counters of a destination. Creates the counters if the destination has
    /// none.
    pub(crate) fn traffic(&mut self, destination: &Destination) -> &mut Traffic {
        self.traffic.entry(destination.clone()).or_default()
    }
}

/// The simulated service.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    /// Base URL of the simulator, without a trailing slash.
    pub(crate) url: String,
    /// Directory for received bytes.
    dir: PathBuf,
    /// Fault rules, bandwidth limits and the request log.
    pub(crate) stage: Arc<Stage<GraphFaults>>,
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

    /// Reads the body of a request to its end. If there is a draft, adds the bytes to it.
    ///
    /// Callers pass no draft for a request that they will reject. The body is read even then,
    /// because the client would otherwise see a reset connection instead of the response.
    ///
    /// Calls `count_bytes` for each piece when it arrives. So the bytes of a broken request are
    /// counted too.
    pub(crate) async fn receive(
        &self,
        body: Body,
        call: &mut Call,
        subject: &str,
        mut draft: Option<&mut Draft>,
        count_bytes: impl Fn(&mut State, u64),
    ) -> Result<(), ReceiveError> {
        let mut line = self.stage.shaper.line(subject);
        let mut body = body;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| ReceiveError::Broken)?;
            let Ok(bytes) = frame.into_data() else {
                continue;
            };
            call.count(bytes.len());
            count_bytes(&mut self.state(), bytes.len() as u64);
            if let Some(draft) = draft.as_deref_mut() {
                draft.push(&bytes).map_err(|error| ReceiveError::Disk(error.into()))?;
            }
            line.pass(bytes.len()).await;
        }
        Ok(())
    }
}

/// Reason why the body of a request was not received completely.
pub(crate) enum ReceiveError {
    /// The client closed the connection, or a rule broke it.
    Broken,
    /// The bytes could not be written to disk.
    Disk(GraphError),
}

//! State of the ORDS simulator, the simulated document source. A [`World`] contains the documents
//! and their copies on the simulated NFS. All request handlers and the mover share it.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sim_kit::Stage;
use tokio::sync::mpsc::UnboundedSender;

use crate::{config::Config, source::Source};

/// Names of the operations to which a fault rule can apply.
pub(crate) const OPERATIONS: [&str; 3] = ["push", "ping", "move"];

/// Faults that only the ORDS simulator has. They are fields of a fault rule, which makes chosen
/// requests fail.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct OrdsFaults {
    /// The mover never moves the file to the bucket.
    pub(crate) never: bool,
    /// Wrong `sizeval` in the response to a push.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sizeval: Option<String>,
    /// Wrong `filename` in the response to a push.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) filename: Option<String>,
}

/// A fault rule of the ORDS simulator.
pub(crate) type Rule = sim_kit::Rule<OrdsFaults>;

/// Behavior of a push of this document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    #[default]
    Normal,
    /// Responds with status 200 and an error text, and pushes nothing.
    ErrorText,
}

/// A document of the object store.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) filename: String,
    pub(crate) mimetype: String,
    /// Object key in the exchange bucket, if it differs from the filename.
    pub(crate) key: Option<String>,
    /// Size that a push reports, if it differs from the real one.
    pub(crate) sizeval: Option<String>,
    pub(crate) mode: Mode,
    /// Delay before the move, if it differs from the configured one.
    pub(crate) mover_delay: Option<Duration>,
    /// Content of the document.
    pub(crate) source: Arc<Source>,
    pub(crate) sha256: String,
    /// Number of pushes so far.
    pub(crate) pushes: u64,
    /// Number of completed moves so far.
    pub(crate) moves: u64,
}

/// A file on the simulated NFS.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NfsFile {
    #[serde(skip)]
    pub(crate) id: u64,
    /// GUID of the document.
    pub(crate) guid: String,
    /// Object key in the exchange bucket.
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) pushed_at: String,
    /// Error of the latest try to move the file.
    pub(crate) last_error: Option<String>,
    /// Whether a rule prevents the move.
    pub(crate) never: bool,
}

/// Instruction for the mover to move one file.
#[derive(Debug)]
pub(crate) struct Move {
    pub(crate) file: NfsFile,
    /// GUID and filename of the document, by which fault rules select a move.
    pub(crate) subject: String,
    pub(crate) mimetype: String,
    /// Content of the file.
    pub(crate) source: Arc<Source>,
    /// Delay before the move.
    pub(crate) delay: Duration,
    /// Fault rule for the move.
    pub(crate) rule: Option<Rule>,
}

/// State that requests and the mover change.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) documents: BTreeMap<String, Document>,
    pub(crate) nfs: Vec<NfsFile>,
    /// Id of the newest file on the NFS.
    pub(crate) last_id: u64,
}

/// The simulated service.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    /// Directory for the contents of documents.
    pub(crate) dir: PathBuf,
    /// Fault rules, bandwidth limits and the request log.
    pub(crate) stage: Arc<Stage<OrdsFaults>>,
    /// Sends files to the mover.
    pub(crate) mover: UnboundedSender<Move>,
    state: Mutex<State>,
}

impl World {
    pub(crate) fn new(config: Config, dir: PathBuf, mover: UnboundedSender<Move>) -> Self {
        let stage = Arc::new(Stage::new(&OPERATIONS));
        Self { config, dir, stage, mover, state: Mutex::default() }
    }

    /// Locks the state. The guard must never be held across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

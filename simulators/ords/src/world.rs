//! State of the ORDS simulator, which stands for the document source: documents, and their copies
//! on the simulated NFS.

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

/// Faults that only the ORDS simulator has. They are fields of a fault rule.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct OrdsFaults {
    /// The object is never moved to the bucket.
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
    pub(crate) guid: String,
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) pushed_at: String,
    /// Error of the latest failed move.
    pub(crate) last_error: Option<String>,
    /// Whether a rule prevents the move.
    pub(crate) never: bool,
}

/// Order for the mover to move one file.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) file: NfsFile,
    pub(crate) subject: String,
    pub(crate) mimetype: String,
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
    pub(crate) dir: PathBuf,
    pub(crate) stage: Arc<Stage<OrdsFaults>>,
    pub(crate) mover: UnboundedSender<Job>,
    state: Mutex<State>,
}

impl World {
    pub(crate) fn new(config: Config, dir: PathBuf, mover: UnboundedSender<Job>) -> Self {
        let stage = Arc::new(Stage::new(&OPERATIONS));
        Self { config, dir, stage, mover, state: Mutex::default() }
    }

    /// Locks the state. The guard must never be held across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

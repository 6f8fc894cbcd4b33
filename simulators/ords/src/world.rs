//! Everything the simulated document source knows.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sim_kit::Stage;
use tokio::sync::mpsc::UnboundedSender;

use crate::{Config, source::Source};

/// The operations that rules may name.
pub(crate) const OPERATIONS: [&str; 3] = ["push", "ping", "move"];

/// The fields of a rule that only ORDS knows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Extra {
    /// The moved object never comes.
    pub(crate) never: bool,
    /// What the push answers as `sizeval`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sizeval: Option<String>,
    /// What the push answers as `filename`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) filename: Option<String>,
}

pub(crate) type Rule = sim_kit::Rule<Extra>;

/// How a push of a document answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    #[default]
    Normal,
    /// 200 with an error text, and nothing is pushed.
    ErrorText,
}

#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) filename: String,
    pub(crate) mimetype: String,
    /// The object's key, where it differs from the filename.
    pub(crate) key: Option<String>,
    /// What is claimed as size, where that is a lie.
    pub(crate) sizeval: Option<String>,
    pub(crate) mode: Mode,
    pub(crate) mover_delay: Option<Duration>,
    pub(crate) source: Arc<Source>,
    pub(crate) sha256: String,
    pub(crate) pushes: u64,
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
    /// Why the last try to move it failed.
    pub(crate) last_error: Option<String>,
    /// A rule says that it is never moved.
    pub(crate) never: bool,
}

/// A file for the mover.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) file: NfsFile,
    pub(crate) subject: String,
    pub(crate) mimetype: String,
    pub(crate) source: Arc<Source>,
    pub(crate) delay: Duration,
    pub(crate) rule: Option<Rule>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) documents: BTreeMap<String, Document>,
    pub(crate) nfs: Vec<NfsFile>,
    pub(crate) last_id: u64,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) dir: PathBuf,
    pub(crate) stage: Arc<Stage<Extra>>,
    pub(crate) mover: UnboundedSender<Job>,
    state: Mutex<State>,
}

impl World {
    pub(crate) fn new(config: Config, dir: PathBuf, mover: UnboundedSender<Job>) -> Self {
        let stage = Arc::new(Stage::new(&OPERATIONS));
        Self { config, dir, stage, mover, state: Mutex::default() }
    }

    /// Never held across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

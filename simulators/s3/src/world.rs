//! State of the S3 simulator: its objects and fault rules.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use sim_kit::Stage;

use crate::{config::Config, object::Object};

/// Operations that rules may name.
pub(crate) const OPERATIONS: [&str; 5] =
    ["headBucket", "listObjects", "headObject", "getObject", "deleteObject"];

/// Fields of a rule that only the S3 simulator has.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct S3Faults {
    /// The connection breaks after this fraction (0 to 1) of a body has been sent.
    pub(crate) break_after: Option<f64>,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) stage: Arc<Stage<S3Faults>>,
    objects: Mutex<BTreeMap<String, Object>>,
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, stage: Arc::new(Stage::new(&OPERATIONS)), objects: Mutex::default() }
    }

    /// Locks the objects. The guard must never be held across an await.
    pub(crate) fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Object>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

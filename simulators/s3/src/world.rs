//! State of the S3 simulator: its objects, unfinished uploads, counters and fault rules.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use sim_kit::{Rule, Stage};

use crate::{config::Config, multipart::Uploads, object::Object, operation, traffic::Traffic};

/// Fields of a rule that only the S3 simulator has.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct S3Faults {
    /// The connection breaks after this fraction (0 to 1) of a body has been sent.
    pub(crate) break_after: Option<f64>,
    /// Error code that is sent in a document with status 200. The operation is not carried out,
    /// except with `storeFraction: 1`.
    pub(crate) ok_with_error: Option<String>,
    /// Number of spaces before that document, as S3 sends them while it works.
    pub(crate) spaces: usize,
}

/// Returns whether a rule lets an operation be carried out.
pub(crate) fn runs_operation(rule: &Rule<S3Faults>) -> bool {
    match (rule.store_fraction, &rule.service_faults.ok_with_error) {
        (None, Some(_)) => false,
        _ => rule.runs_operation(),
    }
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) stage: Arc<Stage<S3Faults>>,
    pub(crate) traffic: Traffic,
    objects: Mutex<BTreeMap<String, Object>>,
    uploads: Mutex<Uploads>,
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            stage: Arc::new(Stage::new(&operation::NAMES)),
            traffic: Traffic::default(),
            objects: Mutex::default(),
            uploads: Mutex::default(),
        }
    }

    /// Locks the objects. The guard must never be held across an await.
    pub(crate) fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Object>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the unfinished uploads. A function that locks the objects too must lock the uploads
    /// first. The guard must never be held across an await.
    pub(crate) fn uploads(&self) -> MutexGuard<'_, Uploads> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

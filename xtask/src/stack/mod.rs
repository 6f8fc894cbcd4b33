//! The whole service on a local cloud, from nothing to ready.

mod settings;
mod up;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::deploy::KeyPair;

pub(crate) use settings::{Secrets, Settings, values_by_name};
pub(crate) use up::{Folder, Up, Written, up};

/// Where everything is and how to get in; what `target/demo.json` holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stack {
    /// Base URL of the API, with the stage.
    pub(crate) api: String,
    pub(crate) scv: Login,
    pub(crate) ords: Service,
    pub(crate) graph: Service,
    /// Where tokens come from, and a client that may have some.
    pub(crate) oidc: Oidc,
    /// The simulated identity provider, which is behind that.
    pub(crate) identity: Service,
    pub(crate) exchange: Exchange,
    /// Endpoint of the emulator; its root is the key pair test/test.
    pub(crate) emulator: String,
    /// Users of the simulated Graph, each with a OneDrive.
    pub(crate) users: Vec<String>,
    pub(crate) region: String,
    pub(crate) state_machine_arn: String,
    pub(crate) table: String,
    /// URL of the audit trail's queue.
    pub(crate) audit_queue_url: String,
    /// URL of the queue of webhooks that no receiver took.
    pub(crate) webhook_dead_letter_queue_url: String,
    /// What webhooks are signed with.
    pub(crate) webhook_secret: String,
    pub(crate) delivery_bucket: String,
    pub(crate) documents_table: String,
    /// Names of the deployed functions, by what they are called in the source.
    pub(crate) functions: BTreeMap<String, String>,
    /// The emulator's process, when it is ours.
    pub(crate) emulator_pid: Option<u32>,
    /// The log files of this run, by program.
    pub(crate) logs: BTreeMap<String, PathBuf>,
    /// What must never be seen in a log, a history or an error.
    pub(crate) secrets: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) password: String,
}

/// A simulator.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Service {
    pub(crate) url: String,
    pub(crate) admin: String,
}

/// An issuer of tokens that the API accepts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Oidc {
    pub(crate) issuer: String,
    pub(crate) token_url: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exchange {
    pub(crate) endpoint: String,
    pub(crate) bucket: String,
    #[serde(flatten)]
    pub(crate) key: KeyPair,
}

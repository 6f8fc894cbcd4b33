//! Addresses and credentials of a running local stack, which are written to a JSON file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::deploy::KeyPair;

/// Addresses and credentials of a running local stack. The file `target/demo.json` contains them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stack {
    /// Base URL of the API, with the stage.
    pub(crate) api: String,
    pub(crate) scv: Login,
    pub(crate) ords: Service,
    pub(crate) graph: Service,
    /// Token issuer, and a client that can request tokens.
    pub(crate) oidc: Oidc,
    /// Simulated identity provider, which issues the tokens of `oidc`.
    pub(crate) identity: Service,
    pub(crate) exchange: Exchange,
    /// Endpoint of the emulator. Its root credentials are test/test.
    pub(crate) emulator: String,
    /// Users of the simulated Graph, each with a OneDrive.
    pub(crate) users: Vec<String>,
    pub(crate) region: String,
    pub(crate) state_machine_arn: String,
    /// Name of the table of transfers.
    pub(crate) table: String,
    /// URL of the audit queue.
    pub(crate) audit_queue_url: String,
    /// Name of the table of audit events that were not sent yet.
    pub(crate) audit_table: String,
    /// URL of the archive queue of the audit trail.
    pub(crate) audit_archive_queue_url: String,
    /// Name of the bucket with the archive of the audit trail.
    pub(crate) audit_bucket: String,
    /// URL of the dead-letter queue of webhooks.
    pub(crate) webhook_dead_letter_queue_url: String,
    /// URL of the queue that feeds the document registry.
    pub(crate) registry_queue_url: String,
    /// URL of the dead-letter queue of the registry's feed.
    pub(crate) registry_dead_letter_queue_url: String,
    /// Signing secret of webhooks.
    pub(crate) webhook_secret: String,
    pub(crate) delivery_bucket: String,
    pub(crate) documents_table: String,
    /// Names of the deployed functions, by their names in the source.
    pub(crate) functions: BTreeMap<String, String>,
    /// Process id of the emulator, if this program started it.
    pub(crate) emulator_pid: Option<u32>,
    /// Log files of this run, by program.
    pub(crate) logs: BTreeMap<String, PathBuf>,
    /// Values that must never appear in a log, an execution history or an error.
    pub(crate) secrets: Vec<String>,
}

/// User name and password with which SCV calls the API.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) password: String,
}

/// Addresses of a simulator.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Service {
    pub(crate) url: String,
    /// URL of the admin interface, through which tests control the simulator.
    pub(crate) admin: String,
}

/// A token issuer that the API accepts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Oidc {
    pub(crate) issuer: String,
    pub(crate) token_url: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
}

/// Bucket through which ORDS delivers documents, and its access key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exchange {
    pub(crate) endpoint: String,
    pub(crate) bucket: String,
    #[serde(flatten)]
    pub(crate) key: KeyPair,
}

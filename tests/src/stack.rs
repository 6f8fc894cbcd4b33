use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// Where the deployed system is, as `cargo xtask test system` wrote it down.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stack {
    /// Base URL of the API, with the stage.
    pub api: String,
    /// The service account.
    pub scv: Login,
    /// The simulated document source.
    pub ords: Service,
    /// The simulated Microsoft Graph.
    pub graph: Service,
    /// Where tokens come from.
    pub oidc: Oidc,
    /// The simulated identity provider.
    pub identity: Service,
    /// The exchange bucket.
    pub exchange: Exchange,
    /// Endpoint of the emulator.
    pub emulator: String,
    /// Region of the emulator.
    pub region: String,
    /// Users that Graph knows from the start.
    pub users: Vec<String>,
    /// The workflow.
    pub state_machine_arn: String,
    /// The table of transfers.
    pub table: String,
    /// The audit trail's queue.
    pub audit_queue_url: String,
    /// The webhooks that no receiver took.
    pub webhook_dead_letter_queue_url: String,
    /// What webhooks are signed with.
    pub webhook_secret: String,
    /// The index of documents.
    pub documents_table: String,
    /// The delivery bucket.
    pub delivery_bucket: String,
    /// Names of the deployed functions, by their names in the source.
    pub functions: BTreeMap<String, String>,
    /// The emulator's process; none when it was running before.
    pub emulator_pid: Option<u32>,
    /// Log files by program.
    pub logs: BTreeMap<String, PathBuf>,
    /// What must never be seen anywhere.
    pub secrets: Vec<String>,
}

/// User and password.
#[derive(Debug, Clone, Deserialize)]
pub struct Login {
    /// User.
    pub username: String,
    /// Password.
    pub password: String,
}

/// A simulator.
#[derive(Debug, Clone, Deserialize)]
pub struct Service {
    /// What the service under test calls.
    pub url: String,
    /// Admin interface.
    pub admin: String,
}

/// An issuer of tokens, and a client that may have some.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Oidc {
    /// As it stands in tokens.
    pub issuer: String,
    /// Where to ask for one.
    pub token_url: String,
    /// Who asks.
    pub client_id: String,
    /// With what.
    pub client_secret: String,
}

/// The exchange bucket and how to get in.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// Endpoint of its store.
    pub endpoint: String,
    /// Name.
    pub bucket: String,
    /// Key id.
    pub access_key_id: String,
    /// Key.
    pub secret_access_key: String,
}

/// The deployed system that this test run is about.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn stack() -> Stack {
    let path = std::env::var_os("DOCFERRY_STACK").expect(
        "DOCFERRY_STACK is not set: these tests need a deployed system.\n\
         Run `cargo xtask test system`, or bring one up with `cargo xtask stack --for-tests` \
         and set DOCFERRY_STACK to the file that it names.\n",
    );
    let text = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    serde_json::from_slice(&text)
        .unwrap_or_else(|error| panic!("{} is not a stack: {error}", path.display()))
}

//! Description of the deployed system that the tests use: its addresses, names and credentials. The
//! environment variable `DOCFERRY_STACK` names the JSON file that contains it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// Addresses, names and credentials of the deployed system. `cargo xtask test system` writes them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stack {
    /// Base URL of the API, with the stage.
    pub api: String,
    /// The service account of SCV, the court viewer.
    pub scv: Login,
    /// The simulated document source.
    pub ords: SimulatorUrls,
    /// The simulated Microsoft Graph.
    pub graph: SimulatorUrls,
    /// The issuer of access tokens.
    pub oidc: Oidc,
    /// The simulated identity provider.
    pub identity: SimulatorUrls,
    /// The exchange bucket, to which the document source copies documents.
    pub exchange: Exchange,
    /// Endpoint of the emulator of AWS.
    pub emulator: String,
    /// AWS region of the emulator.
    pub region: String,
    /// Users that exist in Graph from the start.
    pub users: Vec<String>,
    /// ARN of the state machine of transfers.
    pub state_machine_arn: String,
    /// Name of the DynamoDB table of transfers.
    pub table: String,
    /// URL of the audit queue.
    pub audit_queue_url: String,
    /// Name of the table of audit events that were not sent yet.
    pub audit_table: String,
    /// URL of the archive queue of the audit trail.
    pub audit_archive_queue_url: String,
    /// Name of the bucket with the archive of the audit trail.
    pub audit_bucket: String,
    /// URL of the dead-letter queue of webhooks.
    pub webhook_dead_letter_queue_url: String,
    /// URL of the queue that feeds the document registry.
    pub registry_queue_url: String,
    /// URL of the dead-letter queue of the registry's feed.
    pub registry_dead_letter_queue_url: String,
    /// Secret with which webhooks are signed.
    pub webhook_secret: String,
    /// Name of the DynamoDB table that maps document numbers to GUIDs.
    pub documents_table: String,
    /// Name of the delivery bucket, which contains the downloads.
    pub delivery_bucket: String,
    /// Names of the deployed functions, by their names in the source.
    pub functions: BTreeMap<String, String>,
    /// Process id of the emulator; `None` if the emulator was already running.
    pub emulator_pid: Option<u32>,
    /// Log files by program.
    pub logs: BTreeMap<String, PathBuf>,
    /// Secrets that must not appear in any log, history or error.
    pub secrets: Vec<String>,
}

/// User name and password.
#[derive(Debug, Clone, Deserialize)]
pub struct Login {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
}

/// URLs of a simulator.
#[derive(Debug, Clone, Deserialize)]
pub struct SimulatorUrls {
    /// URL that the service under test calls.
    pub url: String,
    /// URL of the admin interface.
    pub admin: String,
}

/// An issuer of access tokens, and a client that may request them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Oidc {
    /// The issuer, as in the claim `iss`.
    pub issuer: String,
    /// The token endpoint.
    pub token_url: String,
    /// Id of the client.
    pub client_id: String,
    /// Secret of the client.
    pub client_secret: String,
}

/// The exchange bucket and its credentials.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// Endpoint of the S3 service.
    pub endpoint: String,
    /// Name of the bucket.
    pub bucket: String,
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
}

/// Reads the description of the deployed system that is under test.
///
/// # Panics
/// If `DOCFERRY_STACK` does not name a readable description.
#[must_use]
pub fn stack() -> Stack {
    let path = std::env::var_os("DOCFERRY_STACK").expect(
        "DOCFERRY_STACK is not set: these tests need a deployed system.\n\
         Run `cargo xtask test system`, or start a system with `cargo xtask stack --for-tests` \
         and set DOCFERRY_STACK to the file that it prints.\n",
    );
    let text = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    serde_json::from_slice(&text)
        .unwrap_or_else(|error| panic!("{} does not describe a stack: {error}", path.display()))
}

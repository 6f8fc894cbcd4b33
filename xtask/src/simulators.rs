//! Starts the simulators of ORDS, Microsoft Graph and the identity provider.
//!
//! A *simulator* is a program of this project that implements one outside system. In all functions,
//! `folder` is the folder for the log of the simulator.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::binaries::program;
use crate::emulator::REGION;
use crate::paths::Paths;
use crate::process::Background;
use crate::stack::{Exchange, Secrets, Service};

/// Time after which the simulated ORDS moves a file from its file share into the exchange bucket.
const MOVER_DELAY_MILLISECONDS: u32 = 1500;

/// A running simulator. Dropping this value stops the simulator.
#[derive(Debug)]
pub(crate) struct Simulator {
    pub(crate) service: Service,
    _process: Background,
}

/// Starts the simulated Microsoft Graph. Each of the users has a OneDrive.
pub(crate) fn graph(
    paths: &Paths,
    folder: &Path,
    secrets: &Secrets,
    users: &[String],
    session_lifetime_seconds: u32,
) -> Result<Simulator> {
    let mut command = Command::new(program(paths, "docferry-sim-graph"));
    command.arg("--session-lifetime-seconds").arg(session_lifetime_seconds.to_string());
    for user in users {
        command.args(["--user", user]);
    }
    graph_from_command(command, folder, secrets)
}

/// Starts the simulated Graph from a given command.
pub(crate) fn graph_from_command(
    mut command: Command,
    folder: &Path,
    secrets: &Secrets,
) -> Result<Simulator> {
    command
        .env("SIM_GRAPH_TENANT", &secrets.graph_tenant)
        .env("SIM_GRAPH_CLIENT_ID", &secrets.graph_client_id)
        .env("SIM_GRAPH_CLIENT_SECRET", &secrets.graph_client_secret);
    start(command, "graph", folder)
}

/// Starts the simulated ORDS, which moves files into the exchange bucket.
pub(crate) fn ords(
    paths: &Paths,
    folder: &Path,
    secrets: &Secrets,
    exchange: &Exchange,
) -> Result<Simulator> {
    let mut command = Command::new(program(paths, "docferry-sim-ords"));
    command
        .env("SIM_ORDS_USER", &secrets.ords_username)
        .env("SIM_ORDS_PASSWORD", &secrets.ords_password)
        .env("SIM_ORDS_APPLICATION_ID", &secrets.ords_application_id)
        .env("SIM_ORDS_APP_PASSWORD", &secrets.ords_application_password)
        .env("SIM_ORDS_S3_ENDPOINT", &exchange.endpoint)
        .env("SIM_ORDS_S3_BUCKET", &exchange.bucket)
        .env("SIM_ORDS_S3_REGION", REGION)
        .env("SIM_ORDS_S3_ACCESS_KEY", &exchange.key.access_key_id)
        .env("SIM_ORDS_S3_SECRET_KEY", &exchange.key.secret_access_key)
        .arg("--mover-delay-ms")
        .arg(MOVER_DELAY_MILLISECONDS.to_string());
    start(command, "ords", folder)
}

/// Starts the simulated identity provider. The users can sign in, and the client of this stack may
/// request every scope that a user can have.
pub(crate) fn identity(
    paths: &Paths,
    folder: &Path,
    secrets: &Secrets,
    users: &[String],
) -> Result<Simulator> {
    let mut command = Command::new(program(paths, "docferry-sim-identity"));
    command
        .env("SIM_IDENTITY_AUDIENCE", &secrets.oidc_audience)
        .env("SIM_IDENTITY_CLIENT_ID", &secrets.oidc_client_id)
        .env("SIM_IDENTITY_CLIENT_SECRET", &secrets.oidc_client_secret);
    for scope in ["docferry.read", "docferry.write", "docferry.delegate", "docferry.documents"] {
        command.args(["--scope", scope]);
    }
    for user in users {
        command.args(["--user", user]);
    }
    start(command, "identity", folder)
}

/// Starts a simulator and reads its addresses from the first line of its output.
pub(crate) fn start(mut command: Command, name: &str, folder: &Path) -> Result<Simulator> {
    let log = folder.join(format!("{name}.log"));
    command
        .args(["--port", "0", "--exit-with-stdin"])
        .stdout(Stdio::piped())
        .stderr(File::create(&log)?);
    let mut process = Background::start(&mut command)?;
    let mut address_line = String::new();
    if let Some(stdout) = process.stdout() {
        BufReader::new(stdout).read_line(&mut address_line)?;
    }
    let service = serde_json::from_str(&address_line)
        .with_context(|| format!("the {name} simulator did not start; see {}", log.display()))?;
    Ok(Simulator { service, _process: process })
}

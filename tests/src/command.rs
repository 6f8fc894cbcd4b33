//! Runs the command-line program `docferry` against the deployed system.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::Stack;

/// Returns the folder that contains the project's compiled programs. It is the parent of the folder
/// of the test binaries.
///
/// # Panics
/// If the path of the test binary is not known.
#[must_use]
pub fn program_folder() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}

/// Runs `docferry` with the credentials of the service account and of an operator.
///
/// # Panics
/// If the command cannot be run.
pub async fn docferry(stack: &Stack, arguments: &[&str]) -> Output {
    let mut command = docferry_command(stack, arguments);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// Returns the command `docferry` with the credentials of the service account and of an operator.
pub(crate) fn docferry_command(stack: &Stack, arguments: &[&str]) -> Command {
    let mut command = Command::new(program_folder().join("docferry"));
    command
        .args(arguments)
        .env_clear()
        .env("DOCFERRY_API", &stack.api)
        .env("DOCFERRY_USERNAME", &stack.scv.username)
        .env("DOCFERRY_PASSWORD", &stack.scv.password)
        .env("AWS_ENDPOINT_URL", &stack.emulator)
        .env("AWS_REGION", &stack.region)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .stdin(Stdio::null());
    command
}

/// Returns the standard output of a successful command.
///
/// # Panics
/// If the exit code is not 0.
#[must_use]
pub fn stdout_of_success(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Returns the JSON document that a successful command printed.
///
/// # Panics
/// If the exit code is not 0 or the output is not one JSON document.
#[must_use]
pub fn json_of_success(output: &Output) -> Value {
    let text = stdout_of_success(output);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

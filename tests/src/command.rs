use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::Stack;

/// The folder of our programs: it is beside the one that tests are built into.
///
/// # Panics
/// When the test does not know where it lies.
#[must_use]
pub fn programs() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}

/// Runs `docferry` against this system, as its caller and its operator.
///
/// # Panics
/// When it cannot be run.
pub async fn docferry(stack: &Stack, args: &[&str]) -> Output {
    let mut command = Command::new(programs().join("docferry"));
    command
        .args(args)
        .env_clear()
        .env("DOCFERRY_API", &stack.api)
        .env("DOCFERRY_USERNAME", &stack.scv.username)
        .env("DOCFERRY_PASSWORD", &stack.scv.password)
        .env("AWS_ENDPOINT_URL", &stack.emulator)
        .env("AWS_REGION", &stack.region)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// Its standard output, after it has ended with 0.
///
/// # Panics
/// When it has not.
#[must_use]
pub fn printed(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The one JSON document in it.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn printed_json(output: &Output) -> Value {
    let text = printed(output);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

//! Tests of the SDK configuration that is loaded from the environment.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

/// Runs [`sdk_config_matches_the_environment_variables`] in a separate process, because the
/// environment of this process is shared with the other tests.
#[test]
fn region_and_endpoint_are_read_from_the_environment() {
    let process = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "sdk_config_matches_the_environment_variables"])
        .env("AWS_REGION", "ca-central-1")
        .env("AWS_ENDPOINT_URL", "http://emulator.example:4566")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&process.stdout);
    assert!(process.status.success() && output.contains("1 passed"), "{output}");
}

#[tokio::test]
#[ignore = "run by the test above in a process with its own environment"]
async fn sdk_config_matches_the_environment_variables() {
    let config = docferry_aws::config::load().await;
    assert_eq!(config.region().unwrap().as_ref(), "ca-central-1");
    assert_eq!(config.endpoint_url(), Some("http://emulator.example:4566"));
    assert!(config.credentials_provider().is_some());
}

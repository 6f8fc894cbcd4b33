//! What functions load from their environment.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

/// Runs [`what_the_environment_says_is_loaded`] in a process of its own, because
/// the environment of this one is shared with the other tests.
#[test]
fn region_and_endpoint_come_from_the_environment() {
    let run = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "what_the_environment_says_is_loaded"])
        .env("AWS_REGION", "ca-central-1")
        .env("AWS_ENDPOINT_URL", "http://emulator.example:4566")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "run by the test above, with an environment of its own"]
async fn what_the_environment_says_is_loaded() {
    let config = docferry_aws::config::load().await;
    assert_eq!(config.region().unwrap().as_ref(), "ca-central-1");
    assert_eq!(config.endpoint_url(), Some("http://emulator.example:4566"));
    assert!(config.credentials_provider().is_some());
}

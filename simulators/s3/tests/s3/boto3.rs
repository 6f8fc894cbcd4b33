//! Test with an independent client, boto3. A simulator that only one SDK uses may misunderstand S3
//! in the same way as that SDK.
//!
//! The test runs only when `DOCFERRY_BOTO3_PYTHON` contains the path of a Python with boto3.
#![allow(clippy::print_stderr, reason = "a skipped test is reported")]

use std::{
    ffi::OsString,
    process::{Command, Stdio},
};

use crate::support::Store;

#[tokio::test(flavor = "multi_thread")]
async fn boto3_uploads_copies_and_completes() {
    let Some(python) = python() else {
        eprintln!("skipped: DOCFERRY_BOTO3_PYTHON is not set");
        return;
    };
    let store = Store::new().await;
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/boto3_client.py")).args([
        store.s3.url(),
        "simulated-bucket",
        "simulated-key",
    ]);
    command.stderr(Stdio::inherit());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Returns the path of Python from `DOCFERRY_BOTO3_PYTHON`.
fn python() -> Option<OsString> {
    std::env::var_os("DOCFERRY_BOTO3_PYTHON").filter(|path| !path.is_empty())
}

//! Test of Ctrl-C during a download with `docferry get`: the partial file stays, and the command
//! prints how to resume.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::bucket::{Bucket, Document, Fault};
use support::jobs::{
    FIRST_FILE, JobDocument, accept_job, completed_job_status, serve_job_status,
    serve_presigned_url,
};
use support::{PASSWORD, api_url, docferry_command, run_printed_command};
use tempfile::TempDir;
use wiremock::MockServer;

/// Maximum time until the first bytes of the document are in the partial file.
const MAX_WAIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn ctrl_c_keeps_the_partial_file_and_prints_how_to_resume() {
    let server = MockServer::start().await;
    let document = Document::of_size(3_000_000);
    let bucket = Bucket::start(document.clone(), &[Fault::StallAfter(1_000_000)]).await;
    accept_job(&server, "j1").await;
    serve_job_status(
        &server,
        "j1",
        &[completed_job_status("j1", &[JobDocument::completed(FIRST_FILE, 3_000_000)])],
    )
    .await;
    serve_presigned_url(&server, "j1_10001", &bucket.url("one")).await;
    let folder = TempDir::new().unwrap();
    let target = folder.path().join("it's mine");

    // The first run has received 1 MB when it is interrupted.
    let args = ["get", "10001", "--output", &format!("{}/", target.display())];
    let mut first_run = docferry_command(&api_url(&server), PASSWORD, &args);
    let child = first_run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let partial_file = target.join("document-10001.part");
    let start = Instant::now();
    while partial_file.metadata().map_or(0, |metadata| metadata.len()) < 1_000_000 {
        assert!(start.elapsed() < MAX_WAIT, "no bytes arrived");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());

    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    let shown = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{shown}");

    // The printed command resumes the download.
    let output = run_printed_command(&api_url(&server), &shown).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(bucket.requests()[1].header("range"), Some("bytes=1000000-"));
    assert!(std::fs::read(target.join("order.pdf")).unwrap() == document.bytes);
    assert!(!partial_file.exists());
}

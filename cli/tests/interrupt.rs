//! Test of Ctrl-C during a download.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::bucket::{Bucket, Fault, document};
use support::jobs::{accept_job, job_status, serve_job_status, serve_presigned_url};
use support::{PASSWORD, api_url, docferry_command, run_command};
use tempfile::TempDir;
use wiremock::MockServer;

const BOUND: Duration = Duration::from_secs(30);

#[tokio::test]
async fn ctrl_c_keeps_the_partial_file_and_prints_how_to_resume() {
    let server = MockServer::start().await;
    let whole = document(3_000_000, "\"a\"", "order.pdf");
    let store = Bucket::start(whole.clone(), &[Fault::StallAfter(1_000_000)]).await;
    accept_job(&server, "j1").await;
    serve_job_status(
        &server,
        "j1",
        &[job_status("j1", "completed", &[(10_001, "completed", 3_000_000)])],
    )
    .await;
    serve_presigned_url(&server, "j1_10001", &store.url("one")).await;
    let folder = TempDir::new().unwrap();
    let to = folder.path().join("it's mine");
    let args = ["get", "10001", "--output", &format!("{}/", to.display())];
    let mut first = docferry_command(&api_url(&server), PASSWORD, &args);
    let child = first.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let part = to.join("document-10001.part");
    let start = Instant::now();
    while part.metadata().map_or(0, |part| part.len()) < 1_000_000 {
        assert!(start.elapsed() < BOUND, "no bytes arrived");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());

    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    let shown = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{shown}");

    let line = shown.lines().find_map(|line| line.trim().strip_prefix("docferry ")).unwrap();

    // Runs the printed command in a shell.
    let plain = docferry_command(&api_url(&server), PASSWORD, &[]);
    let program = plain.get_program().to_owned();
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("\"$0\" {line}")]).arg(program);
    shell.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = run_command(shell).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(store.requests()[1].header("range"), Some("bytes=1000000-"));
    assert!(std::fs::read(to.join("order.pdf")).unwrap() == whole.bytes);
    assert!(!part.exists());
}

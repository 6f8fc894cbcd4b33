//! Downloads with `docferry get`: services with a job, runs, and their results.

use std::path::Path;
use std::process::Output;

use tempfile::TempDir;
use wiremock::MockServer;

use crate::support::bucket::{Bucket, Document, Fault};
use crate::support::jobs::{accept_job, job_status, serve_job_status, serve_presigned_url};
use crate::support::{PASSWORD, api_url, run_docferry};

/// Serves the job `j1`, completed with the document 10001 of `size` bytes at `url`.
pub(crate) async fn serve_completed_job(server: &MockServer, size: u64, url: &str) {
    let items = [(10_001, "completed", size)];
    serve_job_status(server, "j1", &[job_status("j1", "completed", &items)]).await;
    serve_presigned_url(server, "j1_10001", url).await;
}

/// Starts a service with a completed job of one document, and the bucket with the document.
pub(crate) async fn start_completed_job(
    document: Document,
    faults: &[Fault],
) -> (MockServer, Bucket, TempDir) {
    let (server, size) = (MockServer::start().await, document.bytes.len() as u64);
    let bucket = Bucket::start(document, faults).await;
    accept_job(&server, "j1").await;
    serve_completed_job(&server, size, &bucket.url("one")).await;
    (server, bucket, TempDir::new().unwrap())
}

/// Runs `docferry get` with this target.
pub(crate) async fn run_get(server: &MockServer, target: &Path, args: &[&str]) -> Output {
    let output = format!("--output={}", target.display());
    run_docferry(&api_url(server), PASSWORD, &[&["get", &output][..], args].concat()).await
}

/// Returns the sorted names of the files in a folder.
pub(crate) fn file_names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Returns the POST requests that the service received.
pub(crate) async fn post_requests(server: &MockServer) -> Vec<wiremock::Request> {
    let requests = server.received_requests().await.unwrap();
    requests.into_iter().filter(|request| request.method.as_str() == "POST").collect()
}

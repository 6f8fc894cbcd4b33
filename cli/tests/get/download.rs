//! Helpers of the tests of `docferry get`: a service with a completed job, a bucket with its
//! document, and runs of the command.

use std::path::Path;
use std::process::Output;

use tempfile::TempDir;
use wiremock::MockServer;

use crate::support::bucket::{Bucket, Document, Fault};
use crate::support::jobs::{
    FIRST_FILE, JobDocument, accept_job, completed_job_status, serve_job_status,
    serve_presigned_url,
};
use crate::support::{PASSWORD, api_url, run_docferry};

/// Service with the completed job `j1` of one document, and the bucket with the document.
pub(crate) struct CompletedJob {
    pub(crate) server: MockServer,
    pub(crate) bucket: Bucket,
    /// Empty folder, into which a test downloads the document.
    pub(crate) folder: TempDir,
}

impl CompletedJob {
    /// Starts the service and the bucket. Any request for documents is accepted as the job.
    pub(crate) async fn start(document: Document, faults: &[Fault]) -> Self {
        let server = MockServer::start().await;
        let size = document.bytes.len() as u64;
        let bucket = Bucket::start(document, faults).await;
        accept_job(&server, "j1").await;
        serve_completed_job(&server, size, &bucket.url("one")).await;
        Self { server, bucket, folder: TempDir::new().unwrap() }
    }

    /// Runs `docferry get` with the folder as target.
    pub(crate) async fn run_get(&self, args: &[&str]) -> Output {
        run_get(&self.server, self.folder.path(), args).await
    }
}

/// Serves the completed job `j1`, whose document `j1_10001` has `size` bytes and is at `url`.
pub(crate) async fn serve_completed_job(server: &MockServer, size: u64, url: &str) {
    let status = completed_job_status("j1", &[JobDocument::completed(FIRST_FILE, size)]);
    serve_job_status(server, "j1", &[status]).await;
    serve_presigned_url(server, "j1_10001", url).await;
}

/// Runs `docferry get` with this target: a folder, or the path of the file to create.
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

//! Tests of the outcomes of `docferry get`: its exit codes, its waiting for documents, and the
//! errors that it reports.

use serde_json::json;
use tempfile::TempDir;
use wiremock::{MockServer, ResponseTemplate};

use crate::download::{CompletedJob, file_names, post_requests, run_get, serve_completed_job};
use crate::support::bucket::{Bucket, Document, FILE_NAME, Fault};
use crate::support::jobs::{
    FIRST_FILE, JobDocument, SECOND_FILE, accept_job, completed_job_status, download_request,
    job_status, presigned_url_response, serve_job_status, serve_presigned_url,
};
use crate::support::{assert_exit_code, assert_stderr_contains, problem_response};

/// Size in bytes of the documents in these tests.
const SIZE: u64 = 10;
/// The first document of a job, delivered with [`SIZE`] bytes.
const DELIVERED: JobDocument = JobDocument::completed(FIRST_FILE, SIZE);
/// Message and code of each failed document in the mock, as the command prints them.
const FAILURE_REASON: &str = "The document was not found. [SOURCE_NOT_FOUND]";

#[tokio::test]
async fn expired_presigned_url_is_replaced_by_a_new_one() {
    let server = MockServer::start().await;
    let refusal_of_expired_url = Fault::Status(403);
    let bucket = Bucket::start(Document::of_size(SIZE), &[refusal_of_expired_url]).await;
    serve_job_status(&server, "j1", &[completed_job_status("j1", &[DELIVERED])]).await;
    download_request("GET", "j1_10001")
        .respond_with(presigned_url_response(&bucket.url("old")))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    serve_presigned_url(&server, "j1_10001", &bucket.url("new")).await;
    let folder = TempDir::new().unwrap();

    let output = run_get(&server, folder.path(), &["--job=j1"]).await;

    assert_exit_code(&output, 0);
    let paths: Vec<_> = bucket.requests().into_iter().map(|request| request.path).collect();
    assert!(paths[0].starts_with("/old?") && paths[1].starts_with("/new?"), "{paths:?}");
}

#[tokio::test]
async fn downloaded_document_of_wrong_size_is_discarded() {
    let server = MockServer::start().await;
    let bucket = Bucket::start(Document::of_size(SIZE), &[]).await;
    serve_completed_job(&server, SIZE + 1, &bucket.url("one")).await;
    let folder = TempDir::new().unwrap();

    let output = run_get(&server, folder.path(), &["--job=j1"]).await;

    assert_exit_code(&output, 1);
    assert_stderr_contains(&output, "10 bytes instead of 11");
    assert_eq!(file_names(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn get_waits_until_a_document_is_ready() {
    let server = MockServer::start().await;
    let bucket = Bucket::start(Document::of_size(SIZE), &[]).await;
    serve_job_status(&server, "j1", &[completed_job_status("j1", &[DELIVERED])]).await;
    // The API responds with the job's status and 409 while the document is not ready.
    let running = JobDocument::running(FIRST_FILE, SIZE);
    let not_ready =
        ResponseTemplate::new(409).set_body_json(job_status("j1_10001", "running", &[running]));
    download_request("GET", "j1_10001")
        .respond_with(not_ready)
        .up_to_n_times(2)
        .mount(&server)
        .await;
    serve_presigned_url(&server, "j1_10001", &bucket.url("one")).await;
    let folder = TempDir::new().unwrap();

    let output = run_get(&server, folder.path(), &["--job=j1"]).await;

    assert_exit_code(&output, 0);
    assert_eq!(file_names(folder.path()), [FILE_NAME]);
}

#[tokio::test]
async fn get_of_a_failed_job_exits_2_with_the_reason() {
    let server = MockServer::start().await;
    let failed = JobDocument::failed(FIRST_FILE, 0);
    serve_job_status(&server, "all", &[job_status("all", "failed", &[failed])]).await;
    let folder = TempDir::new().unwrap();

    let output = run_get(&server, folder.path(), &["--job=all"]).await;

    assert_exit_code(&output, 2);
    assert_stderr_contains(&output, FAILURE_REASON);
    assert_eq!(file_names(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn get_downloads_delivered_documents_when_another_one_failed() {
    let server = MockServer::start().await;
    let bucket = Bucket::start(Document::of_size(SIZE), &[]).await;
    let documents = [JobDocument::failed(FIRST_FILE, 0), JobDocument::completed(SECOND_FILE, SIZE)];
    serve_job_status(&server, "partial", &[completed_job_status("partial", &documents)]).await;
    serve_presigned_url(&server, "partial_10002", &bucket.url("two")).await;
    let folder = TempDir::new().unwrap();

    let output = run_get(&server, folder.path(), &["--job=partial"]).await;

    assert_exit_code(&output, 2);
    assert_stderr_contains(&output, FAILURE_REASON);
    assert_eq!(file_names(folder.path()), [FILE_NAME]);
}

#[tokio::test]
async fn get_exits_1_for_an_unknown_job() {
    let server = MockServer::start().await;
    let folder = TempDir::new().unwrap();

    let output = run_get(&server, folder.path(), &["--job=unknown"]).await;

    assert_exit_code(&output, 1);
}

#[tokio::test]
async fn get_exits_1_and_names_the_field_of_an_unknown_document() {
    let server = MockServer::start().await;
    let body = json!({ "title": "Invalid request", "status": 400, "code": "INVALID_REQUEST",
        "errors": [{ "pointer": "/file_id", "detail": "is not known" }] });
    download_request("POST", "initiate")
        .respond_with(problem_response(400, &body))
        .mount(&server)
        .await;
    let folder = TempDir::new().unwrap();

    let output = run_get(&server, folder.path(), &["7"]).await;

    assert_exit_code(&output, 1);
    assert_stderr_contains(&output, "/file_id: is not known");
}

#[tokio::test]
async fn get_exits_3_when_the_job_has_not_ended_by_the_timeout() {
    let server = MockServer::start().await;
    let running = JobDocument::running(FIRST_FILE, SIZE);
    serve_job_status(&server, "slow", &[job_status("slow", "running", &[running])]).await;
    let folder = TempDir::new().unwrap();

    let output = run_get(&server, folder.path(), &["--job=slow", "--timeout=1"]).await;

    assert_exit_code(&output, 3);
}

#[tokio::test]
async fn get_retries_after_503_and_409_with_the_same_idempotency_key() {
    let server = MockServer::start().await;
    // After the 503, the service may still be recording the first request. It reports that as 409.
    for status in [503, 409] {
        download_request("POST", "initiate")
            .respond_with(ResponseTemplate::new(status))
            .up_to_n_times(1)
            .mount(&server)
            .await;
    }
    let bucket = Bucket::start(Document::of_size(SIZE), &[]).await;
    accept_job(&server, "j1").await;
    serve_completed_job(&server, SIZE, &bucket.url("one")).await;
    let folder = TempDir::new().unwrap();

    let output = run_get(&server, folder.path(), &["10001"]).await;

    assert_exit_code(&output, 0);
    let requests = post_requests(&server).await;
    let keys: Vec<_> = requests.iter().map(|request| &request.headers["idempotency-key"]).collect();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0] && key.len() >= 32), "{keys:?}");
}

#[tokio::test]
async fn get_reports_that_a_job_may_have_been_created() {
    let server = MockServer::start().await;
    download_request("POST", "initiate")
        .respond_with(ResponseTemplate::new(504))
        .mount(&server)
        .await;
    let folder = TempDir::new().unwrap();

    let output = run_get(&server, folder.path(), &["10001", "--retries=0"]).await;

    assert_exit_code(&output, 5);
    assert_stderr_contains(&output, "a job may have been created");
}

#[tokio::test]
async fn document_removed_from_the_bucket_is_reported_as_gone() {
    let job = CompletedJob::start(Document::of_size(SIZE), &[Fault::Status(404)]).await;

    let output = job.run_get(&["--job=j1"]).await;

    assert_exit_code(&output, 1);
    assert_stderr_contains(&output, "no longer in the delivery bucket");
}

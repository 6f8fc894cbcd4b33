//! Exit codes, waiting and errors.

use serde_json::json;
use tempfile::TempDir;
use wiremock::{MockServer, ResponseTemplate};

use crate::download::{
    file_names, post_requests, run_get, serve_completed_job, start_completed_job,
};
use crate::support::bucket::{Bucket, Fault, document};
use crate::support::jobs::{
    accept_job, download_request, job_status, json_response, serve_job_status, serve_presigned_url,
};
use crate::support::{
    PASSWORD, api_url, assert_exit_code, assert_stderr_contains, problem_response, run_docferry,
    stderr,
};

#[tokio::test]
async fn expired_presigned_url_is_replaced_by_a_new_one() {
    let server = MockServer::start().await;
    let bucket = Bucket::start(document(10, "\"a\"", "order.pdf"), &[Fault::Status(403)]).await;
    serve_job_status(&server, "j1", &[job_status("j1", "completed", &[(10_001, "completed", 10)])])
        .await;
    download_request("GET", "j1_10001")
        .respond_with(json_response(
            &json!({ "url": bucket.url("old"), "expiresAt": "2026-11-23T09:00:00Z" }),
        ))
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
    let (server, _bucket, folder) =
        start_completed_job(document(10, "\"a\"", "order.pdf"), &[]).await;
    serve_job_status(&server, "j2", &[job_status("j2", "completed", &[(10_001, "completed", 11)])])
        .await;
    let other = Bucket::start(document(10, "\"a\"", "order.pdf"), &[]).await;
    serve_presigned_url(&server, "j2_10001", &other.url("one")).await;
    let output = run_get(&server, folder.path(), &["--job=j2"]).await;
    assert_exit_code(&output, 1);
    assert_stderr_contains(&output, "10 bytes instead of 11");
    assert_eq!(file_names(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn get_waits_until_a_document_is_ready() {
    let server = MockServer::start().await;
    let bucket = Bucket::start(document(10, "\"a\"", "order.pdf"), &[]).await;
    serve_job_status(&server, "j1", &[job_status("j1", "completed", &[(10_001, "completed", 10)])])
        .await;
    let running = job_status("j1_10001", "running", &[(10_001, "running", 10)]);
    download_request("GET", "j1_10001")
        .respond_with(ResponseTemplate::new(409).set_body_json(running))
        .up_to_n_times(2)
        .mount(&server)
        .await;
    serve_presigned_url(&server, "j1_10001", &bucket.url("one")).await;
    let folder = TempDir::new().unwrap();
    let output = run_get(&server, folder.path(), &["--job=j1"]).await;
    assert_exit_code(&output, 0);
    assert_eq!(file_names(folder.path()), ["order.pdf"]);
}

#[tokio::test]
async fn get_exits_2_with_the_reason_and_downloads_the_others() {
    let server = MockServer::start().await;
    let bucket = Bucket::start(document(10, "\"a\"", "order.pdf"), &[]).await;
    let items = [(10_001, "failed", 0), (10_002, "completed", 10)];
    serve_job_status(&server, "partial", &[job_status("partial", "completed", &items)]).await;
    serve_job_status(&server, "all", &[job_status("all", "failed", &[(10_001, "failed", 0)])])
        .await;
    serve_presigned_url(&server, "partial_10002", &bucket.url("two")).await;
    let folder = TempDir::new().unwrap();
    for (id, count) in [("all", 0), ("partial", 1)] {
        let output = run_get(&server, folder.path(), &["--job", id]).await;
        assert_exit_code(&output, 2);
        let shown = stderr(&output);
        assert!(shown.contains("The document was not found. [SOURCE_NOT_FOUND]"), "{shown}");
        assert_eq!(file_names(folder.path()).len(), count);
    }
}

#[tokio::test]
async fn get_exits_1_for_unknown_ids_and_3_after_the_timeout() {
    let (server, folder) = (MockServer::start().await, TempDir::new().unwrap());
    let output = run_get(&server, folder.path(), &["--job=unknown"]).await;
    assert_exit_code(&output, 1);

    let body = json!({ "title": "Invalid request", "status": 400, "code": "INVALID_REQUEST",
        "errors": [{ "pointer": "/file_id", "detail": "is not known" }] });
    download_request("POST", "initiate")
        .respond_with(problem_response(400, &body))
        .mount(&server)
        .await;
    let output = run_get(&server, folder.path(), &["7"]).await;
    assert_exit_code(&output, 1);
    assert_stderr_contains(&output, "/file_id: is not known");

    serve_job_status(&server, "slow", &[job_status("slow", "running", &[(10_001, "running", 10)])])
        .await;
    let output = run_get(&server, folder.path(), &["--job=slow", "--timeout=1"]).await;
    assert_exit_code(&output, 3);
}

#[tokio::test]
async fn get_retries_a_lost_response_with_the_same_key() {
    let (server, _bucket, folder) = {
        let server = MockServer::start().await;
        for status in [503, 409] {
            download_request("POST", "initiate")
                .respond_with(ResponseTemplate::new(status))
                .up_to_n_times(1)
                .mount(&server)
                .await;
        }
        let bucket = Bucket::start(document(10, "\"a\"", "order.pdf"), &[]).await;
        accept_job(&server, "j1").await;
        serve_completed_job(&server, 10, &bucket.url("one")).await;
        (server, bucket, TempDir::new().unwrap())
    };
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
    let to = format!("--output={}", folder.path().display());
    let output =
        run_docferry(&api_url(&server), PASSWORD, &["get", "10001", &to, "--retries=0"]).await;
    assert_exit_code(&output, 5);
    assert_stderr_contains(&output, "a job may have been created");
}

#[tokio::test]
async fn removed_document_is_reported_as_gone() {
    let bucket = Bucket::start(document(10, "\"a\"", "order.pdf"), &[Fault::Status(404)]).await;
    let server = MockServer::start().await;
    serve_completed_job(&server, 10, &bucket.url("one")).await;
    let folder = TempDir::new().unwrap();
    let to = format!("--output={}", folder.path().display());
    let output = run_docferry(&api_url(&server), PASSWORD, &["get", "--job=j1", &to]).await;
    assert_exit_code(&output, 1);
    assert_stderr_contains(&output, "no longer in the delivery bucket");
}

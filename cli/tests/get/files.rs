//! Tests of the files that `docferry get` creates: their names, and files that already exist.

use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::MockServer;

use crate::download::{CompletedJob, file_names, post_requests, run_get};
use crate::support::bucket::{Bucket, Document, FILE_NAME};
use crate::support::jobs::{
    FIRST_FILE, JobDocument, SECOND_FILE, accept_job, completed_job_status, download_request,
    job_status, json_response, serve_job_status, serve_presigned_url,
};
use crate::support::{assert_exit_code, assert_stderr_contains, json_lines, stderr, stdout};

/// Content of a file that exists before `docferry get` runs.
const EXISTING_CONTENT: &[u8] = b"mine";

#[tokio::test]
async fn get_downloads_all_documents_of_one_job_under_their_names() {
    let server = MockServer::start().await;
    let order = Document::of_size(3_000_000).named("order.pdf");
    let empty = Document::of_size(0).named("empty.txt");
    let order_bucket = Bucket::start(order.clone(), &[]).await;
    let empty_bucket = Bucket::start(empty, &[]).await;
    accept_job(&server, "j1").await;
    let running =
        [JobDocument::running(FIRST_FILE, 3_000_000), JobDocument::queued(SECOND_FILE, 0)];
    let completed =
        [JobDocument::completed(FIRST_FILE, 3_000_000), JobDocument::completed(SECOND_FILE, 0)];
    let statuses = [job_status("j1", "running", &running), completed_job_status("j1", &completed)];
    serve_job_status(&server, "j1", &statuses).await;
    serve_presigned_url(&server, "j1_10001", &order_bucket.url("one")).await;
    serve_presigned_url(&server, "j1_10002", &empty_bucket.url("two")).await;
    let folder = TempDir::new().unwrap();

    let output = run_get(&server, folder.path(), &["10001", "10002", "--priority=high"]).await;

    assert_exit_code(&output, 0);
    assert_eq!(file_names(folder.path()), ["empty.txt", "order.pdf"]);
    assert!(std::fs::read(folder.path().join("order.pdf")).unwrap() == order.bytes);

    let path = |name: &str| folder.path().join(name).display().to_string();
    let expected =
        format!("{}  3000000 bytes\n{}  0 bytes\n", path("order.pdf"), path("empty.txt"));
    assert_eq!(stdout(&output), expected);

    let requests = post_requests(&server).await;
    let body = json!({ "file_ids": [10_001, 10_002], "priority": "high", "onItemError": "skip" });
    assert_eq!(requests[0].body_json::<Value>().unwrap(), body);
    // A presigned URL needs no credentials, and S3 refuses a request with them.
    for request in [order_bucket.requests(), empty_bucket.requests()].concat() {
        assert_eq!(request.header("authorization"), None);
    }
    assert!(!(stdout(&output) + &stderr(&output)).contains("open-sesame"));
}

#[tokio::test]
async fn get_prints_paths_as_json_without_presigned_urls() {
    let job = CompletedJob::start(Document::of_size(10), &[]).await;
    let file = job.folder.path().join("mine.pdf");

    let output = run_get(&job.server, &file, &["10001", "--json"]).await;

    let expected = json!({ "jobId": "j1_10001", "file_id": 10_001, "path": file, "size": 10,
        "skipped": false });
    assert_eq!(json_lines(&output), [expected], "{}", stderr(&output));
    assert_eq!(file_names(job.folder.path()), ["mine.pdf"]);
}

#[tokio::test]
async fn file_name_cannot_leave_the_target_folder() {
    let mut hostile_document = Document::of_size(10);
    hostile_document.disposition =
        Some("attachment; filename=\"x\"; filename*=UTF-8''..%2F..%2F.bashrc".into());
    let job = CompletedJob::start(hostile_document, &[]).await;
    let target_folder = job.folder.path().join("a/b");
    let target_with_trailing_slash = target_folder.join("");

    let output = run_get(&job.server, &target_with_trailing_slash, &["10001"]).await;

    assert_exit_code(&output, 0);
    assert_eq!(file_names(job.folder.path()), ["a"]);
    assert_eq!(file_names(&target_folder), ["_bashrc"]);
}

#[tokio::test]
async fn existing_file_is_kept_unless_forced() {
    let job = CompletedJob::start(Document::of_size(10), &[]).await;
    let file = job.folder.path().join(FILE_NAME);
    std::fs::write(&file, EXISTING_CONTENT).unwrap();

    for (option, exit_code, is_kept) in
        [(&[][..], 1, true), (&["--skip-existing"], 0, true), (&["--force"], 0, false)]
    {
        let output = job.run_get(&[&["10001"], option].concat()).await;

        assert_eq!(output.status.code(), Some(exit_code), "{option:?}: {}", stderr(&output));
        assert_eq!(std::fs::read(&file).unwrap() == EXISTING_CONTENT, is_kept, "{option:?}");
        assert_eq!(file_names(job.folder.path()), [FILE_NAME], "{option:?}");
    }
}

#[tokio::test]
async fn existing_output_file_is_refused_before_a_job_is_created() {
    let job = CompletedJob::start(Document::of_size(10), &[]).await;
    let file = job.folder.path().join(FILE_NAME);
    std::fs::write(&file, EXISTING_CONTENT).unwrap();

    let output = run_get(&job.server, &file, &["10001"]).await;

    assert_exit_code(&output, 1);
    assert!(post_requests(&job.server).await.is_empty());
}

#[tokio::test]
async fn documents_with_the_same_name_do_not_replace_each_other() {
    let server = MockServer::start().await;
    let bucket = Bucket::start(Document::of_size(10).named("order.pdf"), &[]).await;
    let documents = [FIRST_FILE, SECOND_FILE].map(|file_id| JobDocument::completed(file_id, 10));
    serve_job_status(&server, "j1", &[completed_job_status("j1", &documents)]).await;
    for document_job_id in ["j1_10001", "j1_10002"] {
        serve_presigned_url(&server, document_job_id, &bucket.url(document_job_id)).await;
    }
    let folder = TempDir::new().unwrap();

    let output = run_get(&server, folder.path(), &["--job=j1", "--force"]).await;

    assert_exit_code(&output, 0);
    assert_eq!(file_names(folder.path()), ["order (2).pdf", "order.pdf"]);
}

#[tokio::test]
async fn get_checks_for_existing_files_before_creating_a_job() {
    let server = MockServer::start().await;
    download_request("POST", "check")
        .respond_with(json_response(
            &json!({ "file_id": 10_001, "available": true, "fileName": "order.pdf" }),
        ))
        .mount(&server)
        .await;
    accept_job(&server, "j1").await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("order.pdf");
    std::fs::write(&file, EXISTING_CONTENT).unwrap();

    let output = run_get(&server, folder.path(), &["10001", "--json"]).await;

    assert_exit_code(&output, 1);
    assert_stderr_contains(&output, "order.pdf already exists");
    assert_eq!(json_lines(&output)[0]["file_id"], 10_001);

    let output = run_get(&server, &file, &["10001", "--json", "--skip-existing"]).await;

    assert_exit_code(&output, 0);
    assert_eq!(json_lines(&output)[0]["skipped"], true);

    let requests = server.received_requests().await.unwrap();
    assert!(requests.iter().all(|request| request.url.path().ends_with("/check")));
    assert_eq!(std::fs::read(&file).unwrap(), EXISTING_CONTENT);
}

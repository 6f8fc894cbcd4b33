//! Names of the files, and existing files.

use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::MockServer;

use crate::download::{file_names, post_requests, run_get, start_completed_job};
use crate::support::bucket::{Bucket, document};
use crate::support::jobs::{
    accept_job, download_request, job_status, json_response, serve_job_status, serve_presigned_url,
};
use crate::support::{
    PASSWORD, api_url, assert_exit_code, assert_stderr_contains, json_lines, run_docferry, stderr,
    stdout,
};

#[tokio::test]
async fn get_downloads_all_documents_of_one_job_under_their_names() {
    let server = MockServer::start().await;
    let (a, b) = (document(3_000_000, "\"a\"", "order.pdf"), document(0, "\"b\"", "empty.txt"));
    let (first, second) = (Bucket::start(a.clone(), &[]).await, Bucket::start(b, &[]).await);
    accept_job(&server, "j1").await;
    let items = [(10_001, "completed", 3_000_000), (10_002, "completed", 0)];
    let waiting = [(10_001, "running", 3_000_000), (10_002, "queued", 0)];
    serve_job_status(
        &server,
        "j1",
        &[job_status("j1", "running", &waiting), job_status("j1", "completed", &items)],
    )
    .await;
    serve_presigned_url(&server, "j1_10001", &first.url("one")).await;
    serve_presigned_url(&server, "j1_10002", &second.url("two")).await;
    let folder = TempDir::new().unwrap();
    let output = run_get(&server, folder.path(), &["10001", "10002", "--priority=high"]).await;
    assert_exit_code(&output, 0);
    assert_eq!(file_names(folder.path()), ["empty.txt", "order.pdf"]);
    assert!(std::fs::read(folder.path().join("order.pdf")).unwrap() == a.bytes);

    let path = |name: &str| folder.path().join(name).display().to_string();
    let expected =
        format!("{}  3000000 bytes\n{}  0 bytes\n", path("order.pdf"), path("empty.txt"));
    assert_eq!(stdout(&output), expected);

    let requests = post_requests(&server).await;
    let body = json!({ "file_ids": [10_001, 10_002], "priority": "high", "onItemError": "skip" });
    assert_eq!(requests[0].body_json::<Value>().unwrap(), body);
    // A presigned URL needs no credentials, and S3 refuses a request with them.
    for request in [first.requests(), second.requests()].concat() {
        assert_eq!(request.header("authorization"), None);
    }
    assert!(!(stdout(&output) + &stderr(&output)).contains("open-sesame"));
}

#[tokio::test]
async fn get_prints_paths_as_json_without_presigned_urls() {
    let (server, _bucket, folder) =
        start_completed_job(document(10, "\"a\"", "order.pdf"), &[]).await;
    let file = folder.path().join("mine.pdf");
    let output = run_get(&server, &file, &["10001", "--json"]).await;
    let expected = json!({ "jobId": "j1_10001", "file_id": 10_001, "path": file, "size": 10,
        "skipped": false });
    assert_eq!(json_lines(&output), [expected], "{}", stderr(&output));
    assert_eq!(file_names(folder.path()), ["mine.pdf"]);
}

#[tokio::test]
async fn file_name_cannot_leave_the_target_folder() {
    let mut hostile = document(10, "\"a\"", "x");
    hostile.disposition =
        Some("attachment; filename=\"x\"; filename*=UTF-8''..%2F..%2F.bashrc".into());
    let (server, _bucket, folder) = start_completed_job(hostile, &[]).await;
    let inner = folder.path().join("a/b");
    let output = run_get(&server, &inner.join(""), &["10001"]).await;
    assert_exit_code(&output, 0);
    assert_eq!(
        (file_names(folder.path()), file_names(&inner)),
        (vec!["a".into()], vec!["_bashrc".into()])
    );
}

#[tokio::test]
async fn existing_file_is_kept_unless_forced() {
    let whole = document(10, "\"a\"", "order.pdf");
    let (server, _bucket, folder) = start_completed_job(whole.clone(), &[]).await;
    let file = folder.path().join("order.pdf");
    std::fs::write(&file, "mine").unwrap();
    for (args, code, mine) in
        [(&[][..], 1, true), (&["--skip-existing"], 0, true), (&["--force"], 0, false)]
    {
        let output = run_get(&server, folder.path(), &[&["10001"], args].concat()).await;
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert_eq!(std::fs::read(&file).unwrap() == b"mine", mine, "{args:?}");
        assert_eq!(file_names(folder.path()), ["order.pdf"], "{args:?}");
    }
    // With a file name in --output, the check comes before the job is created.
    let before = post_requests(&server).await.len();
    let output = run_get(&server, &file, &["10001"]).await;
    assert_exit_code(&output, 1);
    assert_eq!(post_requests(&server).await.len(), before);
}

#[tokio::test]
async fn documents_with_the_same_name_do_not_replace_each_other() {
    let server = MockServer::start().await;
    let bucket = Bucket::start(document(10, "\"a\"", "order.pdf"), &[]).await;
    let items = [(10_001, "completed", 10), (10_002, "completed", 10)];
    serve_job_status(&server, "j1", &[job_status("j1", "completed", &items)]).await;
    for id in ["j1_10001", "j1_10002"] {
        serve_presigned_url(&server, id, &bucket.url(id)).await;
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
    std::fs::write(&file, "mine").unwrap();
    let to = format!("--output={}", folder.path().display());
    let output = run_docferry(&api_url(&server), PASSWORD, &["--json", "get", "10001", &to]).await;
    assert_exit_code(&output, 1);
    assert_stderr_contains(&output, "order.pdf already exists");
    assert_eq!(json_lines(&output)[0]["file_id"], 10_001);

    let to = format!("--output={}", file.display());
    let args = ["--json", "get", "10001", &to, "--skip-existing"];
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;
    assert_exit_code(&output, 0);
    assert_eq!(json_lines(&output)[0]["skipped"], true);

    let requests = server.received_requests().await.unwrap();
    assert!(requests.iter().all(|request| request.url.path().ends_with("/check")));
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
}

//! Partial files: resumed, restarted and protected.

use serde_json::json;
use tempfile::TempDir;
use wiremock::matchers::{any, header, header_exists, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::download::{file_names, run_get, serve_completed_job, start_completed_job};
use crate::support::bucket::{Bucket, Fault, document};
use crate::support::jobs::{
    download_request, job_status, json_response, serve_job_status, serve_presigned_url,
};
use crate::support::{PASSWORD, api_url, assert_exit_code, assert_stderr_contains, run_docferry};

#[tokio::test]
async fn get_resumes_after_a_broken_connection() {
    let whole = document(3_000_000, "\"a\"", "order.pdf");
    let faults = [Fault::BreakAfter(1_000_000), Fault::BreakAfter(500_000)];
    let (server, bucket, folder) = start_completed_job(whole.clone(), &faults).await;
    let output = run_get(&server, folder.path(), &["10001"]).await;
    assert_exit_code(&output, 0);
    let requests = bucket.requests();
    let ranges: Vec<_> = requests.iter().map(|request| request.header("range")).collect();
    assert_eq!(ranges, [None, Some("bytes=1000000-"), Some("bytes=1500000-")]);
    assert_eq!(requests[1].header("if-range"), Some("\"a\""));
    assert!(std::fs::read(folder.path().join("order.pdf")).unwrap() == whole.bytes);
    assert_eq!(file_names(folder.path()), ["order.pdf"]);
}

#[tokio::test]
async fn later_run_resumes_and_restarts_for_a_changed_document() {
    for (tag, expected) in [("\"a\"", "bytes=2000-"), ("\"b\"", "bytes=2000-")] {
        let faults = [Fault::BreakAfter(2000)];
        let (server, _bucket, folder) =
            start_completed_job(document(3000, "\"a\"", "order.pdf"), &faults).await;
        let output = run_get(&server, folder.path(), &["10001", "--retries=0"]).await;
        assert_exit_code(&output, 5);
        assert_eq!(file_names(folder.path()), ["document-10001.part", "document-10001.part.tag"]);

        let mut now = document(3000, tag, "order.pdf");
        if tag == "\"b\"" {
            now.bytes.reverse();
        }
        let (server, bucket, _) = start_completed_job(now.clone(), &[]).await;
        let output = run_get(&server, folder.path(), &["10001"]).await;
        assert_exit_code(&output, 0);
        assert_eq!(bucket.requests()[0].header("range"), Some(expected));
        assert!(std::fs::read(folder.path().join("order.pdf")).unwrap() == now.bytes, "{tag}");
        assert_eq!(file_names(folder.path()), ["order.pdf"]);
    }
}

#[tokio::test]
async fn complete_partial_file_is_moved_to_its_target() {
    let (server, bucket, folder) =
        start_completed_job(document(3000, "\"a\"", "order.pdf"), &[]).await;
    let whole = document(3000, "\"a\"", "order.pdf").bytes;
    std::fs::write(folder.path().join("document-10001.part"), &whole).unwrap();
    std::fs::write(folder.path().join("document-10001.part.tag"), "\"a\"").unwrap();
    let output = run_get(&server, folder.path(), &["10001"]).await;
    assert_exit_code(&output, 0);
    assert_eq!(bucket.requests()[0].header("range"), Some("bytes=2999-"));
    assert!(std::fs::read(folder.path().join("order.pdf")).unwrap() == whole);
}

#[tokio::test]
async fn two_runs_cannot_write_the_same_file() {
    let (server, bucket, folder) =
        start_completed_job(document(3000, "\"a\"", "order.pdf"), &[]).await;
    let part = folder.path().join("document-10001.part");
    let other = std::fs::File::create(&part).unwrap();
    other.lock().unwrap();
    let output = run_get(&server, folder.path(), &["10001"]).await;
    assert_exit_code(&output, 1);
    assert_stderr_contains(&output, "is being written by another run");
    assert!(bucket.requests().is_empty() && part.exists());
    other.unlock().unwrap();
    let output = run_get(&server, folder.path(), &["10001"]).await;
    assert_exit_code(&output, 0);
}

/// A bucket that ignores `If-Range` sends a part of the changed document.
#[tokio::test]
async fn part_of_a_changed_document_is_not_appended_to_old_bytes() {
    let first = document(3000, "\"a\"", "order.pdf");
    let broken = Bucket::start(first, &[Fault::BreakAfter(2000)]).await;
    let server = MockServer::start().await;
    serve_completed_job(&server, 3000, &broken.url("one")).await;
    let folder = TempDir::new().unwrap();
    let to = format!("--output={}", folder.path().display());
    let output =
        run_docferry(&api_url(&server), PASSWORD, &["get", "--job=j1", &to, "--retries=0"]).await;
    assert_exit_code(&output, 5);

    let now: Vec<u8> = vec![7; 3000];
    let bucket = MockServer::start().await;
    let whole = ResponseTemplate::new(200)
        .insert_header("etag", "\"b\"")
        .insert_header("content-disposition", "attachment; filename=\"order.pdf\"")
        .set_body_bytes(now.clone());
    let part = ResponseTemplate::new(206)
        .insert_header("etag", "\"b\"")
        .insert_header("content-range", "bytes 2000-2999/3000")
        .set_body_bytes(&now[2000..]);
    Mock::given(method("GET"))
        .and(path("/one"))
        .and(header("range", "bytes=2000-"))
        .respond_with(part)
        .mount(&bucket)
        .await;
    Mock::given(header_exists("accept-encoding")).respond_with(whole).mount(&bucket).await;
    let server = MockServer::start().await;
    serve_completed_job(&server, 3000, &format!("{}/one", bucket.uri())).await;
    let output = run_docferry(&api_url(&server), PASSWORD, &["get", "--job=j1", &to]).await;
    assert_exit_code(&output, 0);
    assert!(std::fs::read(folder.path().join("order.pdf")).unwrap() == now);
}

#[tokio::test]
async fn proxy_page_does_not_discard_the_partial_file() {
    let whole = document(3000, "\"a\"", "order.pdf");
    let bucket = Bucket::start(whole.clone(), &[Fault::BreakAfter(2000)]).await;
    let proxy = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_raw("<html>hello</html>", "text/html"))
        .mount(&proxy)
        .await;
    let server = MockServer::start().await;
    serve_job_status(
        &server,
        "j1",
        &[job_status("j1", "completed", &[(10_001, "completed", 3000)])],
    )
    .await;
    for url in [bucket.url("one"), format!("{}/one", proxy.uri())] {
        download_request("GET", "j1_10001")
            .respond_with(json_response(
                &json!({ "url": url, "expiresAt": "2026-11-23T09:16:00.000Z" }),
            ))
            .up_to_n_times(1)
            .mount(&server)
            .await;
    }
    serve_presigned_url(&server, "j1_10001", &bucket.url("one")).await;
    let folder = TempDir::new().unwrap();
    let to = format!("--output={}", folder.path().display());
    let output = run_docferry(&api_url(&server), PASSWORD, &["get", "--job=j1", &to]).await;
    assert_exit_code(&output, 0);
    assert_eq!(bucket.requests()[1].header("range"), Some("bytes=2000-"));
    assert!(std::fs::read(folder.path().join("order.pdf")).unwrap() == whole.bytes);
}

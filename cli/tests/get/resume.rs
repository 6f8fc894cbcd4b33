//! Tests of partial files, which `docferry get` writes until a download is complete: how they
//! are resumed, restarted after a change of the document, and protected from other runs.
//!
//! Next to a partial file `….part`, the file `….part.tag` contains the entity tag (`ETag`
//! header) of the document, so that only bytes of the same version are joined.

use tempfile::TempDir;
use wiremock::matchers::{any, header, header_exists, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::download::{CompletedJob, file_names, run_get, serve_completed_job};
use crate::support::bucket::{Bucket, CHANGED_ETAG, Document, FILE_NAME, Fault, ORIGINAL_ETAG};
use crate::support::jobs::{
    FIRST_FILE, JobDocument, completed_job_status, download_request, presigned_url_response,
    serve_job_status, serve_presigned_url,
};
use crate::support::{assert_exit_code, assert_stderr_contains};

/// Partial file of the document 10001.
const PARTIAL_FILE: &str = "document-10001.part";
/// File with the entity tag of the partial file's document.
const TAG_FILE: &str = "document-10001.part.tag";

#[tokio::test]
async fn get_resumes_after_a_broken_connection() {
    let document = Document::of_size(3_000_000);
    let faults = [Fault::BreakAfter(1_000_000), Fault::BreakAfter(500_000)];
    let job = CompletedJob::start(document.clone(), &faults).await;

    let output = job.run_get(&["10001"]).await;

    assert_exit_code(&output, 0);
    let requests = job.bucket.requests();
    let ranges: Vec<_> = requests.iter().map(|request| request.header("range")).collect();
    assert_eq!(ranges, [None, Some("bytes=1000000-"), Some("bytes=1500000-")]);
    assert_eq!(requests[1].header("if-range"), Some(ORIGINAL_ETAG));
    let folder = job.folder.path();
    assert!(std::fs::read(folder.join(FILE_NAME)).unwrap() == document.bytes);
    assert_eq!(file_names(folder), [FILE_NAME]);
}

#[tokio::test]
async fn later_run_resumes_and_restarts_for_a_changed_document() {
    let original = Document::of_size(3000);
    let mut changed = Document { etag: CHANGED_ETAG, ..original.clone() };
    changed.bytes.reverse();
    for later_document in [original.clone(), changed] {
        // The first run ends with a partial file.
        let first = CompletedJob::start(original.clone(), &[Fault::BreakAfter(2000)]).await;
        let folder = first.folder.path();
        let output = first.run_get(&["10001", "--retries=0"]).await;
        assert_exit_code(&output, 5);
        assert_eq!(file_names(folder), [PARTIAL_FILE, TAG_FILE]);

        // The later run asks for the remaining bytes. The bucket sends the whole document if it
        // has changed.
        let later = CompletedJob::start(later_document.clone(), &[]).await;
        let output = run_get(&later.server, folder, &["10001"]).await;
        assert_exit_code(&output, 0);
        assert_eq!(later.bucket.requests()[0].header("range"), Some("bytes=2000-"));
        let file = std::fs::read(folder.join(FILE_NAME)).unwrap();
        assert!(file == later_document.bytes, "{}", later_document.etag);
        assert_eq!(file_names(folder), [FILE_NAME]);
    }
}

#[tokio::test]
async fn complete_partial_file_is_moved_to_its_target() {
    let document = Document::of_size(3000);
    let job = CompletedJob::start(document.clone(), &[]).await;
    let folder = job.folder.path();
    std::fs::write(folder.join(PARTIAL_FILE), &document.bytes).unwrap();
    std::fs::write(folder.join(TAG_FILE), ORIGINAL_ETAG).unwrap();

    let output = job.run_get(&["10001"]).await;

    assert_exit_code(&output, 0);
    // A range must not be empty, and the response is needed for the file name.
    assert_eq!(job.bucket.requests()[0].header("range"), Some("bytes=2999-"));
    assert!(std::fs::read(folder.join(FILE_NAME)).unwrap() == document.bytes);
}

#[tokio::test]
async fn two_runs_cannot_write_the_same_file() {
    let job = CompletedJob::start(Document::of_size(3000), &[]).await;
    let partial_path = job.folder.path().join(PARTIAL_FILE);
    let file_of_other_run = std::fs::File::create(&partial_path).unwrap();
    file_of_other_run.lock().unwrap();

    let output = job.run_get(&["10001"]).await;

    assert_exit_code(&output, 1);
    assert_stderr_contains(&output, "is being written by another run");
    assert!(job.bucket.requests().is_empty() && partial_path.exists());

    // The download succeeds as soon as the lock is released.
    file_of_other_run.unlock().unwrap();
    let output = job.run_get(&["10001"]).await;
    assert_exit_code(&output, 0);
}

/// A bucket that ignores `If-Range` sends a part of the changed document.
#[tokio::test]
async fn part_of_a_changed_document_is_not_appended_to_old_bytes() {
    // The first run leaves a partial file with the first 2000 bytes.
    let first = CompletedJob::start(Document::of_size(3000), &[Fault::BreakAfter(2000)]).await;
    let output = first.run_get(&["--job=j1", "--retries=0"]).await;
    assert_exit_code(&output, 5);

    let changed_bytes: Vec<u8> = vec![7; 3000];
    let bucket = start_bucket_without_if_range(&changed_bytes).await;
    let server = MockServer::start().await;
    serve_completed_job(&server, 3000, &format!("{}/one", bucket.uri())).await;

    let output = run_get(&server, first.folder.path(), &["--job=j1"]).await;

    assert_exit_code(&output, 0);
    assert!(std::fs::read(first.folder.path().join(FILE_NAME)).unwrap() == changed_bytes);
}

/// Starts a bucket with the changed document of 3000 bytes at `/one`. It serves the range from
/// byte 2000 whatever the request's `If-Range` header contains.
async fn start_bucket_without_if_range(bytes: &[u8]) -> MockServer {
    let bucket = MockServer::start().await;
    let whole_document = ResponseTemplate::new(200)
        .insert_header("etag", CHANGED_ETAG)
        .insert_header("content-disposition", "attachment; filename=\"order.pdf\"")
        .set_body_bytes(bytes);
    let last_part = ResponseTemplate::new(206)
        .insert_header("etag", CHANGED_ETAG)
        .insert_header("content-range", "bytes 2000-2999/3000")
        .set_body_bytes(&bytes[2000..]);
    Mock::given(method("GET"))
        .and(path("/one"))
        .and(header("range", "bytes=2000-"))
        .respond_with(last_part)
        .mount(&bucket)
        .await;
    Mock::given(header_exists("accept-encoding")).respond_with(whole_document).mount(&bucket).await;
    bucket
}

#[tokio::test]
async fn proxy_page_does_not_discard_the_partial_file() {
    let document = Document::of_size(3000);
    let bucket = Bucket::start(document.clone(), &[Fault::BreakAfter(2000)]).await;
    let proxy = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_raw("<html>hello</html>", "text/html"))
        .mount(&proxy)
        .await;
    let server = MockServer::start().await;
    let status = completed_job_status("j1", &[JobDocument::completed(FIRST_FILE, 3000)]);
    serve_job_status(&server, "j1", &[status]).await;
    // The first try breaks off, the second try gets the page of the proxy, and the third try
    // reaches the bucket again.
    for url in [bucket.url("one"), format!("{}/one", proxy.uri())] {
        download_request("GET", "j1_10001")
            .respond_with(presigned_url_response(&url))
            .up_to_n_times(1)
            .mount(&server)
            .await;
    }
    serve_presigned_url(&server, "j1_10001", &bucket.url("one")).await;
    let folder = TempDir::new().unwrap();

    let output = run_get(&server, folder.path(), &["--job=j1"]).await;

    assert_exit_code(&output, 0);
    assert_eq!(bucket.requests()[1].header("range"), Some("bytes=2000-"));
    assert!(std::fs::read(folder.path().join(FILE_NAME)).unwrap() == document.bytes);
}

//! Tests of `docferry get`: which files it creates, resumes and refuses.
#![allow(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use support::jobs::{accepts, call, job, lies, ok, stands};
use support::store::{Document, Fault, Store, document};
use support::{PASSWORD, api, docferry, json_lines, problem, stderr, stdout};
use tempfile::TempDir;
use wiremock::{MockServer, ResponseTemplate};

/// Starts a service with a completed job of one document, and the bucket with the document.
async fn ready(document: Document, faults: &[Fault]) -> (MockServer, Store, TempDir) {
    let (server, size) = (MockServer::start().await, document.bytes.len() as u64);
    let store = Store::start(document, faults).await;
    accepts(&server, "j1").await;
    stands(&server, "j1", &[job("j1", "completed", &[(10_001, "completed", size)])]).await;
    lies(&server, "j1_10001", &store.url("one")).await;
    (server, store, TempDir::new().unwrap())
}

async fn get(server: &MockServer, target: &Path, args: &[&str]) -> Output {
    let output = format!("--output={}", target.display());
    docferry(&api(server), PASSWORD, &[&["get", &output][..], args].concat()).await
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

async fn posted(server: &MockServer) -> Vec<wiremock::Request> {
    let requests = server.received_requests().await.unwrap();
    requests.into_iter().filter(|request| request.method.as_str() == "POST").collect()
}

#[tokio::test]
async fn get_downloads_all_documents_of_one_job_under_their_names() {
    let server = MockServer::start().await;
    let (a, b) = (document(3_000_000, "\"a\"", "order.pdf"), document(0, "\"b\"", "empty.txt"));
    let (first, second) = (Store::start(a.clone(), &[]).await, Store::start(b, &[]).await);
    accepts(&server, "j1").await;
    let items = [(10_001, "completed", 3_000_000), (10_002, "completed", 0)];
    let waiting = [(10_001, "running", 3_000_000), (10_002, "queued", 0)];
    stands(&server, "j1", &[job("j1", "running", &waiting), job("j1", "completed", &items)]).await;
    lies(&server, "j1_10001", &first.url("one")).await;
    lies(&server, "j1_10002", &second.url("two")).await;
    let folder = TempDir::new().unwrap();
    let output = get(&server, folder.path(), &["10001", "10002", "--priority=high"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(files(folder.path()), ["empty.txt", "order.pdf"]);
    assert!(std::fs::read(folder.path().join("order.pdf")).unwrap() == a.bytes);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let expected =
        format!("{}  3000000 bytes\n{}  0 bytes\n", path("order.pdf"), path("empty.txt"));
    assert_eq!(stdout(&output), expected);
    let asked = posted(&server).await;
    let body = json!({ "file_ids": [10_001, 10_002], "priority": "high", "onItemError": "skip" });
    assert_eq!(asked[0].body_json::<Value>().unwrap(), body);
    // A presigned URL needs no credentials, and S3 refuses a request with them.
    for request in [first.asked(), second.asked()].concat() {
        assert_eq!(request.header("authorization"), None);
    }
    assert!(!(stdout(&output) + &stderr(&output)).contains("open-sesame"));
}

#[tokio::test]
async fn get_prints_paths_as_json_without_presigned_urls() {
    let (server, _store, folder) = ready(document(10, "\"a\"", "order.pdf"), &[]).await;
    let file = folder.path().join("mine.pdf");
    let output = get(&server, &file, &["10001", "--json"]).await;
    let expected = json!({ "jobId": "j1_10001", "file_id": 10_001, "path": file, "size": 10,
        "skipped": false });
    assert_eq!(json_lines(&output), [expected], "{}", stderr(&output));
    assert_eq!(files(folder.path()), ["mine.pdf"]);
}

#[tokio::test]
async fn get_resumes_after_a_broken_connection() {
    let whole = document(3_000_000, "\"a\"", "order.pdf");
    let faults = [Fault::BreakAfter(1_000_000), Fault::BreakAfter(500_000)];
    let (server, store, folder) = ready(whole.clone(), &faults).await;
    let output = get(&server, folder.path(), &["10001"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let asked = store.asked();
    let ranges: Vec<_> = asked.iter().map(|request| request.header("range")).collect();
    assert_eq!(ranges, [None, Some("bytes=1000000-"), Some("bytes=1500000-")]);
    assert_eq!(asked[1].header("if-range"), Some("\"a\""));
    assert!(std::fs::read(folder.path().join("order.pdf")).unwrap() == whole.bytes);
    assert_eq!(files(folder.path()), ["order.pdf"]);
}

#[tokio::test]
async fn later_run_resumes_and_restarts_for_a_changed_document() {
    for (tag, expected) in [("\"a\"", "bytes=2000-"), ("\"b\"", "bytes=2000-")] {
        let faults = [Fault::BreakAfter(2000)];
        let (server, _store, folder) = ready(document(3000, "\"a\"", "order.pdf"), &faults).await;
        let output = get(&server, folder.path(), &["10001", "--retries=0"]).await;
        assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
        assert_eq!(files(folder.path()), ["document-10001.part", "document-10001.part.tag"]);

        let mut now = document(3000, tag, "order.pdf");
        if tag == "\"b\"" {
            now.bytes.reverse();
        }
        let (server, store, _) = ready(now.clone(), &[]).await;
        let output = get(&server, folder.path(), &["10001"]).await;
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(store.asked()[0].header("range"), Some(expected));
        assert!(std::fs::read(folder.path().join("order.pdf")).unwrap() == now.bytes, "{tag}");
        assert_eq!(files(folder.path()), ["order.pdf"]);
    }
}

#[tokio::test]
async fn two_runs_cannot_write_the_same_file() {
    let (server, store, folder) = ready(document(3000, "\"a\"", "order.pdf"), &[]).await;
    let part = folder.path().join("document-10001.part");
    let other = std::fs::File::create(&part).unwrap();
    other.lock().unwrap();
    let output = get(&server, folder.path(), &["10001"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("is being written by another run"), "{}", stderr(&output));
    assert!(store.asked().is_empty() && part.exists());
    other.unlock().unwrap();
    let output = get(&server, folder.path(), &["10001"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[tokio::test]
async fn complete_partial_file_is_moved_to_its_target() {
    let (server, store, folder) = ready(document(3000, "\"a\"", "order.pdf"), &[]).await;
    let whole = document(3000, "\"a\"", "order.pdf").bytes;
    std::fs::write(folder.path().join("document-10001.part"), &whole).unwrap();
    std::fs::write(folder.path().join("document-10001.part.tag"), "\"a\"").unwrap();
    let output = get(&server, folder.path(), &["10001"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(store.asked()[0].header("range"), Some("bytes=2999-"));
    assert!(std::fs::read(folder.path().join("order.pdf")).unwrap() == whole);
}

#[tokio::test]
async fn expired_presigned_url_is_replaced_by_a_new_one() {
    let server = MockServer::start().await;
    let store = Store::start(document(10, "\"a\"", "order.pdf"), &[Fault::Status(403)]).await;
    stands(&server, "j1", &[job("j1", "completed", &[(10_001, "completed", 10)])]).await;
    call("GET", "j1_10001")
        .respond_with(ok(&json!({ "url": store.url("old"), "expiresAt": "2026-11-23T09:00:00Z" })))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    lies(&server, "j1_10001", &store.url("new")).await;
    let folder = TempDir::new().unwrap();
    let output = get(&server, folder.path(), &["--job=j1"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let paths: Vec<_> = store.asked().into_iter().map(|request| request.path).collect();
    assert!(paths[0].starts_with("/old?") && paths[1].starts_with("/new?"), "{paths:?}");
}

#[tokio::test]
async fn downloaded_document_of_wrong_size_is_discarded() {
    let (server, _store, folder) = ready(document(10, "\"a\"", "order.pdf"), &[]).await;
    stands(&server, "j2", &[job("j2", "completed", &[(10_001, "completed", 11)])]).await;
    let other = Store::start(document(10, "\"a\"", "order.pdf"), &[]).await;
    lies(&server, "j2_10001", &other.url("one")).await;
    let output = get(&server, folder.path(), &["--job=j2"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("10 bytes instead of 11"), "{}", stderr(&output));
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn file_name_cannot_leave_the_target_folder() {
    let mut hostile = document(10, "\"a\"", "x");
    hostile.disposition =
        Some("attachment; filename=\"x\"; filename*=UTF-8''..%2F..%2F.bashrc".into());
    let (server, _store, folder) = ready(hostile, &[]).await;
    let inner = folder.path().join("a/b");
    let output = get(&server, &inner.join(""), &["10001"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!((files(folder.path()), files(&inner)), (vec!["a".into()], vec!["_bashrc".into()]));
}

#[tokio::test]
async fn existing_file_is_kept_unless_forced() {
    let whole = document(10, "\"a\"", "order.pdf");
    let (server, _store, folder) = ready(whole.clone(), &[]).await;
    let file = folder.path().join("order.pdf");
    std::fs::write(&file, "mine").unwrap();
    for (args, code, mine) in
        [(&[][..], 1, true), (&["--skip-existing"], 0, true), (&["--force"], 0, false)]
    {
        let output = get(&server, folder.path(), &[&["10001"], args].concat()).await;
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert_eq!(std::fs::read(&file).unwrap() == b"mine", mine, "{args:?}");
        assert_eq!(files(folder.path()), ["order.pdf"], "{args:?}");
    }
    // With a file name in --output, the check comes before the job is created.
    let before = posted(&server).await.len();
    let output = get(&server, &file, &["10001"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(posted(&server).await.len(), before);
}

#[tokio::test]
async fn documents_with_the_same_name_do_not_replace_each_other() {
    let server = MockServer::start().await;
    let store = Store::start(document(10, "\"a\"", "order.pdf"), &[]).await;
    let items = [(10_001, "completed", 10), (10_002, "completed", 10)];
    stands(&server, "j1", &[job("j1", "completed", &items)]).await;
    for id in ["j1_10001", "j1_10002"] {
        lies(&server, id, &store.url(id)).await;
    }
    let folder = TempDir::new().unwrap();
    let output = get(&server, folder.path(), &["--job=j1", "--force"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(files(folder.path()), ["order (2).pdf", "order.pdf"]);
}

#[tokio::test]
async fn get_waits_until_a_document_is_ready() {
    let server = MockServer::start().await;
    let store = Store::start(document(10, "\"a\"", "order.pdf"), &[]).await;
    stands(&server, "j1", &[job("j1", "completed", &[(10_001, "completed", 10)])]).await;
    let running = job("j1_10001", "running", &[(10_001, "running", 10)]);
    call("GET", "j1_10001")
        .respond_with(ResponseTemplate::new(409).set_body_json(running))
        .up_to_n_times(2)
        .mount(&server)
        .await;
    lies(&server, "j1_10001", &store.url("one")).await;
    let folder = TempDir::new().unwrap();
    let output = get(&server, folder.path(), &["--job=j1"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(files(folder.path()), ["order.pdf"]);
}

#[tokio::test]
async fn get_exits_2_with_the_reason_and_downloads_the_others() {
    let server = MockServer::start().await;
    let store = Store::start(document(10, "\"a\"", "order.pdf"), &[]).await;
    let items = [(10_001, "failed", 0), (10_002, "completed", 10)];
    stands(&server, "partial", &[job("partial", "completed", &items)]).await;
    stands(&server, "all", &[job("all", "failed", &[(10_001, "failed", 0)])]).await;
    lies(&server, "partial_10002", &store.url("two")).await;
    let folder = TempDir::new().unwrap();
    for (id, count) in [("all", 0), ("partial", 1)] {
        let output = get(&server, folder.path(), &["--job", id]).await;
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        let shown = stderr(&output);
        assert!(shown.contains("The document was not found. [SOURCE_NOT_FOUND]"), "{shown}");
        assert_eq!(files(folder.path()).len(), count);
    }
}

#[tokio::test]
async fn get_exits_1_for_unknown_ids_and_3_after_the_timeout() {
    let (server, folder) = (MockServer::start().await, TempDir::new().unwrap());
    let output = get(&server, folder.path(), &["--job=unknown"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let body = json!({ "title": "Invalid request", "status": 400, "code": "INVALID_REQUEST",
        "errors": [{ "pointer": "/file_id", "detail": "is not known" }] });
    call("POST", "initiate").respond_with(problem(400, &body)).mount(&server).await;
    let output = get(&server, folder.path(), &["7"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("/file_id: is not known"), "{}", stderr(&output));
    stands(&server, "slow", &[job("slow", "running", &[(10_001, "running", 10)])]).await;
    let output = get(&server, folder.path(), &["--job=slow", "--timeout=1"]).await;
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
}

#[tokio::test]
async fn get_retries_a_lost_response_with_the_same_key() {
    let (server, _store, folder) = {
        let server = MockServer::start().await;
        for status in [503, 409] {
            call("POST", "initiate")
                .respond_with(ResponseTemplate::new(status))
                .up_to_n_times(1)
                .mount(&server)
                .await;
        }
        let store = Store::start(document(10, "\"a\"", "order.pdf"), &[]).await;
        accepts(&server, "j1").await;
        stands(&server, "j1", &[job("j1", "completed", &[(10_001, "completed", 10)])]).await;
        lies(&server, "j1_10001", &store.url("one")).await;
        (server, store, TempDir::new().unwrap())
    };
    let output = get(&server, folder.path(), &["10001"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let asked = posted(&server).await;
    let keys: Vec<_> = asked.iter().map(|request| &request.headers["idempotency-key"]).collect();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0] && key.len() >= 32), "{keys:?}");
}

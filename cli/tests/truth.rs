//! Tests that the command reports exactly what happened: responses of other servers,
//! existing files, closed pipes, and jobs that are completed without some documents.
#![allow(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::json;
use support::jobs::{accepts, call, job, lies, ok, stands};
use support::store::{Fault, Store, document};
use support::{
    PASSWORD, answers, api, asked_for, command, docferry, json_lines, serves_transfer_status,
    stderr, stdout,
};
use tempfile::TempDir;
use wiremock::matchers::{any, header, header_exists, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn stderr_contains(output: &Output, text: &str) -> bool {
    stderr(output).contains(text)
}

fn web_page(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw("<html>hello</html>", "text/html")
}

#[tokio::test]
async fn responses_of_another_host_are_recognized() {
    let foreign = [
        web_page(404),
        web_page(403),
        ResponseTemplate::new(404).set_body_json(json!({ "message": "Not Found" })),
        // API Gateway's response for a wrong stage.
        ResponseTemplate::new(403)
            .set_body_json(json!({ "message": "Missing Authentication Token" })),
        ResponseTemplate::new(404),
    ];
    for (at, answer) in foreign.into_iter().enumerate() {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(answer).mount(&server).await;
        for args in [
            &["watch", "t1", "--retries=0"][..],
            &["cancel", "t1", "--retries=0"],
            &["list", "--retries=0"],
            &["get", "--job=j1", "--retries=0"],
            &["send", "QQ==", "--email=judge@example.test", "--retries=0"],
        ] {
            let output = docferry(&api(&server), PASSWORD, args).await;
            assert_eq!(output.status.code(), Some(1), "{at} {args:?}: {}", stderr(&output));
            assert!(stderr_contains(&output, "--api"), "{at} {args:?}: {}", stderr(&output));
            assert!(!stderr_contains(&output, "forgotten"), "{at} {args:?}: {}", stderr(&output));
        }
    }
}

#[tokio::test]
async fn unknown_host_name_is_reported() {
    let args = ["watch", "t1", "--retries=0"];
    let output = docferry("http://no-such-host.invalid/local", PASSWORD, &args).await;
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(
        stderr_contains(&output, "could not be reached") && stderr_contains(&output, "host name")
    );
    assert!(!stderr_contains(&output, "forgotten"), "{}", stderr(&output));
}

#[tokio::test]
async fn foreign_responses_do_not_end_a_watch() {
    let server = MockServer::start().await;
    let mut responses = answers(&[10]);
    responses.extend([web_page(200), web_page(403), ResponseTemplate::new(404)]);
    responses.extend(answers(&[100]));
    serves_transfer_status(&server, "t1", responses).await;
    let output = docferry(&api(&server), PASSWORD, &["watch", "t1"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[tokio::test]
async fn persistent_foreign_responses_end_a_watch_after_retries() {
    let server = MockServer::start().await;
    serves_transfer_status(&server, "t1", vec![web_page(200)]).await;
    let output = docferry(&api(&server), PASSWORD, &["watch", "t1", "--retries=2"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let requests = server.received_requests().await.unwrap();
    let polls = requests.iter().filter(|request| request.url.path().contains("/document/status"));
    assert_eq!(polls.count(), 3);
}

#[tokio::test]
async fn watch_without_any_response_prints_a_json_line() {
    let server = MockServer::start().await;
    asked_for("t1")
        .respond_with(ResponseTemplate::new(503).insert_header("retry-after", "60"))
        .mount(&server)
        .await;
    let output = docferry(&api(&server), PASSWORD, &["--json", "watch", "t1", "--timeout=1"]).await;
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let lines = json_lines(&output);
    assert_eq!(lines[0]["transferId"], "t1");
    assert!(lines[0]["problem"]["detail"].as_str().unwrap().contains("did not respond in time"));
}

#[tokio::test]
async fn job_completed_without_some_documents_exits_6() {
    let server = MockServer::start().await;
    let items = [(10_001, "failed", 10), (10_002, "completed", 20)];
    stands(&server, "partial", &[job("partial", "completed", &items)]).await;
    let output = docferry(&api(&server), PASSWORD, &["watch", "partial"]).await;
    assert_eq!(output.status.code(), Some(6), "{}", stderr(&output));
    assert!(stdout(&output).contains("completed without 1 of its documents"));

    // The count of failed items alone is enough.
    let mut counted = job("count", "completed", &items[1..]);
    counted["failedItems"] = json!(3);
    stands(&server, "count", &[counted]).await;
    let output = docferry(&api(&server), PASSWORD, &["--json", "watch", "count"]).await;
    assert_eq!(output.status.code(), Some(6), "{}", stderr(&output));
    assert_eq!(json_lines(&output)[0]["failedItems"], 3);

    let all = job("all", "completed", &[(10_001, "completed", 10)]);
    stands(&server, "all", &[all]).await;
    let output = docferry(&api(&server), PASSWORD, &["watch", "all"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[tokio::test]
async fn closed_pipe_ends_the_command_without_an_error() {
    let server = MockServer::start().await;
    let done = answers(&[100]).remove(0).set_delay(Duration::from_millis(500));
    serves_transfer_status(&server, "t1", vec![done]).await;
    for args in [&["watch", "t1"][..], &["--json", "watch", "t1"]] {
        let mut watching = command(&api(&server), PASSWORD, args);
        let mut child = watching.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap());
        let output = ended.await.unwrap();
        assert_eq!(output.status.code(), Some(141), "{}", stderr(&output));
        assert!(!stderr_contains(&output, "could not be printed"), "{}", stderr(&output));
    }
}

#[cfg(feature = "admin")]
#[tokio::test]
async fn import_error_names_the_missing_file_and_the_cause() {
    let args = ["documents", "import", "no such file.ndjson", "--table=t"];
    let output = docferry("http://localhost/", PASSWORD, &args).await;
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr_contains(&output, "the file no such file.ndjson cannot be read"),
        "{}",
        stderr(&output)
    );
    assert!(stderr_contains(&output, "No such file or directory"), "{}", stderr(&output));
    assert!(!stderr_contains(&output, "could not be printed"), "{}", stderr(&output));
}

#[tokio::test]
async fn get_checks_for_existing_files_before_creating_a_job() {
    let server = MockServer::start().await;
    call("POST", "check")
        .respond_with(ok(&json!({ "file_id": 10_001, "available": true, "fileName": "order.pdf" })))
        .mount(&server)
        .await;
    accepts(&server, "j1").await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("order.pdf");
    std::fs::write(&file, "mine").unwrap();
    let to = format!("--output={}", folder.path().display());
    let output = docferry(&api(&server), PASSWORD, &["--json", "get", "10001", &to]).await;
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr_contains(&output, "order.pdf already exists"), "{}", stderr(&output));
    assert_eq!(json_lines(&output)[0]["file_id"], 10_001);

    let to = format!("--output={}", file.display());
    let args = ["--json", "get", "10001", &to, "--skip-existing"];
    let output = docferry(&api(&server), PASSWORD, &args).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(json_lines(&output)[0]["skipped"], true);

    let requests = server.received_requests().await.unwrap();
    assert!(requests.iter().all(|request| request.url.path().ends_with("/check")));
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
}

#[tokio::test]
async fn get_reports_that_a_job_may_have_been_created() {
    let server = MockServer::start().await;
    call("POST", "initiate").respond_with(ResponseTemplate::new(504)).mount(&server).await;
    let folder = TempDir::new().unwrap();
    let to = format!("--output={}", folder.path().display());
    let output = docferry(&api(&server), PASSWORD, &["get", "10001", &to, "--retries=0"]).await;
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(stderr_contains(&output, "a job may have been created"), "{}", stderr(&output));
}

#[tokio::test]
async fn retry_without_response_is_not_reported_as_refused() {
    let server = MockServer::start().await;
    call("POST", "retry/j1").respond_with(ResponseTemplate::new(504)).mount(&server).await;
    let output = docferry(&api(&server), PASSWORD, &["retry", "j1"]).await;
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    let unknown = "it is not known whether job j1 was retried";
    assert!(stderr_contains(&output, unknown), "{}", stderr(&output));
    assert!(!stderr_contains(&output, "was not retried"), "{}", stderr(&output));
}

#[tokio::test]
async fn cancel_without_response_is_reported_and_others_are_canceled() {
    let server = MockServer::start().await;
    for id in ["j1", "j2"] {
        let running = job(id, "running", &[(10_001, "running", 10)]);
        stands(&server, id, &[running]).await;
    }
    call("POST", "cancel/j1").respond_with(ResponseTemplate::new(504)).mount(&server).await;
    call("POST", "cancel/j2")
        .respond_with(
            ResponseTemplate::new(202)
                .set_body_json(json!({ "jobId": "j2", "status": "canceling" })),
        )
        .mount(&server)
        .await;
    let args = ["--json", "cancel", "j1", "j2", "--retries=0"];
    let output = docferry(&api(&server), PASSWORD, &args).await;
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    let unknown = "it is not known whether the cancel request for j1 was accepted";
    assert!(stderr_contains(&output, unknown), "{}", stderr(&output));
    let lines = json_lines(&output);
    assert_eq!(lines[0]["jobId"], "j1");
    assert_eq!(lines[1], json!({ "jobId": "j2", "outcome": "asked" }));
}

/// A store that ignores `If-Range` sends a part of the changed document.
#[tokio::test]
async fn part_of_a_changed_document_is_not_appended_to_old_bytes() {
    let first = document(3000, "\"a\"", "order.pdf");
    let broken = Store::start(first, &[Fault::BreakAfter(2000)]).await;
    let server = MockServer::start().await;
    stands(&server, "j1", &[job("j1", "completed", &[(10_001, "completed", 3000)])]).await;
    lies(&server, "j1_10001", &broken.url("one")).await;
    let folder = TempDir::new().unwrap();
    let to = format!("--output={}", folder.path().display());
    let output = docferry(&api(&server), PASSWORD, &["get", "--job=j1", &to, "--retries=0"]).await;
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));

    let now: Vec<u8> = vec![7; 3000];
    let store = MockServer::start().await;
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
        .mount(&store)
        .await;
    Mock::given(header_exists("accept-encoding")).respond_with(whole).mount(&store).await;
    let server = MockServer::start().await;
    stands(&server, "j1", &[job("j1", "completed", &[(10_001, "completed", 3000)])]).await;
    lies(&server, "j1_10001", &format!("{}/one", store.uri())).await;
    let output = docferry(&api(&server), PASSWORD, &["get", "--job=j1", &to]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(std::fs::read(folder.path().join("order.pdf")).unwrap() == now);
}

#[tokio::test]
async fn proxy_page_does_not_discard_the_partial_file() {
    let whole = document(3000, "\"a\"", "order.pdf");
    let store = Store::start(whole.clone(), &[Fault::BreakAfter(2000)]).await;
    let proxy = MockServer::start().await;
    Mock::given(any()).respond_with(web_page(200)).mount(&proxy).await;
    let server = MockServer::start().await;
    stands(&server, "j1", &[job("j1", "completed", &[(10_001, "completed", 3000)])]).await;
    for url in [store.url("one"), format!("{}/one", proxy.uri())] {
        call("GET", "j1_10001")
            .respond_with(ok(&json!({ "url": url, "expiresAt": "2026-11-23T09:16:00.000Z" })))
            .up_to_n_times(1)
            .mount(&server)
            .await;
    }
    lies(&server, "j1_10001", &store.url("one")).await;
    let folder = TempDir::new().unwrap();
    let to = format!("--output={}", folder.path().display());
    let output = docferry(&api(&server), PASSWORD, &["get", "--job=j1", &to]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(store.asked()[1].header("range"), Some("bytes=2000-"));
    assert!(std::fs::read(folder.path().join("order.pdf")).unwrap() == whole.bytes);
}

#[tokio::test]
async fn removed_document_is_reported_as_gone() {
    let store = Store::start(document(10, "\"a\"", "order.pdf"), &[Fault::Status(404)]).await;
    let server = MockServer::start().await;
    stands(&server, "j1", &[job("j1", "completed", &[(10_001, "completed", 10)])]).await;
    lies(&server, "j1_10001", &store.url("one")).await;
    let folder = TempDir::new().unwrap();
    let to = format!("--output={}", folder.path().display());
    let output = docferry(&api(&server), PASSWORD, &["get", "--job=j1", &to]).await;
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr_contains(&output, "no longer in the delivery bucket"), "{}", stderr(&output));
}

//! Tests of `docferry list` and `docferry retry`, and of jobs in `docferry watch` and
//! `docferry cancel`.
#![allow(clippy::unwrap_used, reason = "test helpers")]

mod support;

use serde_json::{Value, json};
use support::jobs::{download_request, job_status, json_response, serve_job_status};
use support::{
    PASSWORD, api_url, assert_exit_code, json_lines, problem_response, run_docferry,
    serve_transfer_status, stderr, stdout, transfer_status, transfer_status_responses,
};
use wiremock::matchers::{query_param, query_param_is_missing};
use wiremock::{MockServer, ResponseTemplate};

fn summary(id: &str, status: &str) -> Value {
    let mut summary = job_status(id, status, &[]);
    let fields = summary.as_object_mut().unwrap();
    fields.retain(|name, _| ["jobId", "status", "attempts", "timestamps"].contains(&name.as_str()));
    fields.insert("totalFileIds".into(), json!(3));
    fields.insert("note".into(), json!("a member that this client does not know"));
    summary
}

fn page(ids: &[&str], next: Option<&str>) -> ResponseTemplate {
    let items: Vec<_> = ids.iter().map(|id| summary(id, "completed")).collect();
    json_response(&json!({ "items": items, "nextPageToken": next }))
}

/// Serves a history of three pages, with two jobs, one job and two jobs.
async fn history(server: &MockServer) {
    download_request("GET", "history")
        .and(query_param_is_missing("pageToken"))
        .respond_with(page(&["j5", "j4"], Some("a/+=")))
        .mount(server)
        .await;
    for (token, ids, next) in [("a/+=", &["j3"][..], Some("b")), ("b", &["j2", "j1"], None)] {
        download_request("GET", "history")
            .and(query_param("pageToken", token))
            .respond_with(page(ids, next))
            .mount(server)
            .await;
    }
}

fn ids(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["jobId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn list_reads_pages_up_to_the_limit() {
    let server = MockServer::start().await;
    history(&server).await;
    let output = run_docferry(&api_url(&server), PASSWORD, &["--json", "list"]).await;
    assert_exit_code(&output, 0);

    let lines = json_lines(&output);
    assert_eq!(ids(&lines), ["j5", "j4", "j3", "j2", "j1"]);
    assert_eq!(lines[0], summary("j5", "completed"));

    let before = server.received_requests().await.unwrap().len();
    let output = run_docferry(&api_url(&server), PASSWORD, &["list", "--limit=3"]).await;
    let text = stdout(&output);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.starts_with("j5  2026-11-23T09:00:00.000Z  completed "), "{text}");
    assert_eq!(server.received_requests().await.unwrap().len() - before, 2);
}

#[tokio::test]
async fn list_filters_by_person_and_state() {
    let server = MockServer::start().await;
    download_request("GET", "jobs")
        .and(query_param("userId", "sub:ada+1"))
        .and(query_param("status", "processing_artifacts"))
        .respond_with(page(&["j1"], None))
        .mount(&server)
        .await;
    let args = ["list", "--user=sub:ada+1", "--status=processing_artifacts"];
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;
    assert_exit_code(&output, 0);
    assert_eq!(stdout(&output).lines().count(), 1);
}

#[tokio::test]
async fn retry_waits_for_cleanup_and_watches_the_job() {
    let server = MockServer::start().await;
    let accepted = json!({ "jobId": "j1", "status": "queued", "attempts": 2, "nextPollInMs": 100,
        "expiresAt": "2026-11-24T09:00:00.000Z" });
    // The last run is still being cleaned up.
    let refusal_before_cleanup =
        json!({ "title": "Not yet", "status": 409, "code": "NOT_SETTLED" });
    download_request("POST", "retry/j1")
        .respond_with(problem_response(409, &refusal_before_cleanup))
        .up_to_n_times(2)
        .mount(&server)
        .await;
    download_request("POST", "retry/j1")
        .respond_with(ResponseTemplate::new(202).set_body_json(accepted))
        .mount(&server)
        .await;
    let done = job_status("j1", "completed", &[(10_001, "completed", 10)]);
    serve_job_status(
        &server,
        "j1",
        &[job_status("j1", "running", &[(10_001, "running", 10)]), done],
    )
    .await;
    let output = run_docferry(&api_url(&server), PASSWORD, &["retry", "j1", "--watch"]).await;
    assert_exit_code(&output, 0);

    let expected = "j1  retried, attempt 2\nj1  1 of 1 documents  10 bytes  completed\n";
    assert_eq!(stdout(&output), expected);
}

#[tokio::test]
async fn retry_is_not_repeated_when_it_may_have_taken_effect() {
    let server = MockServer::start().await;
    for (id, code, exit) in [("busy", 503, 5), ("runs", 409, 1), ("gone", 404, 1)] {
        download_request("POST", &format!("retry/{id}"))
            .respond_with(problem_response(code, &json!({ "title": "No", "status": code })))
            .mount(&server)
            .await;
        let output = run_docferry(&api_url(&server), PASSWORD, &["retry", id]).await;
        assert_eq!(output.status.code(), Some(exit), "{id}: {}", stderr(&output));
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

#[tokio::test]
async fn watch_handles_jobs_and_transfers_together() {
    let server = MockServer::start().await;
    let running = job_status("j1", "queued", &[(10_001, "queued", 10), (10_002, "queued", 20)]);
    let done =
        job_status("j1", "completed", &[(10_001, "completed", 10), (10_002, "completed", 20)]);
    serve_job_status(&server, "j1", &[running.clone(), running, done.clone()]).await;
    serve_transfer_status(&server, "t1", transfer_status_responses(&[10, 100])).await;
    let output = run_docferry(&api_url(&server), PASSWORD, &["--json", "watch", "j1", "t1"]).await;
    assert_exit_code(&output, 0);
    // The presigned URLs of the documents are not printed.
    let mut expected = done;
    expected.as_object_mut().unwrap().retain(|name, _| name != "url" && name != "result");
    assert_eq!(json_lines(&output), [expected, transfer_status(100)]);
}

#[tokio::test]
async fn transfer_known_to_both_apis_is_watched_as_transfer() {
    let server = MockServer::start().await;
    let mut known = job_status("t1", "running", &[(0, "running", 10)]);
    known["items"][0]["file_id"] = Value::Null;
    serve_job_status(&server, "t1", &[known]).await;
    serve_transfer_status(&server, "t1", transfer_status_responses(&[100])).await;
    let output = run_docferry(&api_url(&server), PASSWORD, &["--json", "watch", "t1"]).await;
    assert_eq!(json_lines(&output), [transfer_status(100)], "{}", stderr(&output));
}

#[tokio::test]
async fn watch_of_failed_or_canceled_jobs_exits_2_with_the_reason() {
    let server = MockServer::start().await;
    serve_job_status(&server, "bad", &[job_status("bad", "failed", &[(10_001, "failed", 10)])])
        .await;
    serve_job_status(&server, "off", &[job_status("off", "canceled", &[(10_001, "canceled", 10)])])
        .await;
    for (id, text) in [("bad", "The document was not found."), ("off", "stopped on request")] {
        let output = run_docferry(&api_url(&server), PASSWORD, &["watch", id]).await;
        assert_exit_code(&output, 2);
        assert!(stdout(&output).contains(text), "{}", stdout(&output));
    }
}

#[tokio::test]
async fn cancel_reports_the_state_of_running_and_ended_jobs() {
    let server = MockServer::start().await;
    let running = job_status("runs", "running", &[(10_001, "running", 10)]);
    let canceled = job_status("runs", "canceled", &[(10_001, "canceled", 10)]);
    serve_job_status(&server, "runs", &[running.clone(), running.clone(), running, canceled]).await;
    serve_job_status(
        &server,
        "done",
        &[job_status("done", "completed", &[(10_001, "completed", 10)])],
    )
    .await;
    download_request("POST", "cancel/runs")
        .respond_with(
            ResponseTemplate::new(202)
                .set_body_json(json!({ "jobId": "runs", "status": "canceling" })),
        )
        .mount(&server)
        .await;
    download_request("POST", "cancel/done")
        .respond_with(problem_response(409, &json!({ "title": "It has ended", "status": 409 })))
        .mount(&server)
        .await;
    let args = ["--json", "cancel", "runs", "done", "--watch"];
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;
    assert_exit_code(&output, 0);

    let lines = json_lines(&output);
    assert_eq!(lines[0], json!({ "jobId": "runs", "outcome": "asked" }));
    assert_eq!(lines[1], json!({ "jobId": "done", "outcome": "completed" }));
    assert_eq!((&lines[2]["jobId"], &lines[2]["status"]), (&json!("runs"), &json!("canceled")));
}

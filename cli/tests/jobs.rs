//! Tests of the commands that handle jobs: `docferry list`, `retry`, `watch` and `cancel`.
//!
//! A job makes documents available for download. A transfer, which belongs to the older API,
//! delivers one document to one person's drive. `watch` and `cancel` accept ids of both.
#![allow(clippy::unwrap_used, reason = "test helpers")]

mod support;

use serde_json::{Value, json};
use support::jobs::{
    FIRST_FILE, JobDocument, SECOND_FILE, completed_job_status, download_request, job_status,
    json_response, serve_job_status,
};
use support::{
    PASSWORD, api_url, assert_exit_code, json_lines, problem_response, run_docferry,
    serve_transfer_status, stderr, stdout, transfer_status, transfer_status_responses,
};
use wiremock::matchers::{query_param, query_param_is_missing};
use wiremock::{MockServer, ResponseTemplate};

/// Token of the second page of the history. Its characters have to be encoded in a URL.
const SECOND_PAGE: &str = "a/+=";
/// Token of the third page of the history.
const THIRD_PAGE: &str = "b";

/// Returns the entry of a completed job in a list of jobs.
fn completed_job_summary(job_id: &str) -> Value {
    let mut summary = completed_job_status(job_id, &[]);
    let fields = summary.as_object_mut().unwrap();
    fields.retain(|name, _| ["jobId", "status", "attempts", "timestamps"].contains(&name.as_str()));
    fields.insert("totalFileIds".into(), json!(3));
    fields.insert("note".into(), json!("a member that this client does not know"));
    summary
}

/// Returns a page of a list of jobs, with the token of the page that follows it.
fn page_response(job_ids: &[&str], next_page_token: Option<&str>) -> ResponseTemplate {
    let items: Vec<_> = job_ids.iter().map(|job_id| completed_job_summary(job_id)).collect();
    json_response(&json!({ "items": items, "nextPageToken": next_page_token }))
}

/// Serves a history of three pages: `j5` and `j4`, then `j3`, then `j2` and `j1`.
async fn serve_history(server: &MockServer) {
    download_request("GET", "history")
        .and(query_param_is_missing("pageToken"))
        .respond_with(page_response(&["j5", "j4"], Some(SECOND_PAGE)))
        .mount(server)
        .await;
    for (page_token, job_ids, next_page_token) in
        [(SECOND_PAGE, &["j3"][..], Some(THIRD_PAGE)), (THIRD_PAGE, &["j2", "j1"], None)]
    {
        download_request("GET", "history")
            .and(query_param("pageToken", page_token))
            .respond_with(page_response(job_ids, next_page_token))
            .mount(server)
            .await;
    }
}

/// Returns the job id of each JSON line.
fn job_ids(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["jobId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn list_prints_the_jobs_of_all_pages() {
    let server = MockServer::start().await;
    serve_history(&server).await;

    let output = run_docferry(&api_url(&server), PASSWORD, &["--json", "list"]).await;

    assert_exit_code(&output, 0);
    let lines = json_lines(&output);
    assert_eq!(job_ids(&lines), ["j5", "j4", "j3", "j2", "j1"]);
    assert_eq!(lines[0], completed_job_summary("j5"));
}

#[tokio::test]
async fn list_requests_no_page_beyond_the_limit() {
    let server = MockServer::start().await;
    serve_history(&server).await;

    let output = run_docferry(&api_url(&server), PASSWORD, &["list", "--limit=3"]).await;

    let text = stdout(&output);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.starts_with("j5  2026-11-23T09:00:00.000Z  completed "), "{text}");
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
}

#[tokio::test]
async fn list_filters_by_person_and_state() {
    let server = MockServer::start().await;
    download_request("GET", "jobs")
        .and(query_param("userId", "sub:ada+1"))
        .and(query_param("status", "processing_artifacts"))
        .respond_with(page_response(&["j1"], None))
        .mount(&server)
        .await;

    let args = ["list", "--user=sub:ada+1", "--status=processing_artifacts"];
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;

    assert_exit_code(&output, 0);
    assert_eq!(stdout(&output).lines().count(), 1);
}

#[tokio::test]
async fn retry_with_watch_waits_for_the_cleanup_and_then_for_the_job() {
    let server = MockServer::start().await;
    let accepted_retry = json!({ "jobId": "j1", "status": "queued", "attempts": 2, "nextPollInMs": 100,
        "expiresAt": "2026-11-24T09:00:00.000Z" });
    // The service refuses a retry while the previous run is still being cleaned up.
    let refusal_before_cleanup =
        json!({ "title": "Not yet", "status": 409, "code": "NOT_SETTLED" });
    download_request("POST", "retry/j1")
        .respond_with(problem_response(409, &refusal_before_cleanup))
        .up_to_n_times(2)
        .mount(&server)
        .await;
    download_request("POST", "retry/j1")
        .respond_with(ResponseTemplate::new(202).set_body_json(accepted_retry))
        .mount(&server)
        .await;
    let running = job_status("j1", "running", &[JobDocument::running(FIRST_FILE, 10)]);
    let completed = completed_job_status("j1", &[JobDocument::completed(FIRST_FILE, 10)]);
    serve_job_status(&server, "j1", &[running, completed]).await;

    let output = run_docferry(&api_url(&server), PASSWORD, &["retry", "j1", "--watch"]).await;

    assert_exit_code(&output, 0);
    let expected = "j1  retried, attempt 2\nj1  1 of 1 documents  10 bytes  completed\n";
    assert_eq!(stdout(&output), expected);
}

#[tokio::test]
async fn retry_is_not_repeated_when_it_may_have_taken_effect() {
    let server = MockServer::start().await;
    // Each of these responses ends the command without a retry.
    for (job_id, status, exit_code) in [("busy", 503, 5), ("runs", 409, 1), ("gone", 404, 1)] {
        download_request("POST", &format!("retry/{job_id}"))
            .respond_with(problem_response(status, &json!({ "title": "No", "status": status })))
            .mount(&server)
            .await;

        let output = run_docferry(&api_url(&server), PASSWORD, &["retry", job_id]).await;

        assert_eq!(output.status.code(), Some(exit_code), "{job_id}: {}", stderr(&output));
    }
    // One request for each job.
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

#[tokio::test]
async fn watch_reports_jobs_and_transfers_in_one_run() {
    let server = MockServer::start().await;
    let queued = job_status(
        "j1",
        "queued",
        &[JobDocument::queued(FIRST_FILE, 10), JobDocument::queued(SECOND_FILE, 20)],
    );
    let completed = completed_job_status(
        "j1",
        &[JobDocument::completed(FIRST_FILE, 10), JobDocument::completed(SECOND_FILE, 20)],
    );
    serve_job_status(&server, "j1", &[queued.clone(), queued, completed.clone()]).await;
    serve_transfer_status(&server, "t1", transfer_status_responses(&[10, 100])).await;
    let output = run_docferry(&api_url(&server), PASSWORD, &["--json", "watch", "j1", "t1"]).await;

    assert_exit_code(&output, 0);
    // The presigned URLs of the documents are not printed.
    let mut expected = completed;
    expected.as_object_mut().unwrap().retain(|name, _| name != "url" && name != "result");
    assert_eq!(json_lines(&output), [expected, transfer_status(100)]);
}

#[tokio::test]
async fn transfer_known_to_both_apis_is_watched_as_transfer() {
    let server = MockServer::start().await;
    // The downloads API reports a transfer as a job whose document has neither a file id nor an id
    // of its own.
    let mut transfer_as_job = job_status("t1", "running", &[JobDocument::running(0, 10)]);
    transfer_as_job["items"][0]["file_id"] = Value::Null;
    transfer_as_job["items"][0]["jobId"] = json!("t1");
    serve_job_status(&server, "t1", &[transfer_as_job]).await;
    serve_transfer_status(&server, "t1", transfer_status_responses(&[100])).await;

    let output = run_docferry(&api_url(&server), PASSWORD, &["--json", "watch", "t1"]).await;

    assert_eq!(json_lines(&output), [transfer_status(100)], "{}", stderr(&output));
}

#[tokio::test]
async fn watch_of_failed_or_canceled_jobs_exits_2_with_the_reason() {
    let server = MockServer::start().await;
    let failed = job_status("bad", "failed", &[JobDocument::failed(FIRST_FILE, 10)]);
    let canceled = job_status("off", "canceled", &[JobDocument::canceled(FIRST_FILE, 10)]);
    serve_job_status(&server, "bad", &[failed]).await;
    serve_job_status(&server, "off", &[canceled]).await;

    for (job_id, reason) in [("bad", "The document was not found."), ("off", "stopped on request")]
    {
        let output = run_docferry(&api_url(&server), PASSWORD, &["watch", job_id]).await;

        assert_exit_code(&output, 2);
        assert!(stdout(&output).contains(reason), "{}", stdout(&output));
    }
}

#[tokio::test]
async fn cancel_with_watch_reports_a_stopped_job_and_a_completed_job() {
    let server = MockServer::start().await;
    let running = job_status("runs", "running", &[JobDocument::running(FIRST_FILE, 10)]);
    let canceled = job_status("runs", "canceled", &[JobDocument::canceled(FIRST_FILE, 10)]);
    serve_job_status(&server, "runs", &[running.clone(), running.clone(), running, canceled]).await;
    let completed = completed_job_status("done", &[JobDocument::completed(FIRST_FILE, 10)]);
    serve_job_status(&server, "done", &[completed]).await;
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
    assert_eq!(lines[2]["jobId"], "runs");
    assert_eq!(lines[2]["status"], "canceled");
}

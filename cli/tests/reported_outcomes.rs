//! Tests that `docferry` reports outcomes exactly: a request whose response was lost, a closed
//! pipe, a missing import file, and a job that is completed without some of its documents.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use wiremock::{MockServer, ResponseTemplate};

use support::jobs::{
    FIRST_FILE, JobDocument, SECOND_FILE, completed_job_status, download_request, job_status,
    serve_job_status,
};
use support::{
    PASSWORD, api_url, assert_exit_code, assert_stderr_contains, assert_stderr_lacks,
    docferry_command, json_lines, run_docferry, serve_transfer_status, stdout,
    transfer_status_request, transfer_status_responses,
};

#[tokio::test]
async fn watch_without_any_response_prints_a_json_line() {
    let server = MockServer::start().await;
    transfer_status_request("t1")
        .respond_with(ResponseTemplate::new(503).insert_header("retry-after", "60"))
        .mount(&server)
        .await;

    let output =
        run_docferry(&api_url(&server), PASSWORD, &["--json", "watch", "t1", "--timeout=1"]).await;

    assert_exit_code(&output, 3);
    let lines = json_lines(&output);
    assert_eq!(lines[0]["transferId"], "t1");
    assert!(lines[0]["problem"]["detail"].as_str().unwrap().contains("did not respond in time"));
}

#[tokio::test]
async fn job_completed_without_some_documents_exits_6() {
    let server = MockServer::start().await;
    let failed = JobDocument::failed(FIRST_FILE, 10);
    let completed = JobDocument::completed(SECOND_FILE, 20);

    // A job with a failed entry in `items`.
    let status = completed_job_status("partial", &[failed, completed]);
    serve_job_status(&server, "partial", &[status]).await;

    let output = run_docferry(&api_url(&server), PASSWORD, &["watch", "partial"]).await;

    assert_exit_code(&output, 6);
    assert!(stdout(&output).contains("completed without 1 of its documents"));

    // A job with the number of failed documents in `failedItems`, and no failed entry.
    let mut status = completed_job_status("count", &[completed]);
    status["failedItems"] = json!(3);
    serve_job_status(&server, "count", &[status]).await;

    let output = run_docferry(&api_url(&server), PASSWORD, &["--json", "watch", "count"]).await;

    assert_exit_code(&output, 6);
    assert_eq!(json_lines(&output)[0]["failedItems"], 3);

    // A job that delivered all of its documents.
    let status = completed_job_status("all", &[completed]);
    serve_job_status(&server, "all", &[status]).await;

    let output = run_docferry(&api_url(&server), PASSWORD, &["watch", "all"]).await;

    assert_exit_code(&output, 0);
}

#[tokio::test]
async fn closed_pipe_ends_the_command_without_an_error() {
    let server = MockServer::start().await;
    // The delay lets this test close the pipe before the command prints its result.
    let completed =
        transfer_status_responses(&[100]).remove(0).set_delay(Duration::from_millis(500));
    serve_transfer_status(&server, "t1", vec![completed]).await;

    for args in [&["watch", "t1"][..], &["--json", "watch", "t1"]] {
        let mut watching = docferry_command(&api_url(&server), PASSWORD, args);
        let mut child = watching.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output =
            tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();

        assert_exit_code(&output, 141);
        assert_stderr_lacks(&output, "could not be printed");
    }
}

#[cfg(feature = "admin")]
#[tokio::test]
async fn import_error_names_the_missing_file_and_the_cause() {
    let args = ["documents", "import", "no such file.ndjson", "--table=t"];
    let output = run_docferry("http://localhost/", PASSWORD, &args).await;

    assert_exit_code(&output, 1);
    assert_stderr_contains(&output, "the file no such file.ndjson cannot be read");
    assert_stderr_contains(&output, "No such file or directory");
    assert_stderr_lacks(&output, "could not be printed");
}

#[tokio::test]
async fn retry_without_response_is_not_reported_as_refused() {
    let server = MockServer::start().await;
    download_request("POST", "retry/j1")
        .respond_with(ResponseTemplate::new(504))
        .mount(&server)
        .await;

    let output = run_docferry(&api_url(&server), PASSWORD, &["retry", "j1"]).await;

    assert_exit_code(&output, 5);
    assert_stderr_contains(&output, "it is not known whether job j1 was retried");
    assert_stderr_lacks(&output, "was not retried");
}

#[tokio::test]
async fn cancel_without_response_is_reported_and_others_are_canceled() {
    let server = MockServer::start().await;
    for job_id in ["j1", "j2"] {
        let running = job_status(job_id, "running", &[JobDocument::running(FIRST_FILE, 10)]);
        serve_job_status(&server, job_id, &[running]).await;
    }
    download_request("POST", "cancel/j1")
        .respond_with(ResponseTemplate::new(504))
        .mount(&server)
        .await;
    download_request("POST", "cancel/j2")
        .respond_with(
            ResponseTemplate::new(202)
                .set_body_json(json!({ "jobId": "j2", "status": "canceling" })),
        )
        .mount(&server)
        .await;

    let args = ["--json", "cancel", "j1", "j2", "--retries=0"];
    let output = run_docferry(&api_url(&server), PASSWORD, &args).await;

    assert_exit_code(&output, 5);
    assert_stderr_contains(
        &output,
        "it is not known whether the cancel request for j1 was accepted",
    );
    let lines = json_lines(&output);
    assert_eq!(lines[0]["jobId"], "j1");
    assert_eq!(lines[1], json!({ "jobId": "j2", "outcome": "asked" }));
}

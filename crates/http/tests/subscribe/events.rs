//! Tests of the events that `GET /v1/download/subscribe/{jobId}` sends while a job runs and when it
//! ends.

use docferry_domain::phase::Phase;
use docferry_domain::transfer::Transfer;
use docferry_testkit::Runner;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::common::documents::{FIRST_FILE_ID, world_with_documents};
use crate::common::events::{event_names, parse_events, parse_named_and_unnamed_events};
use crate::common::jobs::{create_job, create_single_document_job};
use crate::common::{build_request, control_routes, send, status_routes};
use crate::support::{last_event_id, open_stream, set_uploaded_bytes};

#[tokio::test(start_paused = true)]
async fn event_stream_reports_a_job_from_start_to_result() {
    let world = world_with_documents(1);
    let id = create_single_document_job(&world).await;
    let queued = world.store().transfers().remove(0);
    let mut stream = open_stream(&world, &id, "").await;
    assert_eq!(stream.response.status(), StatusCode::OK);
    assert_eq!(stream.response.headers()["content-type"], "text/event-stream");
    assert_eq!(stream.response.headers()["cache-control"], "no-store");

    let first = stream.chunk().await.unwrap();
    // The reconnection time is at least 1000 and less than 2000 milliseconds.
    assert!(first.starts_with("retry: 1"), "{first}");
    let first = parse_events(&first);
    assert_eq!(event_names(&first), ["status", "progress"]);
    assert_eq!(first[0].data["jobId"], id);
    assert_eq!(first[0].data["status"], "queued");
    assert_eq!(first[0].data["attempts"], 1);

    set_uploaded_bytes(&world, 500_000);
    let after_upload_began = stream.events().await;
    assert_eq!(event_names(&after_upload_began), ["status", "progress"]);
    assert_eq!(after_upload_began[0].data["status"], "running");

    // The push counts as 10 %, and the upload as 90 %, of which one half is done.
    let expected = json!({
        "percent": 55, "bytesDone": 500_000, "bytesTotal": 1_000_000,
        "bytesPerSecond": null, "phase": "uploading", "etaSeconds": null
    });
    assert_eq!(after_upload_began[1].data, expected);

    set_uploaded_bytes(&world, 600_000);
    assert_eq!(event_names(&stream.events().await), ["progress"]);

    // The job is reset to its initial state and runs to its end.
    world.store().set(queued);
    Runner::new(&world).run_all().await;
    let end = stream.events().await;
    assert_eq!(event_names(&end), ["status", "progress", "result"]);
    assert_eq!(end[0].data["status"], "completed");
    assert_eq!(end[1].data["percent"], 100);
    assert!(end[2].data["url"].as_str().unwrap().starts_with("https://delivery.example/"));
    assert_eq!(end[2].data["items"][0]["file_id"], json!(FIRST_FILE_ID));
    assert_eq!(stream.chunk().await, None, "the stream must end with the job");
}

#[tokio::test(start_paused = true)]
async fn each_change_is_also_an_unnamed_event_with_the_whole_status() {
    let world = world_with_documents(1);
    let id = create_single_document_job(&world).await;
    let mut stream = open_stream(&world, &id, "").await;
    stream.chunk().await.unwrap();
    set_uploaded_bytes(&world, 500_000);
    let (named, unnamed) = parse_named_and_unnamed_events(&stream.chunk().await.unwrap());
    assert_eq!(event_names(&named), ["status", "progress"]);
    assert_eq!(unnamed.len(), 1);
    assert_eq!(unnamed[0].id, named[1].id, "a client that resumes after either event misses none");

    let path = format!("/v1/download/status/{id}");
    let (_, status) = send(status_routes(&world), build_request("GET", &path, "")).await;
    assert_eq!(unnamed[0].data, status, "equal to the status response");

    // The job is reset to its initial state and runs to its end.
    let transfer = world.store().transfers().remove(0);
    world.store().set(Transfer { phase: Phase::Accepted, source: None, bytes_done: 0, ..transfer });
    Runner::new(&world).run_all().await;
    let (_, end) = parse_named_and_unnamed_events(&stream.chunk().await.unwrap());
    assert_eq!(end[0].data["status"], "completed");
    assert_eq!(end[0].data["progress"], 100);
    assert!(end[0].data["url"].as_str().unwrap().starts_with("https://delivery.example/"));
}

#[tokio::test(start_paused = true)]
async fn job_that_ends_without_a_result_sends_an_error_event() {
    let world = world_with_documents(1);
    world.state().documents.clear();
    let id = create_single_document_job(&world).await;
    Runner::new(&world).run_all().await;
    let failed = open_stream(&world, &id, "").await.rest().await;
    assert_eq!(event_names(&failed), ["status", "progress", "error"]);
    assert_eq!(failed[2].data["code"], "SOURCE_NOT_FOUND");
    assert_eq!(failed[2].data["lastAttemptAt"], failed[0].data["timestamps"]["completedAt"]);

    world.advance(SignedDuration::from_hours(24));
    let expired = open_stream(&world, &id, "").await.rest().await;
    assert_eq!(expired[0].data["status"], "expired");
    assert_eq!(expired[2].data["code"], "EXPIRED");

    let world = world_with_documents(1);
    let id = create_single_document_job(&world).await;
    let cancel = build_request("POST", &format!("/v1/download/cancel/{id}"), "");
    send(control_routes(&world), cancel).await;
    Runner::new(&world).run_all().await;
    let canceled = open_stream(&world, &id, "").await.rest().await;
    assert_eq!(canceled[0].data["status"], "canceled");
    assert_eq!(canceled[2].data["code"], "CANCELED");
}

#[tokio::test(start_paused = true)]
async fn event_stream_reports_a_retry_like_the_first_run() {
    let world = world_with_documents(1);
    let id = create_single_document_job(&world).await;
    let documents = std::mem::take(&mut world.state().documents);
    let runner = Runner::new(&world);
    runner.run_all().await;
    let failed = open_stream(&world, &id, "").await.rest().await;
    runner.recover(2).await;
    let retry = build_request("POST", &format!("/v1/download/retry/{id}"), "");
    let (response, response_body) = send(control_routes(&world), retry).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED, "{response_body}");

    world.state().documents = documents;
    let mut stream = open_stream(&world, &id, last_event_id(&failed)).await;
    let first_events = stream.events().await;
    assert_eq!(first_events[0].data["attempts"], 2);
    assert_eq!(first_events[1].data["percent"], 0);

    runner.run_all().await;
    assert_eq!(event_names(&stream.rest().await), ["status", "progress", "result"]);
}

#[tokio::test(start_paused = true)]
async fn result_event_of_a_batch_lists_each_document() {
    let world = world_with_documents(3);
    let id = create_job(
        &world,
        &json!({ "file_ids": [FIRST_FILE_ID, FIRST_FILE_ID + 1, FIRST_FILE_ID + 2] }),
    )
    .await;
    let mut stream = open_stream(&world, &id, "").await;
    assert_eq!(event_names(&stream.events().await), ["status", "progress"]);

    let runner = Runner::new(&world);
    runner.run_all().await;
    runner.recover(2).await;
    let end = stream.rest().await.pop().unwrap();
    assert_eq!(end.name.as_str(), "result");
    assert_eq!(end.data["url"], Value::Null);

    let items = end.data["items"].as_array().unwrap();
    assert!(items.len() == 3 && items.iter().all(|item| item["status"] == "completed"));
}

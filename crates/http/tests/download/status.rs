//! Tests of the status that `GET /v1/download/status/{jobId}` returns for a job in its different
//! states.

use docferry_app::ports::Clock as _;
use docferry_domain::phase::Phase;
use docferry_domain::upload::{Checkpoint, Throughput};
use docferry_testkit::builders::{checkpoint, pushed};
use docferry_testkit::{Fault, Mode, Runner};
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::common::documents::world_with_documents;
use crate::common::jobs::{create_single_document_job, job_status};
use crate::common::{build_request, control_routes, send, status_routes};

#[tokio::test(start_paused = true)]
async fn detailed_progress_contains_bytes_and_phase() {
    let world = world_with_documents(1);
    let id = create_single_document_job(&world).await;
    Runner::new(&world).run_all().await;
    let path = format!("/v1/download/status/{id}?progress=detail");
    let (_, status) = send(status_routes(&world), build_request("GET", &path, "")).await;
    let expected = json!({
        "percent": 100, "bytesDone": 1_000_000, "bytesTotal": 1_000_000,
        "bytesPerSecond": null, "phase": "completed"
    });
    assert_eq!(status["progress"], expected);

    let path = format!("/v1/download/status/{id}?progress=much");
    let (response, _) = send(status_routes(&world), build_request("GET", &path, "")).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn status_shows_tries_and_the_last_transient_error() {
    let world = world_with_documents(1);
    let id = create_single_document_job(&world).await;
    let queued = job_status(&world, &id).await;
    assert_eq!(queued["tries"], 1);
    assert_eq!(queued["lastTransientError"], Value::Null);

    // In this world without a fault, the test finds out which effect of the run is the push.
    let effects_before = world.effects().len();
    let runner = Runner::new(&world);
    runner.run_all().await;
    let push_index =
        world.effects()[effects_before..].iter().position(|effect| *effect == "push").unwrap();
    assert_eq!(
        job_status(&world, &id).await["lastTransientError"],
        Value::Null,
        "there was no error"
    );

    // In this world, the response to the push is lost.
    let world = world_with_documents(1);
    let id = create_single_document_job(&world).await;
    let at = world.effects().len() + push_index;
    world.inject(Fault { at, mode: Mode::ResponseLost });
    Runner::new(&world).run_all().await;
    let ended = job_status(&world, &id).await;
    assert_eq!(ended["status"], "completed");
    assert_eq!(ended["attempts"], 1);
    assert_eq!(ended["tries"], 2, "the tries of the step with the most tries");
    assert_eq!(ended["lastTransientError"]["code"], "SOURCE_UNAVAILABLE");
    assert!(ended["lastTransientError"]["at"].is_string());
}

#[tokio::test]
async fn eta_counts_down_between_checkpoints() {
    let world = world_with_documents(1);
    let id = create_single_document_job(&world).await;
    let mut uploading = world.store().transfers().remove(0);
    let size = 100_000_000;
    let bytes_per_second = 1_000_000;
    uploading.phase = Phase::Uploading;
    uploading.source = Some(pushed("order 0.pdf", size));
    uploading.bytes_done = size / 2;
    let throughput =
        Throughput { at: world.now(), bytes: size / 2, per_second: Some(bytes_per_second) };
    uploading.checkpoint =
        Some(Checkpoint { throughput: Some(throughput), ..checkpoint(size / 2) });
    world.store().set(uploading);

    let mut eta_seconds = Vec::new();
    for seconds in [0, 10, 15, 30, 10] {
        world.advance(SignedDuration::from_secs(seconds));
        eta_seconds.push(job_status(&world, &id).await["etaSeconds"].clone());
    }

    // The estimate is at least 1. After 65 seconds, the last measurement is too old for one.
    assert_eq!(eta_seconds, [json!(50), json!(40), json!(25), json!(1), Value::Null]);
}

#[tokio::test(start_paused = true)]
async fn failed_job_reports_the_failure_code_and_message() {
    let world = world_with_documents(1);
    world.state().documents.clear();
    let id = create_single_document_job(&world).await;
    Runner::new(&world).run_all().await;
    let status = job_status(&world, &id).await;
    assert_eq!(status["status"], "failed");
    assert_eq!(status["error"]["code"], "SOURCE_NOT_FOUND");
    assert!(status["error"]["message"].as_str().unwrap().contains("not found"));
}

#[tokio::test(start_paused = true)]
async fn canceled_job_delivers_nothing_and_cannot_be_canceled_twice() {
    let world = world_with_documents(1);
    let id = create_single_document_job(&world).await;
    let path = format!("/v1/download/cancel/{id}");
    let (response, response_body) =
        send(control_routes(&world), build_request("POST", &path, "")).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response_body["status"], "canceling");

    Runner::new(&world).run_all().await;
    assert_eq!(job_status(&world, &id).await["status"], "canceled");
    assert!(world.state().delivery.objects.is_empty());

    let (response, _) = send(control_routes(&world), build_request("POST", &path, "")).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    let path = "/v1/download/cancel/unknown";
    let (response, _) = send(control_routes(&world), build_request("POST", path, "")).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

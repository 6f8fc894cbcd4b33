//! Tests of `POST /v1/download/retry/{jobId}`, which starts another run of a failed, canceled or
//! expired job.

use docferry_http::TransferApi;
use docferry_testkit::Runner;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::common::documents::{FIRST_FILE_ID, world_with_documents};
use crate::common::jobs::job_status;
use crate::common::{build_request, initiate_routes_with, send, transfer_api};
use crate::support::{post_job_with_key, retry_job};

#[tokio::test(start_paused = true)]
async fn failed_job_can_be_retried_up_to_the_retry_limit() {
    let world = world_with_documents(1);
    let documents = std::mem::take(&mut world.state().documents);
    let (_, accepted) = post_job_with_key(&world, None, &json!({ "file_id": FIRST_FILE_ID })).await;
    let id = accepted["jobId"].as_str().unwrap();
    assert_eq!(retry_job(&world, id).await.0, StatusCode::CONFLICT, "the job has not ended");

    Runner::new(&world).run_all().await;
    assert_eq!(job_status(&world, id).await["status"], "failed");

    let (code, retried) = retry_job(&world, id).await;
    assert_eq!(code, StatusCode::ACCEPTED);
    assert_eq!(retried["attempts"], 2);
    let queued = job_status(&world, id).await;
    assert_eq!(queued["status"], "queued");
    assert_eq!(queued["progress"], 0);
    assert_eq!(queued["error"], Value::Null);
    assert_eq!(queued["attempts"], 2);

    Runner::new(&world).run_all().await;
    assert_eq!(job_status(&world, id).await["status"], "failed");
    world.state().documents = documents;
    assert_eq!(retry_job(&world, id).await.0, StatusCode::ACCEPTED);

    Runner::new(&world).run_all().await;
    let done = job_status(&world, id).await;
    assert_eq!(done["status"], "completed");
    assert_eq!(done["attempts"], 3);
    assert_eq!(retry_job(&world, id).await.0, StatusCode::CONFLICT, "the job is completed");

    world.advance(SignedDuration::from_hours(25));
    assert_eq!(job_status(&world, id).await["status"], "expired");
    assert_eq!(retry_job(&world, id).await.0, StatusCode::CONFLICT, "all retries are used");
    assert_eq!(retry_job(&world, "unknown").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn retried_batch_keeps_delivered_documents_and_reruns_the_rest() {
    let world = world_with_documents(3);
    let missing = world.state().documents.remove("000001AA").unwrap();
    let files = [FIRST_FILE_ID, FIRST_FILE_ID + 1, FIRST_FILE_ID + 2];
    let mut runner = Runner::new(&world);
    runner.limits = docferry_domain::slots::PoolLimits::new(1, 1).into();
    let body = json!({ "file_ids": files });
    let single_slot = TransferApi { limits: runner.limits, ..transfer_api(&world) };
    let request = build_request("POST", "/v1/download/initiate", body.to_string());
    let (_, accepted) = send(initiate_routes_with(&world, single_slot), request).await;
    let id = accepted["jobId"].as_str().unwrap();
    runner.run_all().await;
    let failed = job_status(&world, id).await;
    assert_eq!(failed["status"], "failed");

    let item_states = |status: &Value| -> Vec<String> {
        let items = status["items"].as_array().unwrap();
        items.iter().map(|item| item["status"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(item_states(&failed), ["completed", "failed", "canceled"]);

    let document_job = failed["items"][1]["jobId"].as_str().unwrap();
    assert_eq!(
        retry_job(&world, document_job).await.0,
        StatusCode::CONFLICT,
        "a document of a batch cannot be retried alone"
    );

    let pushes = world.effects().iter().filter(|name| **name == "push").count();
    world.state().documents.insert("000001AA".into(), missing);
    // After 12 hours a delivered artifact is no longer reused for other jobs.
    world.advance(SignedDuration::from_hours(13));
    let (code, retried) = retry_job(&world, id).await;
    assert_eq!(code, StatusCode::ACCEPTED);
    assert_eq!(retried["attempts"], 2);

    runner.run_all().await;
    runner.recover(6).await;
    let done = job_status(&world, id).await;
    assert_eq!(done["status"], "completed", "{done}");
    assert_eq!(done["attempts"], 2, "{done}");
    assert_eq!(item_states(&done), ["completed"; 3]);

    let new_pushes = world.effects().iter().filter(|name| **name == "push").count() - pushes;
    assert_eq!(new_pushes, 2, "the delivered document is not pushed again");
}

//! Tests of requests with an idempotency key: a repeated request creates no second job.

use docferry_app::ports::BatchStore as _;
use docferry_domain::phase::Phase;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;

use crate::common::documents::{FIRST_FILE_ID, world_with_documents};
use crate::support::post_job_with_key;

#[tokio::test]
async fn repeated_request_with_one_idempotency_key_makes_one_job() {
    let world = world_with_documents(2);
    for body in [
        json!({ "file_id": FIRST_FILE_ID }),
        json!({ "file_ids": [FIRST_FILE_ID, FIRST_FILE_ID + 1] }),
        json!({ "objGuids": ["000000AA", "000001AA"], "courtFile": "S-1" }),
    ] {
        let key = format!("key {}", body.to_string().len());
        let (code, first) = post_job_with_key(&world, Some(&key), &body).await;
        assert_eq!(code, StatusCode::ACCEPTED, "{first}");

        let transfer_count = world.store().transfers().len();
        world.advance(SignedDuration::from_hours(1));
        let mut body_with_key = body.clone();
        body_with_key["clientRequestId"] = json!(key);
        for (key, body) in [(Some(key.as_str()), &body), (None, &body_with_key)] {
            assert_eq!(
                post_job_with_key(&world, key, body).await,
                (StatusCode::ACCEPTED, first.clone())
            );
        }

        assert_eq!(
            world.store().transfers().len(),
            transfer_count,
            "the repeated request records nothing"
        );

        let different_body = json!({ "file_id": FIRST_FILE_ID + 1, "priority": "high" });
        let (code, problem) = post_job_with_key(&world, Some(&key), &different_body).await;
        assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(problem["code"], "REQUEST_NAME_REUSED");
    }

    let list = json!({ "objGuids": ["000000AA"], "courtFile": "S-1" });
    let other_case = json!({ "objGuids": ["000000AA"], "courtFile": "S-2" });
    let (code, _) = post_job_with_key(&world, Some("list"), &list).await;
    assert_eq!(code, StatusCode::ACCEPTED);
    let (code, _) = post_job_with_key(&world, Some("list"), &other_case).await;
    assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);

    // An idempotency key expires with its job, after 24 hours.
    let (_, before) =
        post_job_with_key(&world, Some("daily"), &json!({ "file_id": FIRST_FILE_ID })).await;
    world.advance(SignedDuration::from_hours(25));
    let (code, after) =
        post_job_with_key(&world, Some("daily"), &json!({ "file_id": FIRST_FILE_ID + 1 })).await;
    assert_eq!(code, StatusCode::ACCEPTED);
    assert_ne!(before["jobId"], after["jobId"]);
}

#[tokio::test]
async fn repeated_request_returns_the_first_response_for_removed_documents() {
    let world = world_with_documents(2);
    for body in [
        json!({ "file_id": FIRST_FILE_ID }),
        json!({ "file_ids": [FIRST_FILE_ID, FIRST_FILE_ID + 1] }),
    ] {
        let key = format!("key {}", body.to_string().len());
        let first = post_job_with_key(&world, Some(&key), &body).await;
        let records = world.registry().take_records();
        assert_eq!(post_job_with_key(&world, Some(&key), &body).await, first);

        let different_body = json!({ "file_id": FIRST_FILE_ID, "priority": "high" });
        let (code, _) = post_job_with_key(&world, Some(&key), &different_body).await;
        assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);

        for key in [None, Some("new")] {
            let (code, problem) = post_job_with_key(&world, key, &body).await;
            assert_eq!(code, StatusCode::BAD_REQUEST, "{problem}");
        }
        records.into_iter().for_each(|record| world.registry().insert(record));
    }
}

#[tokio::test]
async fn request_repeated_while_the_first_is_being_recorded_gets_a_conflict() {
    let world = world_with_documents(2);
    let body = json!({ "file_ids": [FIRST_FILE_ID, FIRST_FILE_ID + 1] });
    let (_, first) = post_job_with_key(&world, Some("k"), &body).await;
    let id = first["jobId"].as_str().unwrap().parse().unwrap();
    let (batch, _) = world.store().batch(&id).await.unwrap().unwrap();
    // The batch is in this state until its last document is recorded.
    world
        .store()
        .set_batch(docferry_domain::job::Batch { phase: Phase::Accepted, ..batch.clone() });
    let (code, problem) = post_job_with_key(&world, Some("k"), &body).await;
    assert_eq!(code, StatusCode::CONFLICT);
    assert_eq!(problem["retryable"], true);

    // The process that recorded the batch died, and the batch was abandoned: the key is free again.
    world.store().set_batch(docferry_domain::job::Batch { phase: Phase::Failed, ..batch });
    let (code, second) = post_job_with_key(&world, Some("k"), &body).await;
    assert_eq!(code, StatusCode::ACCEPTED);
    assert_ne!(first["jobId"], second["jobId"]);
}

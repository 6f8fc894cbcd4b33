//! Tests of `GET /v1/download/{jobId}`, which fetches the file of a completed job.

use docferry_app::ports::TransferStore as _;
use docferry_domain::transfer::Delivery;
use docferry_testkit::{Runner, World};
use http::{Response, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::common::documents::{FIRST_FILE_ID, world_with_documents};
use crate::common::jobs::{
    create_job, create_single_document_job, fetch_job, job_status, post_job,
};
use crate::common::{build_request, download_routes, send};

/// Fetches the file of a job with an additional request header.
async fn fetch_with_header(
    world: &World,
    id: &str,
    header: &'static str,
    value: &str,
) -> (Response<()>, Value) {
    let mut request = build_request("GET", &format!("/v1/download/{id}"), "");
    request.headers_mut().insert(header, value.parse().unwrap());
    send(download_routes(world), request).await
}

#[tokio::test(start_paused = true)]
async fn accepted_job_can_be_polled_and_its_file_fetched() {
    let world = world_with_documents(1);
    let (response, accepted) = post_job(&world, &json!({ "file_id": FIRST_FILE_ID })).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);

    let id = accepted["jobId"].as_str().unwrap();
    assert_eq!(response.headers()["location"], format!("status/{id}"));
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(accepted["status"], "queued");
    assert_eq!(accepted["totalFileIds"], 1);
    // A job is retained for 24 hours. The clock starts on 14 November.
    assert_eq!(accepted["expiresAt"], "2023-11-15T22:13:20.000Z");

    // Before the job has run, its status has no URL, and a fetch is a conflict.
    let before = job_status(&world, id).await;
    assert_eq!(before["progress"], 0);
    assert_eq!(before["attempts"], 1);
    assert_eq!(before["url"], Value::Null);
    assert_eq!(before["error"], Value::Null);

    let (response, conflict) = fetch_job(&world, id).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(conflict["jobId"], json!(id));
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["retry-after"], "1");
    // In a problem, `status` is the HTTP status (RFC 9457), so the status of the job is
    // `jobStatus`.
    assert_eq!(conflict["status"], 409);
    assert_eq!(conflict["code"], "NOT_COMPLETED");
    assert_eq!(conflict["jobStatus"], "queued");
    assert_eq!(conflict["retryable"], true);

    for member in ["progress", "nextPollInMs", "timestamps", "items"] {
        assert_eq!(conflict[member], before[member], "{member}");
    }

    // After the job has run, its status has a URL, and a fetch redirects to it.
    Runner::new(&world).run_all().await;
    let after = job_status(&world, id).await;
    assert_eq!(after["status"], "completed");
    assert_eq!(after["progress"], 100);
    assert_eq!(after["url"], after["result"]["url"]);
    assert_eq!(after["nextPollInMs"], Value::Null);
    assert!(after["url"].as_str().unwrap().starts_with("https://delivery.example/downloads/"));

    let item = &after["items"][0];
    assert_eq!(item["file_id"], json!(FIRST_FILE_ID));
    assert_eq!(item["bytesDone"], 1_000_000);

    let (response, _) = fetch_job(&world, id).await;
    assert_eq!(response.status(), StatusCode::FOUND);
    assert_eq!(response.headers()["location"], after["url"].as_str().unwrap());

    // Programs and scripts of pages get JSON instead of a redirect.
    let (response, result) = fetch_with_header(&world, id, "accept", "application/json").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(result["url"], after["url"]);

    for (mode, status) in [("cors", StatusCode::OK), ("navigate", StatusCode::FOUND)] {
        let (response, _) = fetch_with_header(&world, id, "sec-fetch-mode", mode).await;
        assert_eq!(response.status(), status, "{mode}");
        assert_eq!(response.headers()["vary"], "Accept, Sec-Fetch-Mode");
    }
}

#[tokio::test(start_paused = true)]
async fn fetch_of_a_failed_job_returns_its_status_as_a_problem() {
    let world = world_with_documents(1);
    world.state().documents.clear();
    let id = create_single_document_job(&world).await;
    Runner::new(&world).run_all().await;
    let (response, problem) = fetch_job(&world, &id).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(problem["jobStatus"], "failed");
    assert_eq!(problem["retryable"], false);
    assert_eq!(problem["error"]["code"], "SOURCE_NOT_FOUND");
    assert!(!response.headers().contains_key("retry-after"));
}

#[tokio::test(start_paused = true)]
async fn fetch_of_completed_onedrive_jobs_returns_web_urls() {
    let world = world_with_documents(2);
    let options = json!({ "destination": "onedrive", "email": "a@b.example" });
    let single = create_job(&world, &json!({ "file_id": FIRST_FILE_ID, "options": options })).await;
    let batch = create_job(
        &world,
        &json!({ "file_ids": [FIRST_FILE_ID, FIRST_FILE_ID + 1], "options": options }),
    )
    .await;
    let runner = Runner::new(&world);
    runner.run_all().await;
    runner.recover(2).await;
    for (id, expected_ids) in
        [(&single, vec![FIRST_FILE_ID]), (&batch, vec![FIRST_FILE_ID, FIRST_FILE_ID + 1])]
    {
        let (response, result) = fetch_job(&world, id).await;
        assert_eq!(response.status(), StatusCode::OK, "{result}");
        let items = result["items"].as_array().unwrap();
        let file_ids: Vec<_> = items.iter().map(|item| item["file_id"].as_u64().unwrap()).collect();
        assert_eq!(file_ids, expected_ids);
        for item in items {
            assert!(item["webUrl"].as_str().unwrap().starts_with("https://drive.example/"));
        }
    }

    // A record of an older version has no web URL, and its document was requested by GUID.
    let mut older = world.store().get(&single.parse().unwrap()).await.unwrap().unwrap();
    let Some(Delivery::Onedrive(item)) = &mut older.delivery else { unreachable!() };
    item.web_url = None;
    older.file_id = None;
    world.store().set(older);
    let (_, result) = fetch_job(&world, &single).await;
    assert_eq!(result, json!({ "items": [{ "objGuid": "000000AA", "webUrl": null }] }));
}

#[tokio::test(start_paused = true)]
async fn completed_job_expires_when_its_retention_ends() {
    let world = world_with_documents(1);
    let id = create_single_document_job(&world).await;
    Runner::new(&world).run_all().await;
    world.advance(SignedDuration::from_hours(24));
    assert_eq!(job_status(&world, &id).await["status"], "expired");
    let (response, problem) = fetch_job(&world, &id).await;
    assert_eq!(response.status(), StatusCode::GONE);
    assert_eq!(problem["code"], "EXPIRED");

    // The record of the job is retained longer than its file, for 168 hours.
    world.advance(SignedDuration::from_hours(200));
    let (response, _) = fetch_job(&world, &id).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

//! Tests of batch jobs, which are jobs with many documents.

use docferry_testkit::Runner;
use http::StatusCode;
use serde_json::{Value, json};

use crate::common::documents::{FIRST_FILE_ID, world_with_documents};
use crate::common::jobs::{create_job, fetch_job, job_status};
use crate::common::{build_request, send, status_routes};

#[tokio::test(start_paused = true)]
async fn documents_of_a_batch_can_be_fetched_one_by_one() {
    let world = world_with_documents(3);
    let files: Vec<_> = (FIRST_FILE_ID..FIRST_FILE_ID + 3).collect();
    let id = create_job(&world, &json!({ "file_ids": files, "onItemError": "skip" })).await;
    let runner = Runner::new(&world);
    runner.run_all().await;
    runner.recover(2).await;
    let status = job_status(&world, &id).await;
    assert_eq!(status["status"], "completed");
    assert_eq!(status["url"], Value::Null);

    let items = status["items"].as_array().unwrap();
    assert_eq!(
        items.iter().map(|item| item["file_id"].as_u64().unwrap()).collect::<Vec<_>>(),
        files
    );
    let (response, _) = fetch_job(&world, items[2]["jobId"].as_str().unwrap()).await;
    assert_eq!(response.status(), StatusCode::FOUND);

    let (response, results) = fetch_job(&world, &id).await;
    assert_eq!(response.status(), StatusCode::OK);
    let found = results["items"].as_array().unwrap();
    assert_eq!(
        found.iter().map(|item| item["file_id"].as_u64().unwrap()).collect::<Vec<_>>(),
        files
    );

    for item in found {
        assert!(item["url"].as_str().unwrap().starts_with("https://delivery.example/downloads/"));
        assert!(item["expiresAt"].is_string());
    }
}

#[tokio::test(start_paused = true)]
async fn completed_batch_reports_the_number_of_failed_documents() {
    let world = world_with_documents(3);
    world.state().documents.remove("000001AA");
    let files: Vec<_> = (FIRST_FILE_ID..FIRST_FILE_ID + 3).collect();
    let body = json!({
        "file_ids": files, "onItemError": "skip", "callbackUrl": "https://hooks.example.org/x"
    });
    let id = create_job(&world, &body).await;
    let runner = Runner::new(&world);
    let first = runner.started().remove(0);
    runner.execute(&first).await;
    let running = job_status(&world, &id).await;
    assert_eq!(running["progress"], 33);
    assert_eq!(running["failedItems"], 0);

    let second = runner.started().remove(0);
    runner.execute(&second).await;
    let running = job_status(&world, &id).await;
    assert_eq!(running["progress"], 33);
    assert_eq!(running["failedItems"], 1);
    assert_eq!(running["completedAt"], Value::Null);

    runner.run_all().await;
    runner.notify().await;
    let ended = job_status(&world, &id).await;
    assert_eq!(ended["status"], "completed");
    assert_eq!(ended["progress"], 100);
    assert_eq!(ended["failedItems"], 1);
    assert_eq!(ended["completedAt"], ended["timestamps"]["completedAt"]);
    assert!(ended["completedAt"].is_string());

    let path = "/v1/download/history";
    let (_, history) = send(status_routes(&world), build_request("GET", path, "")).await;
    assert_eq!(history["items"][0]["failedItems"], 1);

    let (_, results) = fetch_job(&world, &id).await;
    let found = results["items"].as_array().unwrap().iter().map(|item| &item["file_id"]);
    assert_eq!(found.collect::<Vec<_>>(), [&json!(FIRST_FILE_ID), &json!(FIRST_FILE_ID + 2)]);

    let notifications = world.state().notifications.clone();
    assert_eq!(
        notifications.iter().map(|notification| notification.failed_documents).collect::<Vec<_>>(),
        [Some(1)]
    );
}

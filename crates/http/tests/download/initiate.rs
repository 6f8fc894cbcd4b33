//! Tests of the calls that create jobs: `initiate`, its deprecated alias `start`, and `check`.

use http::StatusCode;
use serde_json::json;

use crate::common::documents::{FIRST_FILE_ID, world_with_documents};
use crate::common::jobs::post_job;
use crate::common::{build_request, initiate_routes, send, status_routes};

#[tokio::test]
async fn unknown_document_numbers_are_rejected_with_their_pointers() {
    let world = world_with_documents(1);
    let (response, problem) = post_job(&world, &json!({ "file_id": FIRST_FILE_ID + 1 })).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(problem["errors"][0]["pointer"], "/file_id");

    let (_, problem) = post_job(
        &world,
        &json!({ "file_ids": [FIRST_FILE_ID, FIRST_FILE_ID + 1, FIRST_FILE_ID + 2] }),
    )
    .await;
    let places: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(places, ["/file_ids/1", "/file_ids/2"]);
    assert!(world.store().transfers().is_empty(), "no transfer is recorded");
}

#[tokio::test]
async fn zip_request_is_answered_with_not_implemented() {
    let body = json!({ "file_ids": [FIRST_FILE_ID], "options": { "bundle": "zip" } });
    let (response, problem) = post_job(&world_with_documents(1), &body).await;
    assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
    assert_eq!(problem["code"], "NOT_IMPLEMENTED");
}

#[tokio::test]
async fn deprecated_start_accepts_one_document_and_links_to_initiate() {
    let world = world_with_documents(1);
    let request = build_request(
        "POST",
        "/v1/download/start",
        json!({ "file_id": FIRST_FILE_ID }).to_string(),
    );
    let (response, _) = send(initiate_routes(&world), request).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert!(response.headers().contains_key("deprecation"));
    assert_eq!(response.headers()["link"], "<initiate>; rel=\"successor-version\"");

    let request = build_request(
        "POST",
        "/v1/download/start",
        json!({ "file_ids": [FIRST_FILE_ID] }).to_string(),
    );
    let (response, _) = send(initiate_routes(&world), request).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn check_reports_whether_a_document_is_available() {
    let world = world_with_documents(1);
    for (file, available) in [(FIRST_FILE_ID, true), (FIRST_FILE_ID + 1, false)] {
        let body = json!({ "file_id": file }).to_string();
        let (response, checked) =
            send(status_routes(&world), build_request("POST", "/v1/download/check", body)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(checked["available"], json!(available));
        assert_eq!(checked.get("fileName").is_some(), available);
    }
}

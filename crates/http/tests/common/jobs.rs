//! Helpers that create and read jobs of the downloads API.

use docferry_testkit::World;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::documents::FIRST_FILE_ID;
use super::{build_request, download_routes, initiate_routes, send, status_routes};

/// Requests a job and returns the response.
pub(crate) async fn post_job(world: &World, body: &Value) -> (Response<()>, Value) {
    let request = build_request("POST", "/v1/download/initiate", body.to_string());
    send(initiate_routes(world), request).await
}

/// Requests a job, which must be accepted, and returns its id.
pub(crate) async fn create_job(world: &World, body: &Value) -> String {
    let (response, accepted) = post_job(world, body).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED, "{accepted}");
    accepted["jobId"].as_str().unwrap().to_owned()
}

/// Creates a job with the first document.
pub(crate) async fn create_single_document_job(world: &World) -> String {
    create_job(world, &json!({ "file_id": FIRST_FILE_ID })).await
}

/// Returns the status document of a job.
pub(crate) async fn job_status(world: &World, id: &str) -> Value {
    let path = format!("/v1/download/status/{id}");
    let (response, status) = send(status_routes(world), build_request("GET", &path, "")).await;
    assert_eq!(response.status(), StatusCode::OK, "{status}");
    status
}

/// Requests the file of a job.
pub(crate) async fn fetch_job(world: &World, id: &str) -> (Response<()>, Value) {
    send(download_routes(world), build_request("GET", &format!("/v1/download/{id}"), "")).await
}

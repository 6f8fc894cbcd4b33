//! Requests with keys, retries, and lists of jobs.

use docferry_contract::scope::Scopes;
use docferry_testkit::World;
use http::StatusCode;
use serde_json::Value;

use crate::common::{build_request, caller, control_routes, initiate_routes, send, status_routes};

/// Requests a job, with an idempotency key if given.
pub(crate) async fn post_job_with_key(
    world: &World,
    key: Option<&str>,
    body: &Value,
) -> (StatusCode, Value) {
    let mut request = build_request("POST", "/v1/download/initiate", body.to_string());
    if let Some(key) = key {
        request.headers_mut().insert("idempotency-key", key.parse().unwrap());
    }
    let (response, answer) = send(initiate_routes(world), request).await;
    (response.status(), answer)
}

/// Requests a retry, and checks the headers if it is accepted.
pub(crate) async fn retry_job(world: &World, id: &str) -> (StatusCode, Value) {
    let request = build_request("POST", &format!("/v1/download/retry/{id}"), "");
    let (response, answer) = send(control_routes(world), request).await;
    if response.status() == StatusCode::ACCEPTED {
        assert_eq!(response.headers()["location"], format!("../status/{id}"));
        assert_eq!(response.headers()["retry-after"], "1");
    }
    (response.status(), answer)
}

/// Requests a list of jobs, as a caller with this id and these scopes or else as `scv`.
pub(crate) async fn list_jobs(
    world: &World,
    query: &str,
    as_caller: Option<(&str, &str)>,
) -> (StatusCode, Value) {
    let mut request = build_request("GET", &format!("/v1/download/{query}"), "");
    if let Some((id, scopes)) = as_caller {
        request.extensions_mut().insert(caller(id, Scopes::parse(scopes)));
    }
    let (response, answer) = send(status_routes(world), request).await;
    (response.status(), answer)
}

/// Returns the ids of the jobs in a list.
pub(crate) fn job_ids(answer: &Value) -> Vec<String> {
    let items = answer["items"].as_array().unwrap();
    items.iter().map(|item| item["jobId"].as_str().unwrap().to_owned()).collect()
}

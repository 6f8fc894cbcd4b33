//! Helpers that send the requests of these tests: jobs with idempotency keys, retries, and lists of
//! jobs.

use docferry_contract::scope::Scopes;
use docferry_testkit::World;
use http::StatusCode;
use serde_json::Value;

use crate::common::{build_request, caller, control_routes, initiate_routes, send, status_routes};

/// Requests a job. The request has the header `Idempotency-Key` if `key` is not `None`.
pub(crate) async fn post_job_with_key(
    world: &World,
    key: Option<&str>,
    body: &Value,
) -> (StatusCode, Value) {
    let mut request = build_request("POST", "/v1/download/initiate", body.to_string());
    if let Some(key) = key {
        request.headers_mut().insert("idempotency-key", key.parse().unwrap());
    }
    let (response, response_body) = send(initiate_routes(world), request).await;
    (response.status(), response_body)
}

/// Requests a retry, and checks the headers if it is accepted.
pub(crate) async fn retry_job(world: &World, id: &str) -> (StatusCode, Value) {
    let request = build_request("POST", &format!("/v1/download/retry/{id}"), "");
    let (response, response_body) = send(control_routes(world), request).await;
    if response.status() == StatusCode::ACCEPTED {
        assert_eq!(response.headers()["location"], format!("../status/{id}"));
        assert_eq!(response.headers()["retry-after"], "1");
    }
    (response.status(), response_body)
}

/// Requests a list of jobs. The caller has the id and the scopes in `as_caller`, or is the service
/// account `scv` if `as_caller` is `None`.
pub(crate) async fn list_jobs(
    world: &World,
    query: &str,
    as_caller: Option<(&str, &str)>,
) -> (StatusCode, Value) {
    let mut request = build_request("GET", &format!("/v1/download/{query}"), "");
    if let Some((id, scopes)) = as_caller {
        request.extensions_mut().insert(caller(id, Scopes::parse(scopes)));
    }
    let (response, response_body) = send(status_routes(world), request).await;
    (response.status(), response_body)
}

/// Returns the ids of the jobs in a list.
pub(crate) fn job_ids(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap();
    items.iter().map(|item| item["jobId"].as_str().unwrap().to_owned()).collect()
}

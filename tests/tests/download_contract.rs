//! Tests of rules of the downloads API through the deployed system: invalid requests, a deprecated
//! call, expiry of downloads, deadlines and rate limits. `download.rs` tests downloads themselves.

#![allow(clippy::unwrap_used, reason = "test helpers")]

use docferry_system_tests::{Identity, SHORT_TIMEOUT, Sandbox, eventually};
use jiff::{SignedDuration, Zoned};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Path of the call that creates a job.
const INITIATE_PATH: &str = "/v1/download/initiate";
/// Document number that no document has.
const UNKNOWN_FILE_ID: u64 = 10_000;

#[tokio::test]
async fn invalid_download_requests_are_refused_without_side_effects() {
    let sandbox = Sandbox::new().await;
    let (file_id, _) = sandbox.indexed_document(1000, &[]).await;
    let too_large =
        json!({ "file_id": file_id, "clientRequestId": "x".repeat(513 * 1024) }).to_string();
    let zip_options = json!({ "file_ids": [file_id], "options": { "bundle": "zip" } }).to_string();
    for (body, status, code) in [
        ("{", StatusCode::BAD_REQUEST, "INVALID_REQUEST"),
        ("[]", StatusCode::BAD_REQUEST, "INVALID_REQUEST"),
        (r#"{"file_id": 1, "priority": 5}"#, StatusCode::BAD_REQUEST, "INVALID_REQUEST"),
        (r#"{"file_ids": []}"#, StatusCode::BAD_REQUEST, "INVALID_REQUEST"),
        (&too_large, StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE"),
        (&zip_options, StatusCode::NOT_IMPLEMENTED, "NOT_IMPLEMENTED"),
    ] {
        let response =
            sandbox.api.request_unthrottled(Method::POST, INITIATE_PATH, Some(body)).await;
        assert_eq!(response.status, status, "{}", response.text);
        assert_eq!(response.headers["content-type"], "application/problem+json");
        assert_eq!(response.json()["code"], code);
    }

    let several_errors = r#"{"file_id": 1, "priority": 5, "options": {"destination": "fax"}}"#;
    let response = sandbox
        .api
        .request_unthrottled(Method::POST, INITIATE_PATH, Some(several_errors))
        .await
        .json();
    let errors = response["errors"].as_array().unwrap();
    let pointers: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/file_id", "/priority", "/options/destination"], "{response}");
    assert_eq!(response["retryable"], false);

    // A request without a body has no media type.
    let untyped = sandbox.api.request_unthrottled(Method::POST, INITIATE_PATH, None).await;
    assert_eq!(untyped.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{}", untyped.text);

    let unsupported = sandbox.api.request_unthrottled(Method::DELETE, INITIATE_PATH, None).await;
    let refusals = [StatusCode::METHOD_NOT_ALLOWED, StatusCode::NOT_FOUND];
    assert!(refusals.contains(&unsupported.status), "{}", unsupported.status);

    let unknown_id = "0".repeat(32);
    for (method, path) in [
        (Method::GET, format!("/v1/download/status/{unknown_id}")),
        (Method::GET, format!("/v1/download/{unknown_id}")),
        (Method::GET, format!("/v1/download/subscribe/{unknown_id}")),
        (Method::POST, format!("/v1/download/cancel/{unknown_id}")),
        (Method::POST, format!("/v1/download/retry/{unknown_id}")),
    ] {
        let response = sandbox.api.request_unthrottled(method, &path, None).await;
        assert_eq!(response.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(
        sandbox.ords.simulator.requests(&sandbox.tag).await.is_empty(),
        "no document was pushed"
    );
}

#[tokio::test]
async fn deprecated_start_call_creates_a_job_and_links_its_successor() {
    let sandbox = Sandbox::new().await;
    let (file_id, _) = sandbox.indexed_document(1000, &[]).await;
    let body = json!({ "file_id": file_id }).to_string();
    let available =
        sandbox.api.request_unthrottled(Method::POST, "/v1/download/check", Some(&body)).await;
    assert_eq!(available.status, StatusCode::OK, "{}", available.text);
    assert_eq!(available.json()["available"], true);

    let unknown = json!({ "file_id": UNKNOWN_FILE_ID }).to_string();
    let missing =
        sandbox.api.request_unthrottled(Method::POST, "/v1/download/check", Some(&unknown)).await;
    assert_eq!(missing.json()["available"], false);

    let accepted =
        sandbox.api.request_unthrottled(Method::POST, "/v1/download/start", Some(&body)).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.text);
    assert!(accepted.headers.contains_key("deprecation"));

    let link = accepted.headers["link"].to_str().unwrap();
    assert_eq!(link, "<initiate>; rel=\"successor-version\"");
    let id = accepted.json()["jobId"].as_str().unwrap().to_owned();
    sandbox.api.wait_for_job(&id, |job| job["status"] == "completed").await;
    let detail = sandbox.api.get(&format!("/v1/download/status/{id}?progress=detail")).await.json();
    let progress = &detail["progress"];
    assert_eq!(progress["percent"], 100);
    assert_eq!(progress["bytesDone"], 1000);

    let path = format!("/v1/download/retry/{id}");
    let retried = sandbox.api.request_unthrottled(Method::POST, &path, None).await;
    assert_eq!(retried.status, StatusCode::CONFLICT, "a completed job cannot be retried");
}

#[tokio::test]
async fn expired_job_returns_410_and_can_be_retried() {
    let sandbox = Sandbox::new().await;
    let (file_id, _) = sandbox.indexed_document(1000, &[]).await;
    let id = sandbox.api.create_job(&json!({ "file_id": file_id })).await;
    sandbox.api.wait_for_job(&id, |job| job["status"] == "completed").await;
    assert_eq!(sandbox.cloud.wait_for_execution(&id).await, "SUCCEEDED");

    let object = format!("downloads/{id}/0");
    assert!(sandbox.cloud.delivered_object(&object).await.is_some());
    let past = Zoned::now().timestamp() - SignedDuration::from_mins(1);
    sandbox.cloud.set_job_retention(&id, past).await;
    sandbox.cloud.set_object_retention(&object, past).await;

    let expired = sandbox.api.get(&format!("/v1/download/status/{id}")).await.json();
    assert_eq!(expired["status"], "expired");
    assert_eq!(expired["url"], Value::Null);
    let fetched = sandbox.api.get(&format!("/v1/download/{id}")).await;
    assert_eq!(fetched.status, StatusCode::GONE, "{}", fetched.text);

    eventually("the object is removed", SHORT_TIMEOUT, async || {
        let _ignored = sandbox.cloud.invoke("sweep", &json!({})).await;
        sandbox.cloud.delivered_object(&object).await.is_none().then_some(())
    })
    .await;
    let path = format!("/v1/download/retry/{id}");
    let retried = sandbox.api.request_unthrottled(Method::POST, &path, None).await;
    assert_eq!(retried.status, StatusCode::ACCEPTED, "{}", retried.text);

    let done = sandbox.api.wait_for_job(&id, |job| job["status"] == "completed").await;
    assert_eq!(done["attempts"], 2, "{done}");
}

#[tokio::test]
async fn job_past_its_deadline_fails_and_delivers_no_object() {
    let sandbox = Sandbox::new().await;
    let (file_id, _) = sandbox.indexed_document(1000, &[("moverDelayMs", "10000")]).await;
    let id = sandbox.api.create_job(&json!({ "file_id": file_id })).await;
    sandbox.api.wait_for_job(&id, |job| job["status"] == "running").await;
    sandbox.cloud.set_deadline(&id, Zoned::now().timestamp()).await;
    let failed = sandbox.api.wait_for_job_end(&id).await;
    assert_eq!(failed["status"], "failed", "{failed}");
    assert_eq!(failed["error"]["code"], "DEADLINE_EXCEEDED", "{failed}");
    assert_eq!(sandbox.cloud.delivered_object(&format!("downloads/{id}/0")).await, None);
}

#[tokio::test]
async fn rate_limited_caller_gets_retry_after() {
    let sandbox = Sandbox::new().await;
    let identity = Identity::new(&sandbox.stack);
    let token =
        identity.token_of(&sandbox.tag, "docferry.read docferry.write docferry.documents").await;
    let ada = sandbox.api.with_token(&token);
    let path = format!("/v1/download/cancel/{}", "0".repeat(32));
    // The default limit in `template.yaml` is 60 calls per minute. Several rounds of calls may be
    // needed, because a new minute may start between two calls.
    let refused = eventually("a call exceeds the limit", SHORT_TIMEOUT, async || {
        let requests = (0..10).map(|_| ada.request(Method::POST, &path, None));
        let responses = futures::future::join_all(requests).await;
        responses.into_iter().find(|response| {
            response.status == StatusCode::TOO_MANY_REQUESTS
                && response.json()["code"] == "RATE_LIMITED"
        })
    })
    .await;
    let header = |name: &str| refused.headers[name].to_str().unwrap().parse::<u32>().unwrap();
    assert_eq!((header("ratelimit-limit"), header("ratelimit-remaining")), (60, 0));
    assert!((1..=60).contains(&header("retry-after")));
    assert_eq!(refused.json()["retryable"], true);
}

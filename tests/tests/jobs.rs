//! Tests of jobs of the downloads API through the deployed system: idempotent requests, retries,
//! lists of jobs, and the headers that web pages of other origins need (CORS).

#![allow(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeSet;

use docferry_system_tests::{Api, Identity, SHORT_TIMEOUT, Sandbox, eventually};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Origin of web pages that may call the API in the test stack.
const ALLOWED_ORIGIN: &str = "https://viewer.example.org";
/// Origin of web pages that may not call the API.
const FORBIDDEN_ORIGIN: &str = "https://x.example";
/// Read calls per minute of one person, the default of `ReadRatePerPerson` in `template.yaml`.
const READ_RATE_PER_PERSON: u32 = 600;

/// Returns a client with the token of a person who calls the API only in this test. So no other
/// test uses this person's quota of calls.
async fn client_of_new_person(sandbox: &Sandbox) -> Api {
    let identity = Identity::new(&sandbox.stack);
    let token =
        identity.token_of(&sandbox.tag, "docferry.read docferry.write docferry.documents").await;
    sandbox.api.with_token(&token)
}

#[tokio::test]
async fn fifty_concurrent_equal_requests_create_one_job() {
    let sandbox = Sandbox::new().await;
    let (file_id, _) = sandbox.indexed_document(1000, &[]).await;
    for (job_kind, body) in
        [("document", json!({ "file_id": file_id })), ("batch", json!({ "file_ids": [file_id] }))]
    {
        let request_id = format!("{}-{job_kind}", sandbox.tag);
        let mut keyed_body = body;
        keyed_body["clientRequestId"] = json!(request_id);
        let requests = (0..50).map(async |_| {
            eventually("the request is recorded", SHORT_TIMEOUT, async || {
                let response =
                    sandbox.api.post_json("/v1/download/initiate", Some(&keyed_body)).await;
                // Repeats the request while the first one is still being recorded.
                (response.status != StatusCode::CONFLICT).then_some(response)
            })
            .await
        });
        let mut distinct_bodies = BTreeSet::new();
        for response in futures::future::join_all(requests).await {
            assert_eq!(response.status, StatusCode::ACCEPTED, "{}", response.text);
            distinct_bodies.insert(response.text);
        }

        assert_eq!(distinct_bodies.len(), 1, "{distinct_bodies:?}");

        // The same `clientRequestId` must not be used for a different request.
        keyed_body["priority"] = json!("high");
        let different = sandbox.api.post_json("/v1/download/initiate", Some(&keyed_body)).await;
        assert_eq!(different.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", different.text);

        let accepted: Value = serde_json::from_str(distinct_bodies.first().unwrap()).unwrap();
        let id = accepted["jobId"].as_str().unwrap();
        let done = sandbox.api.wait_for_job_end(id).await;
        assert_eq!(done["status"], "completed", "{done}");
    }
}

#[tokio::test]
async fn canceled_job_is_delivered_after_a_retry() {
    let sandbox = Sandbox::new().await;
    let (file_id, document) = sandbox.indexed_document(1000, &[("moverDelayMs", "8000")]).await;
    let body = json!({ "file_id": file_id });
    let accepted = sandbox.api.post_json("/v1/download/initiate", Some(&body)).await;
    let id = accepted.json()["jobId"].as_str().unwrap().to_owned();

    let retry_path = format!("/v1/download/retry/{id}");
    let early_retry = sandbox.api.post_json(&retry_path, None).await;
    assert_eq!(early_retry.status, StatusCode::CONFLICT, "{}", early_retry.text);

    // Waits until the job runs, because a queued job has no execution that a cancel could stop.
    sandbox.api.wait_for_job(&id, |job| job["status"] == "running").await;
    let canceled = sandbox.api.post_json(&format!("/v1/download/cancel/{id}"), None).await;
    assert_eq!(canceled.status, StatusCode::ACCEPTED, "{}", canceled.text);

    sandbox.api.wait_for_job(&id, |job| job["status"] == "canceled").await;
    let retried = sandbox.api.retry_job(&id).await;
    assert_eq!(retried.json()["attempts"], 2);

    let done = sandbox.api.wait_for_job_end(&id).await;
    assert_eq!((&done["status"], &done["attempts"]), (&json!("completed"), &json!(2)), "{done}");
    // The key ends with the number of retries.
    let delivered = sandbox.cloud.delivered_object(&format!("downloads/{id}/1")).await.unwrap();
    assert_eq!(delivered, (1000, document.sha256));
    // The execution of the first run has also ended.
    assert_eq!(sandbox.cloud.wait_for_execution(&id).await, "SUCCEEDED");
}

#[tokio::test]
async fn history_lists_own_jobs_page_by_page() {
    let sandbox = Sandbox::new().await;
    let (file_id, _) = sandbox.indexed_document(1000, &[]).await;
    let ada = client_of_new_person(&sandbox).await;
    let mut created = Vec::new();
    for body in [
        json!({ "file_id": file_id }),
        json!({ "file_ids": [file_id] }),
        json!({ "file_id": file_id }),
    ] {
        let accepted = ada.post_json("/v1/download/initiate", Some(&body)).await;
        created.push(accepted.json()["jobId"].as_str().unwrap().to_owned());
    }
    created.reverse();
    for id in &created {
        ada.wait_for_job(id, |job| job["status"] == "completed").await;
    }
    let job_ids = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| item["jobId"].as_str().unwrap().to_owned()).collect()
    };
    let first_page = ada.get("/v1/download/history?pageSize=2").await.json();
    assert_eq!(job_ids(&first_page), created[..2]);

    let token = first_page["nextPageToken"].as_str().unwrap();
    let path = format!("/v1/download/history?pageSize=2&pageToken={token}");
    assert_eq!(job_ids(&ada.get(&path).await.json()), created[2..]);
    assert_eq!(
        sandbox.api.get(&path).await.status,
        StatusCode::BAD_REQUEST,
        "token of another caller"
    );

    let completed = ada.get("/v1/download/jobs?status=completed").await.json();
    assert_eq!(job_ids(&completed), created);
    assert!(job_ids(&ada.get("/v1/download/jobs?status=failed").await.json()).is_empty());

    let jobs_of_scv = sandbox.api.get("/v1/download/history?pageSize=100").await.json();
    assert!(job_ids(&jobs_of_scv).iter().all(|id| !created.contains(id)));
}

#[tokio::test]
async fn allowed_origin_passes_cors_and_sees_rate_limits() {
    let sandbox = Sandbox::new().await;
    let ada = client_of_new_person(&sandbox).await;
    let response = ada.get("/v1/download/history").await;
    let header = |name: &str| response.headers[name].to_str().unwrap().parse::<u32>().unwrap();
    let (limit, remaining) = (header("ratelimit-limit"), header("ratelimit-remaining"));
    assert!(limit == READ_RATE_PER_PERSON && remaining < limit, "{remaining} of {limit}");
    assert!((1..=60).contains(&header("ratelimit-reset")));

    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/v1/download/initiate", sandbox.stack.api);
    for (origin, is_allowed) in [(ALLOWED_ORIGIN, true), (FORBIDDEN_ORIGIN, false)] {
        let response = eventually("the request is not throttled", SHORT_TIMEOUT, async || {
            let preflight = http
                .request(Method::OPTIONS, &url)
                .header("origin", origin)
                .header("access-control-request-method", "POST");
            let response = preflight.send().await.unwrap();
            (response.status() != StatusCode::TOO_MANY_REQUESTS).then_some(response)
        })
        .await;
        assert_eq!(response.status(), StatusCode::OK);
        let allowed = response.headers().get("access-control-allow-origin");
        assert_eq!(allowed.is_some(), is_allowed, "{origin}");
    }
}

#[tokio::test]
async fn allowed_origin_can_read_gateway_errors_and_downloads() {
    let sandbox = Sandbox::new().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let header = |response: &reqwest::Response, name: &str| {
        response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    // The request has no credentials, so the gateway itself responds.
    let url = format!("{}/v1/download/history", sandbox.stack.api);
    let refused = eventually("the gateway refuses the request", SHORT_TIMEOUT, async || {
        let response = http.get(&url).header("origin", ALLOWED_ORIGIN).send().await.unwrap();
        (response.status() == StatusCode::UNAUTHORIZED).then_some(response)
    })
    .await;
    assert_eq!(header(&refused, "access-control-allow-origin").as_deref(), Some(ALLOWED_ORIGIN));

    let exposed = header(&refused, "access-control-expose-headers").unwrap();
    assert!(exposed.contains("X-Request-ID") && exposed.contains("Retry-After"), "{exposed}");
    let problem: Value = refused.json().await.unwrap();
    assert!(problem["instance"].as_str().unwrap().starts_with("urn:docferry:request:"));

    let ada = client_of_new_person(&sandbox).await;
    let (file_id, _) = sandbox.indexed_document(1000, &[]).await;
    let body = json!({ "file_id": file_id });
    let accepted = ada.post_json("/v1/download/initiate", Some(&body)).await.json();
    let path = format!("/v1/download/status/{}", accepted["jobId"].as_str().unwrap());
    let url = eventually("the job ends", SHORT_TIMEOUT, async || {
        ada.get(&path).await.json()["url"].as_str().map(str::to_owned)
    })
    .await;
    for (origin, is_allowed) in [(ALLOWED_ORIGIN, true), (FORBIDDEN_ORIGIN, false)] {
        let request = http.get(&url).header("origin", origin).header("range", "bytes=0-9");
        let fetched = request.send().await.unwrap();
        assert_eq!(fetched.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(header(&fetched, "access-control-allow-origin").is_some(), is_allowed);

        if is_allowed {
            let exposed = header(&fetched, "access-control-expose-headers").unwrap();
            assert!(exposed.contains("Content-Disposition"), "{exposed}");
        }
    }
}

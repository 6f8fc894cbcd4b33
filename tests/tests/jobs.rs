//! Tests of idempotent requests, retries and lists of jobs, through the deployed system with
//! IAM enforcement.

#![allow(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeSet;

use docferry_system_tests::{Api, Identity, SHORT_TIMEOUT, Sandbox, eventually};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Returns a client for a caller of its own, whose quota no other test uses.
async fn person(sandbox: &Sandbox) -> Api {
    let identity = Identity::new(&sandbox.stack);
    let token = identity.token_of(&sandbox.tag, "docferry.read docferry.write").await;
    sandbox.api.with_token(&token)
}

#[tokio::test]
async fn fifty_concurrent_equal_requests_create_one_job() {
    let sandbox = Sandbox::new().await;
    let (file_id, _) = sandbox.indexed_document(1000, &[]).await;
    for body in [json!({ "file_id": file_id }), json!({ "file_ids": [file_id] })] {
        let name = format!("{}-{}", sandbox.tag, body.to_string().len());
        let mut keyed_body = body.clone();
        keyed_body["clientRequestId"] = json!(name);
        let requests = (0..50).map(async |_| {
            eventually("the request is recorded", SHORT_TIMEOUT, async || {
                let answer =
                    sandbox.api.post_json("/v1/download/initiate", Some(&keyed_body)).await;
                // Repeats the request while the first one is still being recorded.
                (answer.status != StatusCode::CONFLICT).then_some(answer)
            })
            .await
        });
        let mut answers = BTreeSet::new();
        for answer in futures::future::join_all(requests).await {
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
            answers.insert(answer.text);
        }

        assert_eq!(answers.len(), 1, "{answers:?}");
        keyed_body["priority"] = json!("high");
        let other = sandbox.api.post_json("/v1/download/initiate", Some(&keyed_body)).await;
        assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", other.text);

        let first: Value = serde_json::from_str(answers.first().unwrap()).unwrap();
        let id = first["jobId"].as_str().unwrap();
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
    let retry = format!("/v1/download/retry/{id}");
    let early = sandbox.api.post_json(&retry, None).await;
    assert_eq!(early.status, StatusCode::CONFLICT, "{}", early.text);

    // Waits until the job has a slot: before that it has no execution to stop.
    sandbox.api.wait_for_job(&id, |job| job["status"] == "running").await;
    let canceled = sandbox.api.post_json(&format!("/v1/download/cancel/{id}"), None).await;
    assert_eq!(canceled.status, StatusCode::ACCEPTED, "{}", canceled.text);

    sandbox.api.wait_for_job(&id, |job| job["status"] == "canceled").await;
    let retried = eventually("the first run is cleaned up", SHORT_TIMEOUT, async || {
        let answer = sandbox.api.post_json(&retry, None).await;
        (answer.json()["code"] != "NOT_SETTLED").then_some(answer)
    })
    .await;
    assert_eq!(retried.status, StatusCode::ACCEPTED, "{}", retried.text);
    assert_eq!(retried.json()["attempts"], 2);

    let done = sandbox.api.wait_for_job_end(&id).await;
    assert_eq!((&done["status"], &done["attempts"]), (&json!("completed"), &json!(2)), "{done}");
    let delivered = sandbox.cloud.delivered_object(&format!("downloads/{id}/1")).await.unwrap();
    assert_eq!(delivered, (1000, document.sha256));
    // The execution of the first run has ended, too.
    assert_eq!(sandbox.cloud.wait_for_execution(&id).await, "SUCCEEDED");
}

#[tokio::test]
async fn history_lists_own_jobs_page_by_page() {
    let sandbox = Sandbox::new().await;
    let (file_id, _) = sandbox.indexed_document(1000, &[]).await;
    let ada = person(&sandbox).await;
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
    let ids = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| item["jobId"].as_str().unwrap().to_owned()).collect()
    };
    let first = ada.get("/v1/download/history?pageSize=2").await.json();
    assert_eq!(ids(&first), created[..2]);

    let token = first["nextPageToken"].as_str().unwrap();
    let path = format!("/v1/download/history?pageSize=2&pageToken={token}");
    assert_eq!(ids(&ada.get(&path).await.json()), created[2..]);
    assert_eq!(
        sandbox.api.get(&path).await.status,
        StatusCode::BAD_REQUEST,
        "token of another caller"
    );

    let completed = ada.get("/v1/download/jobs?status=completed").await.json();
    assert_eq!(ids(&completed), created);
    assert!(ids(&ada.get("/v1/download/jobs?status=failed").await.json()).is_empty());

    let others = sandbox.api.get("/v1/download/history?pageSize=100").await.json();
    assert!(ids(&others).iter().all(|id| !created.contains(id)));
}

#[tokio::test]
async fn allowed_origin_passes_cors_and_sees_rate_limits() {
    let sandbox = Sandbox::new().await;
    let ada = person(&sandbox).await;
    let answer = ada.get("/v1/download/history").await;
    let header = |name: &str| answer.headers[name].to_str().unwrap().parse::<u32>().unwrap();
    let (limit, remaining) = (header("ratelimit-limit"), header("ratelimit-remaining"));
    assert!(limit == 600 && remaining < limit, "{remaining} of {limit}");
    assert!((1..=60).contains(&header("ratelimit-reset")));

    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/v1/download/initiate", sandbox.stack.api);
    for (origin, is_allowed) in [("https://viewer.example.org", true), ("https://x.example", false)]
    {
        let answer = eventually("the request is not throttled", SHORT_TIMEOUT, async || {
            let preflight = http
                .request(Method::OPTIONS, &url)
                .header("origin", origin)
                .header("access-control-request-method", "POST");
            let answer = preflight.send().await.unwrap();
            (answer.status() != StatusCode::TOO_MANY_REQUESTS).then_some(answer)
        })
        .await;
        assert_eq!(answer.status(), StatusCode::OK);
        let allowed = answer.headers().get("access-control-allow-origin");
        assert_eq!(allowed.is_some(), is_allowed, "{origin}");
    }
}

#[tokio::test]
async fn allowed_origin_can_read_gateway_errors_and_downloads() {
    const PAGE: &str = "https://viewer.example.org";
    let sandbox = Sandbox::new().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let header = |answer: &reqwest::Response, name: &str| {
        answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    // Without credentials: the gateway itself responds.
    let url = format!("{}/v1/download/history", sandbox.stack.api);
    let refused = eventually("the gateway refuses the request", SHORT_TIMEOUT, async || {
        let answer = http.get(&url).header("origin", PAGE).send().await.unwrap();
        (answer.status() == StatusCode::UNAUTHORIZED).then_some(answer)
    })
    .await;
    assert_eq!(header(&refused, "access-control-allow-origin").as_deref(), Some(PAGE));

    let exposed = header(&refused, "access-control-expose-headers").unwrap();
    assert!(exposed.contains("X-Request-ID") && exposed.contains("Retry-After"), "{exposed}");
    let problem: Value = refused.json().await.unwrap();
    assert!(problem["instance"].as_str().unwrap().starts_with("urn:docferry:request:"));

    let ada = person(&sandbox).await;
    let (file_id, _) = sandbox.indexed_document(1000, &[]).await;
    let body = json!({ "file_id": file_id });
    let accepted = ada.post_json("/v1/download/initiate", Some(&body)).await.json();
    let path = format!("/v1/download/status/{}", accepted["jobId"].as_str().unwrap());
    let url = eventually("the job ends", SHORT_TIMEOUT, async || {
        ada.get(&path).await.json()["url"].as_str().map(str::to_owned)
    })
    .await;
    for (origin, is_allowed) in [(PAGE, true), ("https://x.example", false)] {
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

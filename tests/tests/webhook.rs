//! Tests of webhooks, through the deployed system with IAM enforcement.
//!
//! The path of each receiver contains the tag of its sandbox. `whole_run.rs` searches all
//! logs for these tags, so it also finds URLs that were logged.

#![allow(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docferry_system_tests::{FailureCode, SHORT_TIMEOUT, Sandbox, eventually, random_file_id};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpSocket;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Starts a receiver that fails this number of times before it accepts notifications.
async fn start_receiver(failures: u64) -> MockServer {
    let server = MockServer::start().await;
    if failures > 0 {
        let busy = Mock::given(any_post()).respond_with(ResponseTemplate::new(500));
        busy.up_to_n_times(failures).mount(&server).await;
    }
    Mock::given(any_post()).respond_with(ResponseTemplate::new(204)).mount(&server).await;
    server
}

fn any_post() -> wiremock::matchers::MethodExactMatcher {
    wiremock::matchers::method("POST")
}

/// Waits until a receiver has this number of requests, and returns all.
async fn wait_for_requests(server: &MockServer, times: usize) -> Vec<Request> {
    eventually("the receiver is called", SHORT_TIMEOUT, async || {
        let requests = server.received_requests().await.unwrap();
        (requests.len() >= times).then_some(requests)
    })
    .await
}

/// Waits until a receiver has this number of different messages, and returns the first
/// request of each. Each message is sent at least once.
async fn wait_for_distinct_messages(server: &MockServer, count: usize) -> Vec<Request> {
    eventually("all messages are received", SHORT_TIMEOUT, async || {
        let mut seen = BTreeSet::new();
        let mut requests = server.received_requests().await.unwrap();
        requests.retain(|request| seen.insert(request.headers["webhook-id"].as_bytes().to_vec()));
        (requests.len() >= count).then_some(requests)
    })
    .await
}

/// Checks the signature with an independent implementation of the standard.
fn assert_signed(sandbox: &Sandbox, request: &Request) {
    let header = |name: &str| request.headers[name].to_str().unwrap();
    let secret = sandbox.stack.webhook_secret.strip_prefix("whsec_").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(secret).unwrap()).unwrap();
    mac.update(format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes());
    mac.update(&request.body);
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), expected);
}

#[tokio::test]
async fn webhook_is_retried_with_the_same_message_after_failures() {
    let sandbox = Sandbox::new().await;
    let server = start_receiver(2).await;
    let (file, _) = sandbox.indexed_document(1000, &[]).await;
    let hook = format!("{}/{}?key=secret", server.uri(), sandbox.tag);
    let id = sandbox.api.create_job(&json!({ "file_id": file, "callbackUrl": hook })).await;
    assert_eq!(sandbox.api.wait_for_job_end(&id).await["status"], "completed");

    let requests = wait_for_requests(&server, 3).await;
    for request in &requests {
        assert_signed(&sandbox, request);
        assert_eq!(request.headers["webhook-id"], format!("{id}-1"));
        assert_eq!(request.body, requests[0].body);
        assert_eq!(request.url.query(), Some("key=secret"));
    }

    let body: Value = serde_json::from_slice(&requests[2].body).unwrap();
    assert_eq!(body["type"], "download.completed");
    let data = &body["data"];
    assert_eq!((&data["jobId"], &data["status"]), (&json!(id), &json!("completed")));
    assert_eq!((&data["attempts"], &data["totalFileIds"]), (&json!(1), &json!(1)));

    let text = body.to_string();
    assert!(!text.contains(&sandbox.tag) && !text.contains("http"), "{text}");
}

#[tokio::test]
async fn webhook_is_sent_for_each_end_of_each_run() {
    let sandbox = Sandbox::new().await;
    let sandbox = Sandbox { api: sandbox.api.within_trace(TRACEPARENT), ..sandbox };
    let server = start_receiver(0).await;
    let hook = |end: &str| format!("{}/{}/{end}", server.uri(), sandbox.tag);
    // The index has this number, but the source does not have its document.
    let missing = random_file_id();
    sandbox.cloud.index_document(missing, &sandbox.another_document().guid).await;
    let failed =
        sandbox.api.create_job(&json!({ "file_id": missing, "callbackUrl": hook("failed") })).await;
    let (late, _) = sandbox.indexed_document(1000, &[("moverDelayMs", "8000")]).await;
    let canceled =
        sandbox.api.create_job(&json!({ "file_id": late, "callbackUrl": hook("canceled") })).await;
    sandbox.api.post_json(&format!("/v1/download/cancel/{canceled}"), None).await;
    let mut files = Vec::new();
    for n in 0..2 {
        files.push(sandbox.with_suffix(&n.to_string()).indexed_document(1000, &[]).await.0);
    }
    let many =
        sandbox.api.create_job(&json!({ "file_ids": files, "callbackUrl": hook("many") })).await;
    for id in [&failed, &canceled, &many] {
        sandbox.api.wait_for_job_end(id).await;
    }
    let requests = wait_for_distinct_messages(&server, 3).await;
    let messages_to = |requests: &[Request], end: &str| -> Vec<(String, Value)> {
        let wanted = format!("/{}/{end}", sandbox.tag);
        let ours = requests.iter().filter(|request| request.url.path() == wanted);
        ours.map(|request| {
            assert_signed(&sandbox, request);
            assert_eq!(request.headers["traceparent"], TRACEPARENT);
            let id = request.headers["webhook-id"].to_str().unwrap().to_owned();
            (id, serde_json::from_slice(&request.body).unwrap())
        })
        .collect()
    };
    let (_, body) = &messages_to(&requests, "failed")[0];
    assert_eq!(body["type"], "download.failed", "{body}");

    let code = FailureCode::SourceNotFound;
    assert_eq!(body["data"]["error"], json!({ "code": code.as_str(), "message": code.message() }));
    let (_, body) = &messages_to(&requests, "canceled")[0];
    assert_eq!(
        (&body["type"], &body["data"]["error"]),
        (&json!("download.canceled"), &Value::Null)
    );

    let (id, body) = &messages_to(&requests, "many")[0];
    assert_eq!((id, &body["type"]), (&format!("{many}-1"), &json!("download.completed")));
    assert_eq!(body["data"]["totalFileIds"], 2);

    let retried = eventually("the first run is cleaned up", SHORT_TIMEOUT, async || {
        let answer = sandbox.api.post_json(&format!("/v1/download/retry/{canceled}"), None).await;
        (answer.json()["code"] != "NOT_SETTLED").then_some(answer)
    })
    .await;
    assert_eq!(retried.status, StatusCode::ACCEPTED, "{}", retried.text);

    sandbox.api.wait_for_job_end(&canceled).await;
    let requests = wait_for_distinct_messages(&server, 4).await;
    let ends = messages_to(&requests, "canceled");
    assert_eq!((&ends[0].0, &ends[1].0), (&format!("{canceled}-1"), &format!("{canceled}-2")));
    assert_eq!(ends[1].1["type"], "download.completed");
    assert_eq!(ends[1].1["data"]["attempts"], 2);
}

#[tokio::test]
async fn webhook_to_a_dead_receiver_becomes_a_dead_letter() {
    let sandbox = Sandbox::new().await;
    // No process listens on this port, and none can, because the port is bound here.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let (file, _) = sandbox.indexed_document(1000, &[]).await;
    let hook = format!("http://{address}/{}", sandbox.tag);
    let id = sandbox.api.create_job(&json!({ "file_id": file, "callbackUrl": hook })).await;
    assert_eq!(sandbox.api.wait_for_job_end(&id).await["status"], "completed");

    eventually("the outcome is sent to the audit queue", SHORT_TIMEOUT, async || {
        sandbox.cloud.is_sent_to_audit(&id, 1).await.then_some(())
    })
    .await;
    let letter =
        eventually("the notification is in the dead-letter queue", SHORT_TIMEOUT, async || {
            let dead = sandbox.cloud.dead_letter_webhooks().await;
            dead.into_iter().find(|letter| letter["jobId"] == id)
        })
        .await;
    assert_eq!(letter["outcome"], "completed");

    let status = sandbox.api.get(&format!("/v1/download/status/{id}")).await.json();
    assert_eq!(status["status"], "completed", "{status}");
}

#[tokio::test]
async fn webhook_to_a_gone_receiver_is_sent_once() {
    let sandbox = Sandbox::new().await;
    let server = MockServer::start().await;
    let gone = Mock::given(path(format!("/{}", sandbox.tag)));
    gone.respond_with(ResponseTemplate::new(410)).mount(&server).await;
    let (file, _) = sandbox.indexed_document(1000, &[]).await;
    let hook = format!("{}/{}", server.uri(), sandbox.tag);
    let id = sandbox.api.create_job(&json!({ "file_id": file, "callbackUrl": hook })).await;
    wait_for_requests(&server, 1).await;
    let log = format!("/aws/lambda/{}", sandbox.stack.functions["webhook"]);
    eventually("the receiver is given up", SHORT_TIMEOUT, async || {
        let text = sandbox.cloud.log_text(&log).await;
        text.lines().any(|line| line.contains(&id) && line.contains("gone for good")).then_some(())
    })
    .await;
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn forbidden_callback_url_is_rejected_before_the_job_is_recorded() {
    let sandbox = Sandbox::new().await;
    for url in ["https://169.254.169.254/", "https://0x0a000001/", "http://hooks.example.org/"] {
        let body = json!({ "file_id": 10_000, "callbackUrl": url });
        let answer = sandbox.api.post_json("/v1/download/initiate", Some(&body)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        let problem = answer.json();
        assert_eq!(problem["errors"][0]["pointer"], "/callbackUrl", "{problem}");
    }
}

//! Tests of webhooks, through the deployed system with IAM enforcement.
//!
//! The path of each receiver contains the tag of its sandbox. `whole_run.rs` searches all
//! logs for these tags, so it also finds URLs that were logged.

#![allow(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docferry_system_tests::{FailureCode, Sandbox, eventually};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpSocket;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const BOUND: Duration = Duration::from_secs(100);

/// Returns a random document number, which no other test uses.
fn number() -> u64 {
    fastrand::u64(1_000_000..100_000_000)
}

/// Creates a document in the source and adds it to the index. Returns its number.
async fn document(sandbox: &Sandbox, more: &[(&str, &str)]) -> u64 {
    let document = sandbox.document_with(1000, more).await;
    let file = number();
    sandbox.cloud.index(file, &document.guid).await;
    file
}

async fn post(sandbox: &Sandbox, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
    let body = body.map(Value::to_string);
    let answer = eventually("the request is not throttled", BOUND, async || {
        let answer = sandbox.api.request(Method::POST, path, body.as_deref()).await;
        (answer.status != StatusCode::TOO_MANY_REQUESTS).then_some(answer)
    })
    .await;
    (answer.status, answer.json())
}

/// Creates a job and returns its id.
async fn initiate(sandbox: &Sandbox, body: &Value) -> String {
    let (status, answer) = post(sandbox, "/v1/download/initiate", Some(body)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    answer["jobId"].as_str().unwrap().to_owned()
}

/// Waits for the end of a job and returns its status.
async fn wait_for_end(sandbox: &Sandbox, id: &str) -> Value {
    eventually("the job ends", BOUND, async || {
        let status = sandbox.api.get(&format!("/v1/download/status/{id}")).await.json();
        status["nextPollInMs"].is_null().then_some(status)
    })
    .await
}

/// Starts a receiver that fails this number of times before it accepts notifications.
async fn receiver(failures: u64) -> MockServer {
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
async fn received(server: &MockServer, times: usize) -> Vec<Request> {
    eventually("the receiver is called", BOUND, async || {
        let requests = server.received_requests().await.unwrap();
        (requests.len() >= times).then_some(requests)
    })
    .await
}

/// Waits until a receiver has this number of different messages, and returns the first
/// request of each. Each message is sent at least once.
async fn distinct_messages(server: &MockServer, count: usize) -> Vec<Request> {
    eventually("all messages are received", BOUND, async || {
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
    let server = receiver(2).await;
    let file = document(&sandbox, &[]).await;
    let hook = format!("{}/{}?key=secret", server.uri(), sandbox.tag);
    let id = initiate(&sandbox, &json!({ "file_id": file, "callbackUrl": hook })).await;
    assert_eq!(wait_for_end(&sandbox, &id).await["status"], "completed");
    let requests = received(&server, 3).await;
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
    let sandbox = Sandbox { api: sandbox.api.within_trace(TRACE), ..sandbox };
    let server = receiver(0).await;
    let hook = |end: &str| format!("{}/{}/{end}", server.uri(), sandbox.tag);
    // The index has this number, but the source does not have its document.
    let missing = number();
    sandbox.cloud.index(missing, &sandbox.another_document().guid).await;
    let failed =
        initiate(&sandbox, &json!({ "file_id": missing, "callbackUrl": hook("failed") })).await;
    let late = document(&sandbox, &[("moverDelayMs", "8000")]).await;
    let canceled =
        initiate(&sandbox, &json!({ "file_id": late, "callbackUrl": hook("canceled") })).await;
    post(&sandbox, &format!("/v1/download/cancel/{canceled}"), None).await;
    let mut files = Vec::new();
    for n in 0..2 {
        let file_name = format!("{}-{n}.pdf", sandbox.tag);
        files.push(document(&Sandbox { file_name, ..sandbox.another_document() }, &[]).await);
    }
    let many = initiate(&sandbox, &json!({ "file_ids": files, "callbackUrl": hook("many") })).await;
    for id in [&failed, &canceled, &many] {
        wait_for_end(&sandbox, id).await;
    }
    let requests = distinct_messages(&server, 3).await;
    let messages_to = |requests: &[Request], end: &str| -> Vec<(String, Value)> {
        let wanted = format!("/{}/{end}", sandbox.tag);
        let ours = requests.iter().filter(|request| request.url.path() == wanted);
        ours.map(|request| {
            assert_signed(&sandbox, request);
            assert_eq!(request.headers["traceparent"], TRACE);
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

    let retried = eventually("the first run is cleaned up", BOUND, async || {
        let answer = post(&sandbox, &format!("/v1/download/retry/{canceled}"), None).await;
        (answer.1["code"] != "NOT_SETTLED").then_some(answer)
    })
    .await;
    assert_eq!(retried.0, StatusCode::ACCEPTED, "{}", retried.1);
    wait_for_end(&sandbox, &canceled).await;
    let requests = distinct_messages(&server, 4).await;
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
    let file = document(&sandbox, &[]).await;
    let hook = format!("http://{address}/{}", sandbox.tag);
    let id = initiate(&sandbox, &json!({ "file_id": file, "callbackUrl": hook })).await;
    assert_eq!(wait_for_end(&sandbox, &id).await["status"], "completed");
    eventually("the outcome is sent to the audit queue", BOUND, async || {
        sandbox.cloud.is_sent_to_audit(&id, 1).await.then_some(())
    })
    .await;
    let letter = eventually("the notification is in the dead-letter queue", BOUND, async || {
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
    let file = document(&sandbox, &[]).await;
    let hook = format!("{}/{}", server.uri(), sandbox.tag);
    let id = initiate(&sandbox, &json!({ "file_id": file, "callbackUrl": hook })).await;
    received(&server, 1).await;
    let log = format!("/aws/lambda/{}", sandbox.stack.functions["webhook"]);
    eventually("the receiver is given up", BOUND, async || {
        let text = sandbox.cloud.log(&log).await;
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
        let (status, problem) = post(&sandbox, "/v1/download/initiate", Some(&body)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], "/callbackUrl", "{problem}");
    }
}

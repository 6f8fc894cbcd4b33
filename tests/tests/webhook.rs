//! Tests of webhooks through the deployed system. A webhook is a signed HTTP request that docferry
//! sends to the `callbackUrl` of a job when the job ends.
//!
//! The path of each receiver contains the tag of its sandbox. `whole_run.rs` searches all logs for
//! these tags, so it also finds callback URLs that were logged.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docferry_system_tests::{FailureCode, SHORT_TIMEOUT, Sandbox, eventually, random_file_id};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpSocket;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// Trace context that the test sends with its requests and expects in the webhooks.
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Starts a receiver that responds with status 500 to the first `failures` requests and accepts
/// all later requests.
async fn start_receiver(failures: u64) -> MockServer {
    let server = MockServer::start().await;
    if failures > 0 {
        let failing = Mock::given(method("POST")).respond_with(ResponseTemplate::new(500));
        failing.up_to_n_times(failures).mount(&server).await;
    }
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(204)).mount(&server).await;
    server
}

/// Waits until a receiver has at least `count` requests, and returns all of its requests.
async fn wait_for_requests(server: &MockServer, count: usize) -> Vec<Request> {
    eventually("the receiver is called", SHORT_TIMEOUT, async || {
        let requests = server.received_requests().await.unwrap();
        (requests.len() >= count).then_some(requests)
    })
    .await
}

/// Waits until a receiver has at least `count` different messages, and returns the first request of
/// each message. A message may arrive more than once.
async fn wait_for_distinct_messages(server: &MockServer, count: usize) -> Vec<Request> {
    eventually("all messages are received", SHORT_TIMEOUT, async || {
        let mut seen_ids = BTreeSet::new();
        let mut requests = server.received_requests().await.unwrap();
        requests
            .retain(|request| seen_ids.insert(request.headers["webhook-id"].as_bytes().to_vec()));
        (requests.len() >= count).then_some(requests)
    })
    .await
}

/// Checks the signature of a webhook with an independent implementation of the Standard Webhooks
/// specification.
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
    let (file_id, _) = sandbox.indexed_document(1000, &[]).await;
    let callback_url = format!("{}/{}?key=secret", server.uri(), sandbox.tag);
    let body = json!({ "file_id": file_id, "callbackUrl": callback_url });
    let id = sandbox.api.create_job(&body).await;
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
    assert_eq!(data["jobId"], id);
    assert_eq!(data["status"], "completed");
    assert_eq!(data["attempts"], 1);
    assert_eq!(data["totalFileIds"], 1);

    let text = body.to_string();
    assert!(!text.contains(&sandbox.tag) && !text.contains("http"), "{text}");
}

/// A webhook message that a receiver got.
struct Message {
    id: String,
    body: Value,
}

/// Returns the messages that were sent to the receiver with this name. Checks the signature and
/// the trace of each message.
fn messages_to(receiver: &str, sandbox: &Sandbox, requests: &[Request]) -> Vec<Message> {
    let receiver_path = format!("/{}/{receiver}", sandbox.tag);
    let own_requests = requests.iter().filter(|request| request.url.path() == receiver_path);
    let to_message = |request: &Request| {
        assert_signed(sandbox, request);
        assert_eq!(request.headers["traceparent"], TRACEPARENT);
        Message {
            id: request.headers["webhook-id"].to_str().unwrap().to_owned(),
            body: serde_json::from_slice(&request.body).unwrap(),
        }
    };
    own_requests.map(to_message).collect()
}

/// Creates a job whose document is registered, but not in the document source. So the job fails.
async fn create_failing_job(sandbox: &Sandbox, callback_url: &str) -> String {
    let file_id = random_file_id();
    sandbox.cloud.index_document(file_id, &sandbox.another_document().guid).await;
    sandbox.api.create_job(&json!({ "file_id": file_id, "callbackUrl": callback_url })).await
}

/// Creates a job whose document arrives late, and cancels the job.
async fn create_canceled_job(sandbox: &Sandbox, callback_url: &str) -> String {
    let (file_id, _) = sandbox.indexed_document(1000, &[("moverDelayMs", "8000")]).await;
    let body = json!({ "file_id": file_id, "callbackUrl": callback_url });
    let id = sandbox.api.create_job(&body).await;
    sandbox.api.post_json(&format!("/v1/download/cancel/{id}"), None).await;
    id
}

/// Creates a job for a batch of two documents.
async fn create_batch_job(sandbox: &Sandbox, callback_url: &str) -> String {
    let mut file_ids = Vec::new();
    for suffix in ["0", "1"] {
        let (file_id, _) = sandbox.with_suffix(suffix).indexed_document(1000, &[]).await;
        file_ids.push(file_id);
    }
    sandbox.api.create_job(&json!({ "file_ids": file_ids, "callbackUrl": callback_url })).await
}

#[tokio::test]
async fn each_run_of_a_job_sends_one_webhook_at_its_end() {
    let sandbox = Sandbox::new().await;
    let sandbox = Sandbox { api: sandbox.api.within_trace(TRACEPARENT), ..sandbox };
    let server = start_receiver(0).await;
    let callback_url = |receiver: &str| format!("{}/{}/{receiver}", server.uri(), sandbox.tag);
    let failed_id = create_failing_job(&sandbox, &callback_url("failed")).await;
    let canceled_id = create_canceled_job(&sandbox, &callback_url("canceled")).await;
    let batch_id = create_batch_job(&sandbox, &callback_url("batch")).await;
    for id in [&failed_id, &canceled_id, &batch_id] {
        sandbox.api.wait_for_job_end(id).await;
    }

    let requests = wait_for_distinct_messages(&server, 3).await;
    let failed = &messages_to("failed", &sandbox, &requests)[0].body;
    assert_eq!(failed["type"], "download.failed", "{failed}");
    let code = FailureCode::SourceNotFound;
    let expected_error = json!({ "code": code.as_str(), "message": code.message() });
    assert_eq!(failed["data"]["error"], expected_error);

    let canceled = &messages_to("canceled", &sandbox, &requests)[0].body;
    assert_eq!(canceled["type"], "download.canceled");
    assert_eq!(canceled["data"]["error"], Value::Null);

    let batch = &messages_to("batch", &sandbox, &requests)[0];
    assert_eq!(batch.id, format!("{batch_id}-1"));
    assert_eq!(batch.body["type"], "download.completed");
    assert_eq!(batch.body["data"]["totalFileIds"], 2);

    sandbox.api.retry_job(&canceled_id).await;
    sandbox.api.wait_for_job_end(&canceled_id).await;

    let requests = wait_for_distinct_messages(&server, 4).await;
    let messages = messages_to("canceled", &sandbox, &requests);
    let [first_run, second_run] = messages.as_slice() else { panic!("not two messages") };
    assert_eq!(first_run.id, format!("{canceled_id}-1"));
    assert_eq!(second_run.id, format!("{canceled_id}-2"));
    assert_eq!(second_run.body["type"], "download.completed");
    assert_eq!(second_run.body["data"]["attempts"], 2);
}

#[tokio::test]
async fn webhook_to_an_unreachable_receiver_becomes_a_dead_letter() {
    let sandbox = Sandbox::new().await;
    // The port is bound here and does not listen, so every connection to it is refused.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let (file_id, _) = sandbox.indexed_document(1000, &[]).await;
    let callback_url = format!("http://{address}/{}", sandbox.tag);
    let body = json!({ "file_id": file_id, "callbackUrl": callback_url });
    let id = sandbox.api.create_job(&body).await;
    assert_eq!(sandbox.api.wait_for_job_end(&id).await["status"], "completed");

    eventually("the outcome is sent to the audit queue", SHORT_TIMEOUT, async || {
        sandbox.cloud.is_sent_to_audit(&id, 1).await.then_some(())
    })
    .await;
    let letter =
        eventually("the notification is in the dead-letter queue", SHORT_TIMEOUT, async || {
            let letters = sandbox.cloud.dead_letter_webhooks().await;
            letters.into_iter().find(|letter| letter["jobId"] == id)
        })
        .await;
    assert_eq!(letter["outcome"], "completed");

    let status = sandbox.api.get(&format!("/v1/download/status/{id}")).await.json();
    assert_eq!(status["status"], "completed", "{status}");
}

#[tokio::test]
async fn webhook_is_sent_once_to_a_receiver_that_responds_with_410() {
    let sandbox = Sandbox::new().await;
    let server = MockServer::start().await;
    let receiver = Mock::given(path(format!("/{}", sandbox.tag)));
    receiver.respond_with(ResponseTemplate::new(410)).mount(&server).await;
    let (file_id, _) = sandbox.indexed_document(1000, &[]).await;
    let callback_url = format!("{}/{}", server.uri(), sandbox.tag);
    let body = json!({ "file_id": file_id, "callbackUrl": callback_url });
    let id = sandbox.api.create_job(&body).await;
    wait_for_requests(&server, 1).await;
    let log_group = format!("/aws/lambda/{}", sandbox.stack.functions["webhook"]);
    eventually("the receiver is given up", SHORT_TIMEOUT, async || {
        let text = sandbox.cloud.log_text(&log_group).await;
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
        let response = sandbox.api.post_json("/v1/download/initiate", Some(&body)).await;
        assert_eq!(response.status, StatusCode::BAD_REQUEST, "{}", response.text);
        let problem = response.json();
        assert_eq!(problem["errors"][0]["pointer"], "/callbackUrl", "{problem}");
    }
}

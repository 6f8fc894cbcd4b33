//! Tests of the compiled Lambda function `subscribe`, which streams the events of a job. The function
//! runs as a process with a simulated Lambda runtime API; the tests check the content and the timing
//! of its responses.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::time::Duration;

use docferry_domain::document::Artifact;
use docferry_domain::job_spec::JobSpec;
use docferry_domain::person::Person;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{DownloadTarget, Target, Transfer};
use docferry_testkit::builders;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use support::Function;

/// Time limit that an invocation never reaches, because its job ends earlier.
const LONG_LIMIT: Duration = Duration::from_secs(300);

#[expect(clippy::disallowed_methods, reason = "the program uses the system time")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// Returns a transfer that waits for a slot.
fn queued_transfer() -> Transfer {
    let person = Person::new("sub:ada");
    let now = now();
    Transfer {
        transfer_id: "0193567890abcdef0123456789abcdef".parse().unwrap(),
        target: Target::Download(DownloadTarget { person }),
        created_at: now,
        deadline: now + SignedDuration::from_hours(4),
        spec: JobSpec {
            retain_until: Some(now + SignedDuration::from_hours(24)),
            ..builders::new_transfer().spec
        },
        ..builders::transfer()
    }
}

/// Returns the transfer in the state in which it is uploading.
fn uploading_transfer(queued: &Transfer, bytes_done: u64) -> Transfer {
    Transfer {
        phase: Phase::Uploading,
        started_at: Some(queued.created_at),
        source: Some(builders::pushed("order.pdf", 1_000)),
        bytes_done,
        ..queued.clone()
    }
}

/// Returns the transfer in the state after its delivery.
fn completed_transfer(queued: &Transfer) -> Transfer {
    let artifact = Artifact { key: "downloads/x/0".to_owned(), size: 1_000, crc32: None };
    Transfer {
        phase: Phase::Completed,
        ended_at: Some(queued.created_at),
        delivery: Some(artifact.into()),
        ..uploading_transfer(queued, 1_000)
    }
}

/// Returns the event by which API Gateway invokes the function, with a `Last-Event-ID` header if
/// `last_event_id` is given.
fn subscribe_event(last_event_id: Option<&str>) -> Value {
    let sample = include_str!("../../../events/subscribe/follow.json");
    let mut event: Value = serde_json::from_str(sample).unwrap();
    if let Some(id) = last_event_id {
        event["headers"]["Last-Event-ID"] = json!(id);
        event["multiValueHeaders"]["Last-Event-ID"] = json!([id]);
    }
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_sent_while_the_job_is_running() {
    let mut function = Function::start("STREAM").await;
    let job = queued_transfer();
    function.table.put(&job);
    let mut response = function.runtime.invoke(&subscribe_event(None), LONG_LIMIT).await;
    assert_eq!(response.headers["lambda-runtime-function-response-mode"], "streaming");
    assert_eq!(response.headers["transfer-encoding"], "chunked");

    let media_type = "application/vnd.awslambda.http-integration-response";
    assert_eq!(response.headers["content-type"], media_type);
    let prelude = response.read_prelude().await;
    assert_eq!(prelude["statusCode"], 200);
    assert_eq!(prelude["headers"]["content-type"], "text/event-stream");

    // API Gateway does not accept lists as header values here.
    let headers = prelude["headers"].as_object().unwrap();
    assert!(headers.values().all(Value::is_string), "{prelude}");

    response.read_until("event: progress").await;
    assert!(response.body().starts_with("retry: "), "{}", response.body());
    function.table.put(&uploading_transfer(&job, 500));
    // The arrival of the document counts 10 percent, and half of its bytes count 45 percent.
    response.read_until("\"percent\":55").await;
    assert!(response.body().contains("\"status\":\"running\""), "{}", response.body());

    function.table.put(&completed_transfer(&job));
    response.read_to_end().await;
    let body = response.body();
    // An event id contains the run, the status, the percentage and the number of bytes.
    assert!(body.contains("event: result\nid: 1.completed.100.1000.end\ndata: {\"url\":\"http"));

    let positions = ["queued", "running", "completed"]
        .map(|status| body.find(&format!("\"status\":\"{status}\"")));
    assert!(positions.is_sorted() && positions[0].is_some(), "{body}");

    // A client that has received the last event gets no more events. The invocation uses the same
    // process.
    let mut response = function
        .runtime
        .invoke(&subscribe_event(Some(&response.last_event_id())), LONG_LIMIT)
        .await;
    assert_eq!(response.read_prelude().await["statusCode"], 204);

    response.read_to_end().await;
    assert_eq!(response.body(), "");
    let log = std::fs::read_to_string(&function.log).unwrap();
    assert!(!log.contains("X-Amz-Signature"), "a presigned URL was logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn function_sends_heartbeats_and_ends_the_stream_before_its_timeout() {
    let mut function = Function::start("STREAM").await;
    let job = queued_transfer();
    function.table.put(&job);
    // The function sends a heartbeat comment after 15 s and ends the stream 5 s before the limit.
    // So this limit allows one heartbeat.
    let time_limit = Duration::from_secs(28);
    let mut response = function.runtime.invoke(&subscribe_event(None), time_limit).await;
    response.read_until(": keep-alive\n\n").await;
    response.read_to_end().await;
    let last_event_id = response.last_event_id();
    // The two events are `status` and `progress`.
    assert_eq!(response.body().matches("event: ").count(), 2, "{}", response.body());

    function.table.put(&completed_transfer(&job));
    let mut next_response =
        function.runtime.invoke(&subscribe_event(Some(&last_event_id)), LONG_LIMIT).await;
    next_response.read_to_end().await;
    let events: Vec<_> = next_response
        .body()
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .map(str::to_owned)
        .collect();
    assert_eq!(events, ["status", "progress", "result"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn streamed_response_for_an_unknown_job_has_status_404() {
    let mut function = Function::start("STREAM").await;
    let mut response = function.runtime.invoke(&subscribe_event(None), LONG_LIMIT).await;
    let prelude = response.read_prelude().await;
    assert_eq!(prelude["statusCode"], 404);
    assert_eq!(prelude["headers"]["content-type"], "application/problem+json");
    response.read_to_end().await;
    assert!(response.body().contains("NOT_FOUND"), "{}", response.body());
}

#[tokio::test(flavor = "multi_thread")]
async fn buffered_response_has_no_prelude() {
    let mut function = Function::start("BUFFERED").await;
    function.table.put(&completed_transfer(&queued_transfer()));
    let mut response = function.runtime.invoke(&subscribe_event(None), LONG_LIMIT).await;
    assert!(!response.headers.contains_key("lambda-runtime-function-response-mode"));
    response.read_to_end().await;
    let payload: Value = serde_json::from_slice(&response.bytes).unwrap();
    assert_eq!(payload["statusCode"], 200);
    assert_eq!(payload["isBase64Encoded"], false);
    let body = payload["body"].as_str().unwrap();
    assert!(body.starts_with("retry: ") && body.contains("event: result"), "{body}");
}

//! Tests of the compiled function against a Lambda runtime API: content and timing of its
//! responses.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::time::Duration;

use docferry_domain::document::Artifact;
use docferry_domain::person::Person;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{DownloadTarget, Target, Transfer};
use docferry_testkit::builders;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use support::Function;

/// Time limit of an invocation in tests in which the job ends. It is never reached.
const LONG_LIMIT: Duration = Duration::from_secs(300);

#[expect(clippy::disallowed_methods, reason = "the program uses the system time")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// Returns a transfer that waits for a slot.
fn queued_transfer() -> Transfer {
    let new = builders::new_transfer();
    let person = Person::new("sub:ada");
    let now = now();
    Transfer {
        transfer_id: "0193567890abcdef0123456789abcdef".parse().unwrap(),
        target: Target::Download(DownloadTarget { person }),
        created_at: now,
        deadline: now + SignedDuration::from_hours(4),
        retain_until: Some(now + SignedDuration::from_hours(24)),
        owner: new.owner,
        ..builders::transfer()
    }
}

/// The transfer while it is uploading.
fn uploading_transfer(queued: &Transfer, bytes_done: u64) -> Transfer {
    Transfer {
        phase: Phase::Uploading,
        started_at: Some(queued.created_at),
        source: Some(builders::pushed("order.pdf", 1_000)),
        bytes_done,
        ..queued.clone()
    }
}

/// The transfer after its delivery.
fn completed_transfer(queued: &Transfer) -> Transfer {
    let artifact = Artifact { key: "downloads/x/0".to_owned(), size: 1_000 };
    Transfer {
        phase: Phase::Completed,
        ended_at: Some(queued.created_at),
        delivery: Some(artifact.into()),
        ..uploading_transfer(queued, 1_000)
    }
}

/// Event of API Gateway, with `Last-Event-ID` if given.
fn subscribe_event(last_id: Option<&str>) -> Value {
    let sample = include_str!("../../../events/subscribe/follow.json");
    let mut event: Value = serde_json::from_str(sample).unwrap();
    if let Some(id) = last_id {
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
    let mut answer = function.runtime.invoke(&subscribe_event(None), LONG_LIMIT).await;
    assert_eq!(answer.headers["lambda-runtime-function-response-mode"], "streaming");
    assert_eq!(answer.headers["transfer-encoding"], "chunked");

    let kind = "application/vnd.awslambda.http-integration-response";
    assert_eq!(answer.headers["content-type"], kind);
    let prelude = answer.prelude().await;
    assert_eq!(prelude["statusCode"], 200);
    assert_eq!(prelude["headers"]["content-type"], "text/event-stream");

    // API Gateway does not accept lists as header values here.
    let headers = prelude["headers"].as_object().unwrap();
    assert!(headers.values().all(Value::is_string), "{prelude}");

    answer.until("event: progress").await;
    assert!(answer.body().starts_with("retry: "), "{}", answer.body());
    function.table.put(&uploading_transfer(&job, 500));
    answer.until("\"percent\":55").await;
    assert!(answer.body().contains("\"status\":\"running\""), "{}", answer.body());

    function.table.put(&completed_transfer(&job));
    answer.rest().await;
    let body = answer.body();
    assert!(body.contains("event: result\nid: 1.completed.100.1000.end\ndata: {\"url\":\"http"));

    let order =
        ["queued", "running", "completed"].map(|s| body.find(&format!("\"status\":\"{s}\"")));
    assert!(order.is_sorted() && order[0].is_some(), "{body}");

    // Second invocation of the same process: no events are left.
    let mut answer =
        function.runtime.invoke(&subscribe_event(Some(&answer.last_id())), LONG_LIMIT).await;
    assert_eq!(answer.prelude().await["statusCode"], 204);

    answer.rest().await;
    assert_eq!(answer.body(), "");
    let log = std::fs::read_to_string(&function.log).unwrap();
    assert!(!log.contains("X-Amz-Signature"), "a presigned URL was logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn function_sends_heartbeats_and_ends_the_stream_before_its_timeout() {
    let mut function = Function::start("STREAM").await;
    let job = queued_transfer();
    function.table.put(&job);
    // A heartbeat comment after 15 s, and the end of the stream 5 s before the time limit.
    let time = Duration::from_secs(28);
    let mut answer = function.runtime.invoke(&subscribe_event(None), time).await;
    answer.until(": keep-alive\n\n").await;
    answer.rest().await;
    let last_id = answer.last_id();
    assert_eq!(answer.body().matches("event: ").count(), 2, "{}", answer.body());

    function.table.put(&completed_transfer(&job));
    let mut next = function.runtime.invoke(&subscribe_event(Some(&last_id)), LONG_LIMIT).await;
    next.rest().await;
    let events: Vec<_> =
        next.body().lines().filter_map(|l| l.strip_prefix("event: ")).map(str::to_owned).collect();
    assert_eq!(events, ["status", "progress", "result"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn streamed_error_response_has_its_status() {
    let mut function = Function::start("STREAM").await;
    let mut answer = function.runtime.invoke(&subscribe_event(None), LONG_LIMIT).await;
    let prelude = answer.prelude().await;
    assert_eq!(prelude["statusCode"], 404);
    assert_eq!(prelude["headers"]["content-type"], "application/problem+json");
    answer.rest().await;
    assert!(answer.body().contains("NOT_FOUND"), "{}", answer.body());
}

#[tokio::test(flavor = "multi_thread")]
async fn buffered_response_has_no_prelude() {
    let mut function = Function::start("BUFFERED").await;
    function.table.put(&completed_transfer(&queued_transfer()));
    let mut answer = function.runtime.invoke(&subscribe_event(None), LONG_LIMIT).await;
    assert!(!answer.headers.contains_key("lambda-runtime-function-response-mode"));
    answer.rest().await;
    let whole: Value = serde_json::from_slice(&answer.bytes).unwrap();
    assert_eq!((&whole["statusCode"], &whole["isBase64Encoded"]), (&json!(200), &json!(false)));
    let body = whole["body"].as_str().unwrap();
    assert!(body.starts_with("retry: ") && body.contains("event: result"), "{body}");
}

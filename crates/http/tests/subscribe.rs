//! Event streams of jobs.

#![allow(clippy::unwrap_used, reason = "test helpers")]

mod common;

use std::time::Duration;

use common::events::{Event, Stream, kinds, named_and_whole};
use common::{caller, control_routes, follows, initiate, reads, request, send};
use docferry_app::ports::IndexedDocument;
use docferry_contract::scope::Scopes;
use docferry_domain::ids::FileId;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::Transfer;
use docferry_http::{StreamMode, TimeLeft};
use docferry_testkit::builders::pushed;
use docferry_testkit::{Fault, Mode, Runner, World};
use http::{Response, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::time::Instant;

const FILE: u64 = 12_345;

fn world(documents: u64) -> World {
    let world = World::default();
    for n in 0..documents {
        let guid = format!("{n:06}AA");
        world.add_document(&guid, &format!("order {n}.pdf"), vec![7; 1_000_000]);
        let object_guid = guid.parse().unwrap();
        let document = IndexedDocument { object_guid, name: None, size: None };
        world.state().index.insert(FileId::new(FILE + n), document);
    }
    world
}

async fn create_job(world: &World, body: &Value) -> String {
    let req = request("POST", "/v1/download/initiate", body.to_string());
    let (response, accepted) = send(initiate(world), req).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED, "{accepted}");
    accepted["jobId"].as_str().unwrap().to_owned()
}

/// Creates a job with one document.
async fn single_job(world: &World) -> String {
    create_job(world, &json!({ "file_id": FILE })).await
}

fn path(id: &str) -> String {
    format!("/v1/download/subscribe/{id}")
}

async fn follow(world: &World, id: &str, last_id: &str) -> Stream {
    let router = follows(world, StreamMode::Stream);
    Stream::open(router, request("GET", &path(id), ""), last_id).await
}

/// Changes the only transfer.
fn change(world: &World, change: impl FnOnce(&mut Transfer)) {
    let mut transfer = world.store().transfers().remove(0);
    change(&mut transfer);
    world.store().set(transfer);
}

/// Sets the progress of the only transfer: `bytes` of 1,000,000 are uploaded.
fn move_to(world: &World, bytes: u64) {
    change(world, |transfer| {
        transfer.phase = Phase::Uploading;
        transfer.source = Some(pushed("order 0.pdf", 1_000_000));
        transfer.bytes_done = bytes;
    });
}

fn last_id(events: &[Event]) -> &str {
    &events.last().unwrap().id
}

#[tokio::test(start_paused = true)]
async fn event_stream_reports_a_job_from_start_to_result() {
    let world = world(1);
    let id = single_job(&world).await;
    let queued = world.store().transfers().remove(0);
    let mut stream = follow(&world, &id, "").await;
    assert_eq!(stream.response.status(), StatusCode::OK);
    assert_eq!(stream.response.headers()["content-type"], "text/event-stream");
    assert_eq!(stream.response.headers()["cache-control"], "no-store");
    let first = stream.chunk().await.unwrap();
    assert!(first.starts_with("retry: 1"), "{first}");
    let first = common::events::events(&first);
    assert_eq!(kinds(&first), ["status", "progress"]);
    assert_eq!(first[0].data["jobId"], id);
    assert_eq!(
        (&first[0].data["status"], &first[0].data["attempts"]),
        (&json!("queued"), &json!(1))
    );

    move_to(&world, 500_000);
    let moved = stream.events().await;
    assert_eq!(kinds(&moved), ["status", "progress"]);
    assert_eq!(moved[0].data["status"], "running");
    let expected = json!({
        "percent": 55, "bytesDone": 500_000, "bytesTotal": 1_000_000,
        "bytesPerSecond": null, "phase": "uploading", "etaSeconds": null
    });
    assert_eq!(moved[1].data, expected);
    move_to(&world, 600_000);
    assert_eq!(kinds(&stream.events().await), ["progress"]);

    world.store().set(queued);
    Runner::new(&world).run_all().await;
    let end = stream.events().await;
    assert_eq!(kinds(&end), ["status", "progress", "result"]);
    assert_eq!(
        (&end[0].data["status"], &end[1].data["percent"]),
        (&json!("completed"), &json!(100))
    );
    assert!(end[2].data["url"].as_str().unwrap().starts_with("https://delivery.example/"));
    assert_eq!(end[2].data["items"][0]["file_id"], json!(FILE));
    assert_eq!(stream.chunk().await, None, "the stream must end with the job");
}

#[tokio::test(start_paused = true)]
async fn each_change_is_also_an_unnamed_event_with_the_whole_status() {
    let world = world(1);
    let id = single_job(&world).await;
    let mut stream = follow(&world, &id, "").await;
    stream.chunk().await.unwrap();
    move_to(&world, 500_000);
    let (named, whole) = named_and_whole(&stream.chunk().await.unwrap());
    assert_eq!((kinds(&named), whole.len()), (vec!["status", "progress"], 1));
    assert_eq!(whole[0].id, named[1].id, "a client that resumes after either event misses none");
    let path = format!("/v1/download/status/{id}");
    let (_, status) = send(reads(&world), request("GET", &path, "")).await;
    assert_eq!(whole[0].data, status, "equal to the status response");

    let moved = world.store().transfers().remove(0);
    world.store().set(Transfer { phase: Phase::Accepted, source: None, bytes_done: 0, ..moved });
    Runner::new(&world).run_all().await;
    let (_, end) = named_and_whole(&stream.chunk().await.unwrap());
    assert_eq!(
        (&end[0].data["status"], &end[0].data["progress"]),
        (&json!("completed"), &json!(100))
    );
    assert!(end[0].data["url"].as_str().unwrap().starts_with("https://delivery.example/"));
}

#[tokio::test(start_paused = true)]
async fn heartbeat_is_sent_after_fifteen_seconds_without_events() {
    let world = world(1);
    let id = single_job(&world).await;
    let mut stream = follow(&world, &id, "").await;
    stream.chunk().await.unwrap();
    for _ in 0..3 {
        let began = Instant::now();
        assert_eq!(stream.chunk().await.unwrap(), ": keep-alive\n\n");
        assert_eq!(began.elapsed().as_secs(), 15);
    }
    // An event restarts the heartbeat interval as well.
    move_to(&world, 1);
    assert_eq!(kinds(&stream.events().await), ["status", "progress"]);
    let began = Instant::now();
    assert_eq!(stream.chunk().await.unwrap(), ": keep-alive\n\n");
    assert_eq!(began.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn event_stream_ends_before_its_process_and_the_next_one_resumes() {
    let world = world(1);
    let id = single_job(&world).await;
    let mut req = request("GET", &path(&id), "");
    req.extensions_mut().insert(TimeLeft(Duration::from_secs(60)));
    let began = Instant::now();
    let mut stream = Stream::open(follows(&world, StreamMode::Stream), req, "").await;
    let seen = stream.rest().await;
    assert_eq!(began.elapsed().as_secs(), 55);
    assert_eq!(stream.text.matches(": keep-alive").count(), 3);

    let mut next = follow(&world, &id, last_id(&seen)).await;
    let first = next.chunk().await.unwrap();
    assert!(first.starts_with("retry: ") && !first.contains("event: "), "{first}");
    move_to(&world, 1);
    assert_eq!(kinds(&next.events().await), ["status", "progress"]);
}

#[tokio::test(start_paused = true)]
async fn reconnecting_client_gets_only_new_events() {
    let world = world(1);
    let id = single_job(&world).await;
    let first = follow(&world, &id, "").await.events().await;
    Runner::new(&world).run_all().await;
    let all = follow(&world, &id, last_id(&first)).await.rest().await;
    assert_eq!(kinds(&all), ["status", "progress", "result"]);
    // The connection was lost before the result event.
    let rest = follow(&world, &id, &all[1].id).await.rest().await;
    assert_eq!((kinds(&rest), &rest[0].id), (vec!["result"], &all[2].id));
    // Without an event id, or with an unknown or invalid one, all current events are sent.
    for unknown in ["", "17", "9.completed.100.1.end", "caf\u{e9}"] {
        let whole = follow(&world, &id, unknown).await.rest().await;
        assert_eq!(kinds(&whole), ["status", "progress", "result"], "{unknown}");
    }
    let mut req = request("GET", &path(&id), "");
    req.headers_mut().insert("last-event-id", last_id(&all).parse().unwrap());
    let (response, body) = send(follows(&world, StreamMode::Stream), req).await;
    assert_eq!((response.status(), body), (StatusCode::NO_CONTENT, json!("")));
    // The expiry of a completed job is not a new event.
    world.advance(SignedDuration::from_hours(24));
    let stream = follow(&world, &id, last_id(&all)).await;
    assert_eq!(stream.response.status(), StatusCode::NO_CONTENT);
}

#[tokio::test(start_paused = true)]
async fn job_that_ends_without_a_result_sends_an_error_event() {
    let world = world(1);
    world.state().documents.clear();
    let id = single_job(&world).await;
    Runner::new(&world).run_all().await;
    let failed = follow(&world, &id, "").await.rest().await;
    assert_eq!(kinds(&failed), ["status", "progress", "error"]);
    assert_eq!(failed[2].data["code"], "SOURCE_NOT_FOUND");
    assert_eq!(failed[2].data["lastAttemptAt"], failed[0].data["timestamps"]["completedAt"]);
    world.advance(SignedDuration::from_hours(24));
    let expired = follow(&world, &id, "").await.rest().await;
    assert_eq!(
        (&expired[0].data["status"], &expired[2].data["code"]),
        (&json!("expired"), &json!("EXPIRED"))
    );

    let other = self::world(1);
    let id = single_job(&other).await;
    let stop = request("POST", &format!("/v1/download/cancel/{id}"), "");
    send(control_routes(&other), stop).await;
    Runner::new(&other).run_all().await;
    let canceled = follow(&other, &id, "").await.rest().await;
    assert_eq!(
        (&canceled[0].data["status"], &canceled[2].data["code"]),
        (&json!("canceled"), &json!("CANCELED"))
    );
}

#[tokio::test(start_paused = true)]
async fn event_stream_reports_a_retry_like_the_first_run() {
    let world = world(1);
    let id = single_job(&world).await;
    let documents = std::mem::take(&mut world.state().documents);
    let runner = Runner::new(&world);
    runner.run_all().await;
    let failed = follow(&world, &id, "").await.rest().await;
    runner.recover(2).await;
    let retry = request("POST", &format!("/v1/download/retry/{id}"), "");
    let (response, answer) = send(control_routes(&world), retry).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED, "{answer}");
    world.state().documents = documents;
    let mut stream = follow(&world, &id, last_id(&failed)).await;
    let begun = stream.events().await;
    assert_eq!((&begun[0].data["attempts"], &begun[1].data["percent"]), (&json!(2), &json!(0)));
    runner.run_all().await;
    assert_eq!(kinds(&stream.rest().await), ["status", "progress", "result"]);
}

#[tokio::test(start_paused = true)]
async fn result_event_of_a_batch_lists_each_document() {
    let world = world(3);
    let id = create_job(&world, &json!({ "file_ids": [FILE, FILE + 1, FILE + 2] })).await;
    let mut stream = follow(&world, &id, "").await;
    assert_eq!(kinds(&stream.events().await), ["status", "progress"]);
    let runner = Runner::new(&world);
    runner.run_all().await;
    runner.recover(2).await;
    let end = stream.rest().await.pop().unwrap();
    assert_eq!((end.kind.as_str(), &end.data["url"]), ("result", &Value::Null));
    let items = end.data["items"].as_array().unwrap();
    assert!(items.len() == 3 && items.iter().all(|item| item["status"] == "completed"));
}

#[tokio::test(start_paused = true)]
async fn failing_store_ends_the_stream_and_a_closed_stream_reads_nothing() {
    let world = world(1);
    let id = single_job(&world).await;
    let mut stream = follow(&world, &id, "").await;
    stream.chunk().await.unwrap();
    let at = world.effects().len();
    world.inject(Fault { at, mode: Mode::ResponseLost });
    assert_eq!(stream.rest().await, []);
    assert!(!stream.text.contains("answer lost"), "{}", stream.text);

    let mut stream = follow(&world, &id, "").await;
    stream.chunk().await.unwrap();
    drop(stream);
    let before = world.effects().len();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.effects().len(), before, "the store is not read once the client is gone");
}

#[tokio::test(start_paused = true)]
async fn buffered_stream_ends_with_the_first_events_or_after_five_seconds() {
    let world = world(1);
    let id = single_job(&world).await;
    let open = async |last_id: &str| {
        let req = request("GET", &path(&id), "");
        Stream::open(follows(&world, StreamMode::Buffered), req, last_id).await
    };
    let began = Instant::now();
    let first = open("").await.rest().await;
    assert_eq!((kinds(&first), began.elapsed().as_secs()), (vec!["status", "progress"], 0));
    let mut nothing = open(last_id(&first)).await;
    assert_eq!((nothing.rest().await, began.elapsed().as_secs()), (vec![], 5));
    assert!(nothing.text.starts_with("retry: "), "{}", nothing.text);
    let mut waiting = open(last_id(&first)).await;
    waiting.chunk().await.unwrap();
    move_to(&world, 1);
    let moved = waiting.rest().await;
    assert_eq!((kinds(&moved), began.elapsed().as_secs()), (vec!["status", "progress"], 6));
}

/// Invariant I10.
#[tokio::test(start_paused = true)]
async fn subscribing_to_foreign_or_unknown_jobs_is_rejected() {
    let world = world(1);
    let id = single_job(&world).await;
    let call = async |method: &str, path: &str, as_caller: Option<(&str, &str)>| -> Response<()> {
        let mut req = request(method, path, "");
        if let Some((name, scopes)) = as_caller {
            req.extensions_mut().insert(caller(name, Scopes::parse(scopes)));
        }
        send(follows(&world, StreamMode::Stream), req).await.0
    };
    let foreign = call("GET", &path(&id), Some(("sub:ada", "docferry.read"))).await;
    assert_eq!(foreign.status(), StatusCode::NOT_FOUND);
    for unknown in ["0193567890abcdef0123456789abcdef", "nothing", "%FF"] {
        assert_eq!(call("GET", &path(unknown), None).await.status(), StatusCode::NOT_FOUND);
    }
    let without = call("GET", &path(&id), Some(("sub:ada", ""))).await;
    assert_eq!(without.status(), StatusCode::FORBIDDEN);
    let posted = call("POST", &path(&id), None).await;
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    let mut head =
        Stream::open(follows(&world, StreamMode::Stream), request("HEAD", &path(&id), ""), "")
            .await;
    assert_eq!(head.response.status(), StatusCode::OK);
    assert_eq!(head.chunk().await, None);
}

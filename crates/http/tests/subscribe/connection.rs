//! Tests of the connections of `GET /v1/download/subscribe/{jobId}`: how long a stream lasts, what
//! a reconnecting client receives, and who may subscribe.

use std::time::Duration;

use docferry_contract::scope::Scopes;
use docferry_http::{StreamMode, TimeLeft};
use docferry_testkit::{Fault, Mode, Runner};
use http::{Response, StatusCode};
use jiff::SignedDuration;
use tokio::time::Instant;

use crate::common::documents::world_with_documents;
use crate::common::events::{Stream, event_names};
use crate::common::jobs::create_single_document_job;
use crate::common::{build_request, caller, send, subscribe_routes};
use crate::support::{last_event_id, open_stream, set_uploaded_bytes, subscribe_path};

#[tokio::test(start_paused = true)]
async fn heartbeat_is_sent_after_fifteen_seconds_without_events() {
    let world = world_with_documents(1);
    let id = create_single_document_job(&world).await;
    let mut stream = open_stream(&world, &id, "").await;
    stream.chunk().await.unwrap();
    for _ in 0..3 {
        let started_at = Instant::now();
        assert_eq!(stream.chunk().await.unwrap(), ": keep-alive\n\n");
        assert_eq!(started_at.elapsed().as_secs(), 15);
    }

    // An event restarts the heartbeat interval as well.
    set_uploaded_bytes(&world, 1);
    assert_eq!(event_names(&stream.events().await), ["status", "progress"]);

    let started_at = Instant::now();
    assert_eq!(stream.chunk().await.unwrap(), ": keep-alive\n\n");
    assert_eq!(started_at.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn event_stream_ends_before_its_process_and_the_next_one_resumes() {
    let world = world_with_documents(1);
    let id = create_single_document_job(&world).await;
    let mut request = build_request("GET", &subscribe_path(&id), "");
    request.extensions_mut().insert(TimeLeft(Duration::from_secs(60)));
    let started_at = Instant::now();
    let mut stream = Stream::open(subscribe_routes(&world, StreamMode::Stream), request, "").await;

    let received = stream.rest().await;

    // The stream ends 5 seconds before the process.
    assert_eq!(started_at.elapsed().as_secs(), 55);
    assert_eq!(stream.text.matches(": keep-alive").count(), 3);

    let mut resumed = open_stream(&world, &id, last_event_id(&received)).await;
    let first_chunk = resumed.chunk().await.unwrap();
    assert!(first_chunk.starts_with("retry: "), "{first_chunk}");
    assert!(!first_chunk.contains("event: "), "{first_chunk}");

    set_uploaded_bytes(&world, 1);
    assert_eq!(event_names(&resumed.events().await), ["status", "progress"]);
}

#[tokio::test(start_paused = true)]
async fn reconnecting_client_gets_only_new_events() {
    let world = world_with_documents(1);
    let id = create_single_document_job(&world).await;
    let first = open_stream(&world, &id, "").await.events().await;
    Runner::new(&world).run_all().await;
    let all = open_stream(&world, &id, last_event_id(&first)).await.rest().await;
    assert_eq!(event_names(&all), ["status", "progress", "result"]);

    // The client lost the connection before it received the result event.
    let resumed = open_stream(&world, &id, &all[1].id).await.rest().await;
    assert_eq!(event_names(&resumed), ["result"]);
    assert_eq!(resumed[0].id, all[2].id);

    // A client without an event id, or with an unknown or invalid id, receives all current events.
    for unknown_id in ["", "17", "9.completed.100.1.end", "caf\u{e9}"] {
        let current = open_stream(&world, &id, unknown_id).await.rest().await;
        assert_eq!(event_names(&current), ["status", "progress", "result"], "{unknown_id}");
    }

    // A client that has received the end gets no stream.
    let mut request = build_request("GET", &subscribe_path(&id), "");
    request.headers_mut().insert("last-event-id", last_event_id(&all).parse().unwrap());
    let (response, body) = send(subscribe_routes(&world, StreamMode::Stream), request).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(body, "");

    // When a completed job expires, no new event happens.
    world.advance(SignedDuration::from_hours(24));
    let stream = open_stream(&world, &id, last_event_id(&all)).await;
    assert_eq!(stream.response.status(), StatusCode::NO_CONTENT);
}

#[tokio::test(start_paused = true)]
async fn failing_store_ends_the_stream_and_a_closed_stream_reads_nothing() {
    let world = world_with_documents(1);
    let id = create_single_document_job(&world).await;
    let mut stream = open_stream(&world, &id, "").await;
    stream.chunk().await.unwrap();
    let at = world.effects().len();
    world.inject(Fault { at, mode: Mode::ResponseLost });
    assert_eq!(stream.rest().await, []);
    assert!(!stream.text.contains("answer lost"), "the error text is not sent: {}", stream.text);

    let mut stream = open_stream(&world, &id, "").await;
    stream.chunk().await.unwrap();
    drop(stream);
    let before = world.effects().len();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.effects().len(), before, "the store is not read once the client is gone");
}

#[tokio::test(start_paused = true)]
async fn buffered_stream_ends_with_the_first_events_or_after_five_seconds() {
    let world = world_with_documents(1);
    let id = create_single_document_job(&world).await;
    let open = async |last_id: &str| {
        let request = build_request("GET", &subscribe_path(&id), "");
        Stream::open(subscribe_routes(&world, StreamMode::Buffered), request, last_id).await
    };
    let started_at = Instant::now();
    let first = open("").await.rest().await;
    assert_eq!(event_names(&first), ["status", "progress"]);
    assert_eq!(started_at.elapsed().as_secs(), 0);

    let mut idle = open(last_event_id(&first)).await;
    assert_eq!(idle.rest().await, []);
    assert_eq!(started_at.elapsed().as_secs(), 5);
    assert!(idle.text.starts_with("retry: "), "{}", idle.text);

    let mut waiting = open(last_event_id(&first)).await;
    waiting.chunk().await.unwrap();
    set_uploaded_bytes(&world, 1);
    let received = waiting.rest().await;
    assert_eq!(event_names(&received), ["status", "progress"]);
    assert_eq!(started_at.elapsed().as_secs(), 6);
}

/// Invariant I10 of `docs/SEMANTICS.md`: a job is visible to its caller only.
#[tokio::test(start_paused = true)]
async fn subscribing_to_foreign_or_unknown_jobs_is_rejected() {
    let world = world_with_documents(1);
    let id = create_single_document_job(&world).await;
    let call = async |method: &str, path: &str, as_caller: Option<(&str, &str)>| -> Response<()> {
        let mut request = build_request(method, path, "");
        if let Some((name, scopes)) = as_caller {
            request.extensions_mut().insert(caller(name, Scopes::parse(scopes)));
        }
        send(subscribe_routes(&world, StreamMode::Stream), request).await.0
    };
    let foreign = call("GET", &subscribe_path(&id), Some(("sub:ada", "docferry.read"))).await;
    assert_eq!(foreign.status(), StatusCode::NOT_FOUND);

    for unknown in ["0193567890abcdef0123456789abcdef", "nothing", "%FF"] {
        assert_eq!(
            call("GET", &subscribe_path(unknown), None).await.status(),
            StatusCode::NOT_FOUND
        );
    }

    let without_scope = call("GET", &subscribe_path(&id), Some(("sub:ada", ""))).await;
    assert_eq!(without_scope.status(), StatusCode::FORBIDDEN);
    let posted = call("POST", &subscribe_path(&id), None).await;
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);

    let mut head = Stream::open(
        subscribe_routes(&world, StreamMode::Stream),
        build_request("HEAD", &subscribe_path(&id), ""),
        "",
    )
    .await;
    assert_eq!(head.response.status(), StatusCode::OK);
    assert_eq!(head.chunk().await, None);
}

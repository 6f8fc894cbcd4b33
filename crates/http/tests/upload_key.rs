//! `POST /document/upload` with an `Idempotency-Key`.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;

use axum::body::Body;
use common::{
    build_request, caller, initiate_routes, initiate_routes_with, send, status_routes, transfer_api,
};
use docferry_contract::scope::Scope;
use docferry_http::TransferApi;
use docferry_testkit::{Fault, Mode, World};
use http::{Request, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};

const BODY: &str = r#"{"objGuid":"AAAA","email":"a@b.example","filePath":"Lists"}"#;

fn keyed(key: &str, body: &str) -> Request<Body> {
    let mut request = build_request("POST", "/document/upload", body.to_owned());
    request.headers_mut().insert("idempotency-key", key.parse().unwrap());
    request
}

async fn upload(world: &World, key: &str, body: &str) -> (StatusCode, Value) {
    let (response, answer) = send(initiate_routes(world), keyed(key, body)).await;
    (response.status(), answer)
}

fn count(world: &World) -> usize {
    world.store().transfers().len()
}

#[tokio::test]
async fn repeated_upload_with_one_key_makes_one_transfer() {
    let world = World::default();
    let (status, first) = upload(&world, "k-1", BODY).await;
    assert_eq!(status, StatusCode::ACCEPTED);

    let reordered = r#"{ "filePath": "Lists", "email": "a@b.example", "objGuid": "AAAA" }"#;
    for body in [BODY, reordered] {
        assert_eq!(upload(&world, "k-1", body).await, (StatusCode::ACCEPTED, first.clone()));
    }

    assert_eq!(count(&world), 1);

    let (_, other) = upload(&world, "k-2", BODY).await;
    assert_ne!(other["transferId"], first["transferId"]);
    assert_eq!(count(&world), 2);
}

#[tokio::test]
async fn different_body_with_the_same_upload_key_is_rejected() {
    let world = World::default();
    upload(&world, "k", BODY).await;
    for body in [
        r#"{"objGuid":"AAAB","email":"a@b.example","filePath":"Lists"}"#,
        r#"{"objGuid":"AAAA","email":"b@b.example","filePath":"Lists"}"#,
        r#"{"objGuid":"AAAA","email":"a@b.example"}"#,
    ] {
        let (status, problem) = upload(&world, "k", body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(problem["code"], "REQUEST_NAME_REUSED", "{body}");
    }

    let mut job =
        build_request("POST", "/v1/download/initiate", json!({ "file_id": 10_001 }).to_string());
    job.headers_mut().insert("idempotency-key", "k".parse().unwrap());
    assert_ne!(send(initiate_routes(&world), job).await.0.status(), StatusCode::ACCEPTED);
    assert_eq!(count(&world), 1);
}

#[tokio::test]
async fn upload_keys_are_scoped_to_their_caller() {
    let world = World::default();
    let (_, first) = upload(&world, "k", BODY).await;
    let mut foreign = keyed("k", BODY);
    foreign.extensions_mut().insert(caller("sub:other", Scope::Service.into()));
    let (response, other) = send(initiate_routes(&world), foreign).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_ne!(other["transferId"], first["transferId"]);
}

#[tokio::test]
async fn malformed_upload_key_is_refused_and_creates_nothing() {
    let world = World::default();
    for key in ["", " ", "\u{e9}", "x".repeat(256).as_str()] {
        let mut request = build_request("POST", "/document/upload", BODY);
        let value = http::HeaderValue::from_bytes(key.as_bytes()).unwrap();
        request.headers_mut().insert("idempotency-key", value);
        let (response, problem) = send(initiate_routes(&world), request).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{key}");
        assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("Idempotency-Key"));
    }
    assert_eq!(count(&world), 0);
}

#[tokio::test]
async fn upload_repeated_after_a_lost_answer_makes_one_transfer() {
    for at in 0..8 {
        let world = World::default();
        world.inject(Fault { at, mode: Mode::ResponseLost });
        let mut answers = Vec::new();
        for _ in 0..4 {
            let (status, answer) = upload(&world, "k", BODY).await;
            if status == StatusCode::ACCEPTED {
                answers.push(answer);
            }
        }
        assert!(answers.len() >= 3, "effect {at}");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "effect {at}: {answers:?}");
        assert_eq!(count(&world), 1, "effect {at}");
    }
}

#[tokio::test]
async fn simultaneous_uploads_with_one_key_make_one_transfer() {
    let world = World::default();
    let request = (0..8).map(|_| upload(&world, "k", BODY));
    let answers = futures::future::join_all(request).await;
    let accepted = answers.iter().filter(|(status, _)| *status == StatusCode::ACCEPTED);
    let ids: BTreeSet<_> = accepted.map(|(_, answer)| answer["transferId"].to_string()).collect();
    assert_eq!((ids.len(), count(&world)), (1, 1), "{answers:?}");
}

#[tokio::test(start_paused = true)]
async fn upload_key_never_outlives_the_record_of_its_transfer() {
    let world = World::default();
    let (_, first) = upload(&world, "k", BODY).await;
    world.advance(SignedDuration::from_hours(167));
    assert_eq!(upload(&world, "k", BODY).await.1, first);
    world.advance(SignedDuration::from_hours(2));
    let (status, second) = upload(&world, "k", BODY).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_ne!(second["transferId"], first["transferId"]);
}

#[tokio::test]
async fn drained_service_repeats_an_upload_it_accepted_before() {
    let world = World::default();
    let (_, first) = upload(&world, "k", BODY).await;
    let drained =
        || initiate_routes_with(&world, TransferApi { drain: true, ..transfer_api(&world) });
    let (response, answer) = send(drained(), keyed("k", BODY)).await;
    assert_eq!((response.status(), answer), (StatusCode::ACCEPTED, first));
    let (response, problem) = send(drained(), keyed("new", BODY)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(problem["code"], "DRAINING");
    assert_eq!(count(&world), 1);
}

#[tokio::test]
async fn history_lists_transfers_of_the_viewer() {
    let world = World::default();
    let (_, first) = upload(&world, "k", BODY).await;
    for call in ["history", "jobs?status=running"] {
        let path = format!("/v1/download/{call}");
        let (response, page) = send(status_routes(&world), build_request("GET", &path, "")).await;
        assert_eq!(response.status(), StatusCode::OK);
        if call == "history" {
            assert_eq!(page["items"][0]["jobId"], first["transferId"]);
            assert_eq!(page["items"][0]["expiresAt"], Value::Null);
        }
    }
}

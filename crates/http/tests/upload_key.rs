//! Tests of `POST /document/upload` with the header `Idempotency-Key`: a request that repeats an
//! earlier one with the same key must not create a second transfer.

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

/// Body of a valid upload request.
const BODY: &str = r#"{"objGuid":"AAAA","email":"a@b.example","filePath":"Lists"}"#;

/// Returns an upload request with this key.
fn upload_request(key: &str, body: &str) -> Request<Body> {
    let mut request = build_request("POST", "/document/upload", body.to_owned());
    request.headers_mut().insert("idempotency-key", key.parse().unwrap());
    request
}

/// Sends an upload request with this key, and returns the status and the body of the response.
async fn upload(world: &World, key: &str, body: &str) -> (StatusCode, Value) {
    let (response, response_body) = send(initiate_routes(world), upload_request(key, body)).await;
    (response.status(), response_body)
}

/// Returns the number of transfers that exist.
fn transfer_count(world: &World) -> usize {
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

    assert_eq!(transfer_count(&world), 1);

    let (_, with_other_key) = upload(&world, "k-2", BODY).await;
    assert_ne!(with_other_key["transferId"], first["transferId"]);
    assert_eq!(transfer_count(&world), 2);
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

    // The key is also taken for the calls of the downloads API.
    let mut job_request =
        build_request("POST", "/v1/download/initiate", json!({ "file_id": 10_001 }).to_string());
    job_request.headers_mut().insert("idempotency-key", "k".parse().unwrap());
    let (response, _) = send(initiate_routes(&world), job_request).await;
    assert_ne!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(transfer_count(&world), 1);
}

#[tokio::test]
async fn upload_keys_are_scoped_to_their_caller() {
    let world = World::default();
    let (_, first) = upload(&world, "k", BODY).await;
    let mut request_of_other = upload_request("k", BODY);
    request_of_other.extensions_mut().insert(caller("sub:other", Scope::Service.into()));
    let (response, other) = send(initiate_routes(&world), request_of_other).await;
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
    assert_eq!(transfer_count(&world), 0);
}

#[tokio::test]
async fn upload_repeated_after_a_lost_store_response_makes_one_transfer() {
    // The call number `at` of an adapter, for example a write to the store, loses its response.
    for at in 0..8 {
        let world = World::default();
        world.inject(Fault { at, mode: Mode::ResponseLost });

        let mut accepted = Vec::new();
        for _ in 0..4 {
            let (status, body) = upload(&world, "k", BODY).await;
            if status == StatusCode::ACCEPTED {
                accepted.push(body);
            }
        }

        // Only the upload during which the response is lost may fail.
        assert!(accepted.len() >= 3, "effect {at}");
        assert!(accepted.iter().all(|body| *body == accepted[0]), "effect {at}: {accepted:?}");
        assert_eq!(transfer_count(&world), 1, "effect {at}");
    }
}

#[tokio::test]
async fn simultaneous_uploads_with_one_key_make_one_transfer() {
    let world = World::default();
    let requests = (0..8).map(|_| upload(&world, "k", BODY));

    let responses = futures::future::join_all(requests).await;

    let accepted = responses.iter().filter(|(status, _)| *status == StatusCode::ACCEPTED);
    let ids: BTreeSet<_> = accepted.map(|(_, body)| body["transferId"].to_string()).collect();
    assert_eq!(ids.len(), 1, "{responses:?}");
    assert_eq!(transfer_count(&world), 1, "{responses:?}");
}

#[tokio::test(start_paused = true)]
async fn upload_key_never_outlives_the_record_of_its_transfer() {
    let world = World::default();
    let (_, first) = upload(&world, "k", BODY).await;

    // The record of a transfer is retained for 168 hours.
    world.advance(SignedDuration::from_hours(167));
    let (_, repeated) = upload(&world, "k", BODY).await;
    assert_eq!(repeated, first);

    world.advance(SignedDuration::from_hours(2));
    let (status, second) = upload(&world, "k", BODY).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_ne!(second["transferId"], first["transferId"]);
}

#[tokio::test]
async fn draining_service_returns_the_first_response_to_a_repeated_upload() {
    let world = World::default();
    let (_, first) = upload(&world, "k", BODY).await;
    let draining_routes =
        || initiate_routes_with(&world, TransferApi { drain: true, ..transfer_api(&world) });

    let (response, repeated) = send(draining_routes(), upload_request("k", BODY)).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(repeated, first);

    let (response, problem) = send(draining_routes(), upload_request("new", BODY)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(problem["code"], "DRAINING");
    assert_eq!(transfer_count(&world), 1);
}

#[tokio::test]
async fn history_lists_transfers_of_the_viewer() {
    let world = World::default();
    let (_, first) = upload(&world, "k", BODY).await;
    let list = async |path: &str| {
        let (response, page) = send(status_routes(&world), build_request("GET", path, "")).await;
        assert_eq!(response.status(), StatusCode::OK);
        page
    };

    let history = list("/v1/download/history").await;
    assert_eq!(history["items"][0]["jobId"], first["transferId"]);
    assert_eq!(history["items"][0]["expiresAt"], Value::Null);

    list("/v1/download/jobs?status=running").await;
}

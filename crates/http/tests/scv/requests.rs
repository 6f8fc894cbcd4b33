//! Tests of the requests of the viewer (SCV): which requests are valid, and what they change.

use axum::body::Body;
use docferry_testkit::World;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::common::{build_request, control_routes, initiate_routes, send, status_routes};

/// Sends an upload request, and returns the status and the body of the response.
async fn post_upload(world: &World, body: &str) -> (StatusCode, Value) {
    let request = build_request("POST", "/document/upload", body.to_owned());
    let (response, body) = send(initiate_routes(world), request).await;
    (response.status(), body)
}

#[tokio::test]
async fn accepted_upload_returns_the_guid_and_an_opaque_id() {
    let world = World::default();
    let body = json!({"objGuid": "3q2+7w==", "email": "a@b.example", "filePath": null});
    let (status, response_body) = post_upload(&world, &body.to_string()).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(response_body["objGuid"], "3q2+7w==");

    let id = response_body["transferId"].as_str().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(response_body.as_object().unwrap().len(), 2);

    let request = build_request("GET", &format!("/document/status/{id}"), Body::empty());
    let (response, transfer_status) = send(status_routes(&world), request).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(transfer_status["transferId"], json!(id));
    assert_eq!(transfer_status["percentTransfered"], 0);
}

#[tokio::test]
async fn invalid_input_names_the_field_and_creates_nothing() {
    for (body, pointer) in [
        ("", ""),
        ("{", ""),
        ("[]", ""),
        (r#"{"email": "a@b.example"}"#, "/objGuid"),
        (r#"{"objGuid": "%%%", "email": "a@b.example"}"#, "/objGuid"),
        (r#"{"objGuid": "AAAA"}"#, "/email"),
        (r#"{"objGuid": "AAAA", "email": "no-at-sign"}"#, "/email"),
        (r#"{"objGuid": "AAAA", "email": "a@b.example", "filePath": 5}"#, "/filePath"),
        (r#"{"objGuid": "AAAA", "email": "a@b.example", "filePath": "a|b"}"#, "/filePath"),
        (r#"{"objGuid": "AAAA", "email": "a@b.example", "filePath": "a\ufffdb"}"#, "/filePath"),
        (r#"{"objGuid": "AAAA", "email": "a@b.example", "filePath": "a\u202eb"}"#, "/filePath"),
        (r#"{"objGuid": "AAAA", "email": "a@b.example", "filePath": "a\uffffb"}"#, "/filePath"),
        // Half of a surrogate pair is not valid JSON, so the error names no field.
        (r#"{"objGuid": "AAAA", "email": "a@b.example", "filePath": "a\ud800b"}"#, ""),
        (r#"{"objGuid": "AAAA", "email": "a@b.example@evil.example"}"#, "/email"),
        (r#"{"objGuid": "AAAA", "email": "a\u200b@b.example"}"#, "/email"),
        (r#"{"objGuid": "AAAA", "email": "a@b.example", "email": "c@d.example"}"#, "/email"),
        (r#"{"objGuid": "AAAA", "email": "a@b.example", "x": {"y": 1, "y": 1}}"#, "/x/y"),
    ] {
        let world = World::default();
        let (status, problem) = post_upload(&world, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(problem["code"], "INVALID_REQUEST", "{body}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
        assert!(!problem["errors"][0]["detail"].as_str().unwrap().is_empty());
        assert!(world.store().transfers().is_empty(), "{body}");
    }
}

#[tokio::test]
async fn leading_byte_order_mark_in_a_body_is_skipped() {
    let world = World::default();
    let body = "\u{feff}{\"objGuid\": \"AAAA\", \"email\": \"a@b.example\"}";
    assert_eq!(post_upload(&world, body).await.0, StatusCode::ACCEPTED);
    let with_two_marks = post_upload(&world, &format!("\u{feff}{body}")).await.0;
    assert_eq!(with_two_marks, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn terminate_ignores_ids_of_other_callers() {
    let world = World::default();
    let (mut own, mut foreign) =
        (docferry_testkit::builders::transfer(), docferry_testkit::builders::transfer());
    own.spec.owner = "scv".into();
    foreign.spec.owner = "other-owner".into();
    let (own_id, foreign_id) = (own.transfer_id.clone(), foreign.transfer_id.clone());
    world.store().set(own);
    world.store().set(foreign);
    let ids = json!([own_id.as_str(), foreign_id.as_str(), "nonsense", "0".repeat(32)]);
    let request =
        build_request("POST", "/document/terminate", json!({ "transferIds": ids }).to_string());
    let (response, body) = send(control_routes(&world), request).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(body, json!({"response": "success"}));

    for transfer in world.store().transfers() {
        assert_eq!(transfer.cancel_requested, transfer.transfer_id == own_id);
    }
}

#[tokio::test]
async fn terminate_accepts_at_most_1000_ids() {
    let world = World::default();
    let body_with_ids = |count| json!({ "transferIds": vec!["0".repeat(32); count] }).to_string();
    let request = build_request("POST", "/document/terminate", body_with_ids(1000));
    assert_eq!(send(control_routes(&world), request).await.0.status(), StatusCode::ACCEPTED);

    let invalid_bodies =
        ["{}", r#"{"transferIds": "x"}"#, r#"{"transferIds": [1]}"#, &body_with_ids(1001)];
    for invalid_body in invalid_bodies {
        let request = build_request("POST", "/document/terminate", invalid_body.to_owned());
        let (response, problem) = send(control_routes(&world), request).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(problem["errors"][0]["pointer"], "/transferIds");
    }
}

/// Fault F25 of `docs/SEMANTICS.md`: DynamoDB deletes expired items up to days late.
#[tokio::test]
async fn expired_record_is_not_found_before_it_is_deleted() {
    let world = World::default();
    let mut transfer = docferry_testkit::builders::transfer();
    transfer.phase = docferry_domain::phase::Phase::Completed;
    transfer.ended_at = Some(world.state().now);
    let path = format!("/document/status/{}", transfer.transfer_id);
    world.store().set(transfer);
    // The record expires 168 hours after the end of the transfer.
    for (hours, expected) in [(167, StatusCode::OK), (1, StatusCode::NOT_FOUND)] {
        world.advance(SignedDuration::from_hours(hours));
        let (response, _) = send(status_routes(&world), build_request("GET", &path, "")).await;
        assert_eq!(response.status(), expected);
    }
}

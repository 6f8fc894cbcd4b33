//! Requests and responses of the routers: validation, problem documents, headers, authorization.

#![allow(clippy::unwrap_used, reason = "test helpers")]

mod common;

use axum::body::Body;
use common::{caller, control_routes, initiate, reads, request, send};
use docferry_contract::scope::{Scope, Scopes};
use docferry_http::ping_router;
use docferry_testkit::{Fault, Mode, World};
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};

async fn upload(world: &World, body: &str) -> (StatusCode, Value) {
    let request = request("POST", "/document/upload", body.to_owned());
    let (response, body) = send(initiate(world), request).await;
    (response.status(), body)
}

#[tokio::test]
async fn accepted_upload_returns_the_guid_and_an_opaque_id() {
    let world = World::default();
    let body = json!({"objGuid": "3q2+7w==", "email": "a@b.example", "filePath": null});
    let (status, answer) = upload(&world, &body.to_string()).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(answer["objGuid"], "3q2+7w==");
    let id = answer["transferId"].as_str().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(answer.as_object().unwrap().len(), 2);

    let status = request("GET", &format!("/document/status/{id}"), Body::empty());
    let (response, shown) = send(reads(&world), status).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!((&shown["transferId"], &shown["percentTransfered"]), (&json!(id), &json!(0)));
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
        (r#"{"objGuid": "AAAA", "email": "a@b.example", "filePath": "a\ud800b"}"#, ""),
        (r#"{"objGuid": "AAAA", "email": "a@b.example@evil.example"}"#, "/email"),
        (r#"{"objGuid": "AAAA", "email": "a\u200b@b.example"}"#, "/email"),
        (r#"{"objGuid": "AAAA", "email": "a@b.example", "email": "c@d.example"}"#, "/email"),
        (r#"{"objGuid": "AAAA", "email": "a@b.example", "x": {"y": 1, "y": 1}}"#, "/x/y"),
    ] {
        let world = World::default();
        let (status, problem) = upload(&world, body).await;
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
    assert_eq!(upload(&world, body).await.0, StatusCode::ACCEPTED);
    let two = upload(&world, &format!("\u{feff}{body}")).await.0;
    assert_eq!(two, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn error_response_is_a_complete_problem_document_with_the_request_id() {
    let mut wrong = request("POST", "/document/upload", "{}");
    wrong.headers_mut().insert("x-request-id", "caller-42.a:b".parse().unwrap());
    let (response, problem) = send(initiate(&World::default()), wrong).await;
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["x-request-id"], "caller-42.a:b");
    assert_eq!(problem["requestId"], "caller-42.a:b");
    for field in ["type", "title", "status", "detail", "instance", "code", "retryable"] {
        assert!(!problem[field].is_null(), "{field}");
    }
}

#[tokio::test]
async fn every_response_has_security_headers_and_a_valid_request_id() {
    for path in ["/health", "/nowhere", "/document/status/x"] {
        let mut req = request("GET", path, Body::empty());
        req.headers_mut().insert("x-request-id", "bad id\t<script>".parse().unwrap());
        let (response, _) = send(reads(&World::default()), req).await;
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("x-request-id").len(), 36);
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("cache-control"), "no-store");
        assert!(header("strict-transport-security").starts_with("max-age="));
    }
}

#[tokio::test]
async fn wrong_media_type_size_method_or_path_gets_its_own_status() {
    let world = World::default();
    let mut text = request("POST", "/document/upload", "{}");
    text.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    let huge = request("POST", "/document/upload", " ".repeat(70_000));
    for (req, expected) in [
        (text, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (huge, StatusCode::PAYLOAD_TOO_LARGE),
        (request("GET", "/document/upload", ""), StatusCode::METHOD_NOT_ALLOWED),
        (request("POST", "/document/other", "{}"), StatusCode::NOT_FOUND),
    ] {
        let (response, problem) = send(initiate(&world), req).await;
        assert_eq!(response.status(), expected);
        assert_eq!(problem["status"], expected.as_u16());
    }
}

#[tokio::test]
async fn terminate_ignores_ids_of_other_callers() {
    let world = World::default();
    let (mut own, mut foreign) =
        (docferry_testkit::builders::transfer(), docferry_testkit::builders::transfer());
    own.owner = "scv".into();
    foreign.owner = "other-owner".into();
    let (own_id, foreign_id) = (own.transfer_id.clone(), foreign.transfer_id.clone());
    world.store().set(own);
    world.store().set(foreign);
    let ids = json!([own_id.as_str(), foreign_id.as_str(), "nonsense", "0".repeat(32)]);
    let req = request("POST", "/document/terminate", json!({ "transferIds": ids }).to_string());
    let (response, body) = send(control_routes(&world), req).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(body, json!({"response": "success"}));
    for transfer in world.store().transfers() {
        assert_eq!(transfer.cancel_requested, transfer.transfer_id == own_id);
    }
    let many = |count| json!({ "transferIds": vec!["0".repeat(32); count] }).to_string();
    let req = request("POST", "/document/terminate", many(1000));
    assert_eq!(send(control_routes(&world), req).await.0.status(), StatusCode::ACCEPTED);
    let wrongs = ["{}", r#"{"transferIds": "x"}"#, r#"{"transferIds": [1]}"#, &many(1001)];
    for wrong in wrongs {
        let req = request("POST", "/document/terminate", wrong.to_owned());
        let (response, problem) = send(control_routes(&world), req).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(problem["errors"][0]["pointer"], "/transferIds");
    }
}

#[tokio::test]
async fn foreign_unknown_and_malformed_ids_get_the_same_response() {
    let world = World::default();
    let mut foreign = docferry_testkit::builders::transfer();
    foreign.owner = "other-owner".into();
    let id = foreign.transfer_id.to_string();
    world.store().set(foreign);
    let mut bodies = Vec::new();
    for id in [id.as_str(), "00000000000000000000000000000000", "nonsense", "%ff"] {
        let req = request("GET", &format!("/document/status/{id}"), Body::empty());
        let (response, problem) = send(reads(&world), req).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        bodies.push((problem["code"].clone(), problem["detail"].clone()));
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn request_without_a_principal_is_rejected() {
    let world = World::default();
    let mut req = request("POST", "/document/upload", r#"{"objGuid":"AAAA","email":"a@b.c"}"#);
    req.extensions_mut().clear();
    let (response, _) = send(initiate(&world), req).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(response.headers().contains_key("www-authenticate"));
    assert!(world.store().transfers().is_empty());
}

#[tokio::test]
async fn calls_of_the_viewer_require_the_service_scope() {
    let world = World::default();
    let id = "0".repeat(32);
    for scopes in ["", "docferry.read docferry.write docferry.delegate"].map(Scopes::parse) {
        for (router, method, path) in [
            (initiate(&world), "POST", "/document/upload"),
            (reads(&world), "GET", format!("/document/status/{id}").as_str()),
            (control_routes(&world), "POST", "/document/terminate"),
            (ping_router(world.clone()), "GET", "/ping"),
        ] {
            let mut req = request(method, path, "not read");
            req.extensions_mut().insert(caller("sub:ada", scopes));
            let (response, problem) = send(router, req).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
            assert_eq!(
                (&problem["code"], &problem["retryable"]),
                (&json!("FORBIDDEN"), &json!(false))
            );
            assert!(problem["detail"].as_str().unwrap().contains("docferry.service"));
        }
    }
    assert!(world.store().transfers().is_empty());
}

#[tokio::test]
async fn each_service_token_sees_only_its_own_transfers() {
    let world = World::default();
    let as_service = |method: &str, path: &str, body: &str| {
        let mut req = request(method, path, body.to_owned());
        req.extensions_mut().insert(caller("sub:scv", Scope::Service.into()));
        req
    };
    let body = r#"{"objGuid":"AAAA","email":"a@b.example"}"#;
    let (response, answer) =
        send(initiate(&world), as_service("POST", "/document/upload", body)).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let path = format!("/document/status/{}", answer["transferId"].as_str().unwrap());
    let (own, _) = send(reads(&world), as_service("GET", &path, "")).await;
    let (foreign, _) = send(reads(&world), request("GET", &path, "")).await;
    assert_eq!((own.status(), foreign.status()), (StatusCode::OK, StatusCode::NOT_FOUND));
}

#[tokio::test]
async fn failing_store_is_answered_with_a_retryable_503() {
    let world = World::default();
    world.inject(Fault { at: 0, mode: Mode::ResponseLost });
    let req = request("POST", "/document/upload", r#"{"objGuid":"AAAA","email":"a@b.c"}"#);
    let (response, problem) = send(initiate(&world), req).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "5");
    assert_eq!(
        (&problem["code"], &problem["retryable"]),
        (&json!("STORE_UNAVAILABLE"), &json!(true))
    );
}

#[tokio::test]
async fn health_reports_the_table_and_the_delivery_bucket() {
    let world = World::default();
    let (response, body) = send(reads(&world), request("GET", "/health", "")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(body, json!({"status": "healthy", "checks": {"state": "ok", "storage": "ok"}}));
    let at = world.effects().iter().position(|effect| *effect == "get").unwrap() + 2;
    world.inject(Fault { at, mode: Mode::ResponseLost });
    let (response, body) = send(reads(&world), request("GET", "/health", "")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body, json!({"status": "unhealthy", "checks": {"state": "error", "storage": "ok"}}));
    world.state().delivery.down = true;
    let (response, body) = send(reads(&world), request("GET", "/health", "")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body, json!({"status": "unhealthy", "checks": {"state": "ok", "storage": "error"}}));
}

#[tokio::test]
async fn ping_returns_the_health_text_of_the_source() {
    let (response, body) = send(ping_router(World::default()), request("GET", "/ping", "")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(body, "available");
}

/// Fault F25: DynamoDB deletes expired items up to days late.
#[tokio::test]
async fn expired_record_is_not_found_before_it_is_deleted() {
    let world = World::default();
    let mut transfer = docferry_testkit::builders::transfer();
    transfer.phase = docferry_domain::phase::Phase::Completed;
    transfer.ended_at = Some(world.state().now);
    let path = format!("/document/status/{}", transfer.transfer_id);
    world.store().set(transfer);
    for (hours, expected) in [(167, StatusCode::OK), (1, StatusCode::NOT_FOUND)] {
        world.advance(SignedDuration::from_hours(hours));
        let (response, _) = send(reads(&world), request("GET", &path, "")).await;
        assert_eq!(response.status(), expected);
    }
}

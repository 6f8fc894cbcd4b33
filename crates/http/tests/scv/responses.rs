//! Tests of the responses to the viewer (SCV): problem documents, headers, and the health checks.

use axum::body::Body;
use docferry_http::ping_router;
use docferry_testkit::{Fault, Mode, World};
use http::StatusCode;
use serde_json::json;

use crate::common::{build_request, initiate_routes, send, status_routes};

#[tokio::test]
async fn error_response_is_a_complete_problem_document_with_the_request_id() {
    let mut invalid_request = build_request("POST", "/document/upload", "{}");
    invalid_request.headers_mut().insert("x-request-id", "caller-42.a:b".parse().unwrap());
    let (response, problem) = send(initiate_routes(&World::default()), invalid_request).await;
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
        let mut request = build_request("GET", path, Body::empty());
        request.headers_mut().insert("x-request-id", "bad id\t<script>".parse().unwrap());
        let (response, _) = send(status_routes(&World::default()), request).await;
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
    let mut plain_text = build_request("POST", "/document/upload", "{}");
    plain_text.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    let too_large = build_request("POST", "/document/upload", " ".repeat(70_000));
    for (request, expected) in [
        (plain_text, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (too_large, StatusCode::PAYLOAD_TOO_LARGE),
        (build_request("GET", "/document/upload", ""), StatusCode::METHOD_NOT_ALLOWED),
        (build_request("POST", "/document/other", "{}"), StatusCode::NOT_FOUND),
    ] {
        let (response, problem) = send(initiate_routes(&world), request).await;
        assert_eq!(response.status(), expected);
        assert_eq!(problem["status"], expected.as_u16());
    }
}

#[tokio::test]
async fn failing_store_is_answered_with_a_retryable_503() {
    let world = World::default();
    world.inject(Fault { at: 0, mode: Mode::ResponseLost });
    let request =
        build_request("POST", "/document/upload", r#"{"objGuid":"AAAA","email":"a@b.c"}"#);
    let (response, problem) = send(initiate_routes(&world), request).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "5");
    assert_eq!(problem["code"], "STORE_UNAVAILABLE");
    assert_eq!(problem["retryable"], true);
}

#[tokio::test]
async fn health_reports_the_table_and_the_delivery_bucket() {
    let world = World::default();
    let (response, body) = send(status_routes(&world), build_request("GET", "/health", "")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(body, json!({"status": "healthy", "checks": {"state": "ok", "storage": "ok"}}));

    let at = world.effects().iter().position(|effect| *effect == "get").unwrap() + 2;
    world.inject(Fault { at, mode: Mode::ResponseLost });
    let (response, body) = send(status_routes(&world), build_request("GET", "/health", "")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body, json!({"status": "unhealthy", "checks": {"state": "error", "storage": "ok"}}));

    world.state().delivery.down = true;
    let (response, body) = send(status_routes(&world), build_request("GET", "/health", "")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body, json!({"status": "unhealthy", "checks": {"state": "ok", "storage": "error"}}));
}

#[tokio::test]
async fn ping_returns_the_health_text_of_the_source() {
    let (response, body) =
        send(ping_router(World::default()), build_request("GET", "/ping", "")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(body, "available");
}

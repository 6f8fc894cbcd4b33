//! Faulty requests, and the ways to send parameters.

use axum::body::Body;
use docferry_app::ports::{CallCounter, StoreError};
use docferry_http::{ApiLayers, RateLimits};
use docferry_testkit::World;
use http::{Request, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use crate::common::send;
use crate::support::{
    CountingRegistry, assert_fhir, document, fetch, get, ids, routes, search, service,
};

fn registry() -> CountingRegistry {
    let world = World::default();
    world.registry().insert(document(1));
    CountingRegistry::new(&world)
}

/// A search with a form body.
fn form(query: &str, media_type: &str, body: impl Into<Body>) -> Request<Body> {
    let mut request = get(&service(), &format!("/DocumentReference/_search?{query}"));
    *request.method_mut() = http::Method::POST;
    request.headers_mut().insert("content-type", media_type.parse().unwrap());
    request.map(|_| body.into())
}

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn faulty_parameter_is_named() {
    let registry = registry();
    for (parameters, name) in [
        ("subject.identifier=urn:other%7CS-1", "subject.identifier"),
        ("subject:identifier=-", "subject:identifier"),
        ("patient.identifier=https://fhir.nhs.uk/Id/nhs-number%7C123", "patient.identifier"),
        ("", "subject:identifier"),
        ("date=2026", "subject:identifier"),
        ("subject.identifier=S-1&date=ne2026", "date"),
        ("subject.identifier=S-1&creation=2026-13", "creation"),
        ("subject.identifier=S-1&_count=0", "_count"),
        ("subject.identifier=S-1&_count=1001", "_count"),
        ("subject.identifier=S-1&_count=1&_count=2", "_count"),
        ("subject.identifier=S-1&subject:identifier=S-1", "subject:identifier"),
        ("subject.identifier=S-1&_sort=title", "_sort"),
        ("subject.identifier=S-1&status=valid", "status"),
        ("subject.identifier=S-1&type:not=order", "type:not"),
        ("subject.identifier=S-1&_page=AAAA", "_page"),
        ("identifier=urn:other%7C1", "identifier"),
        ("_id=a_b", "_id"),
    ] {
        let reply = fetch(&registry, &service(), &format!("/DocumentReference?{parameters}")).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{parameters}");
        assert_eq!(reply.body["resourceType"], "OperationOutcome");
        assert_eq!(reply.body["issue"][0]["expression"], serde_json::json!([name]), "{parameters}");
    }
    assert!(registry.take_calls().is_empty());
}

#[tokio::test]
async fn unknown_parameter_is_an_error_only_in_strict_handling() {
    let registry = registry();
    let path = "/DocumentReference?subject.identifier=S-1&colour=red";
    for (prefer, expected) in [
        (None, StatusCode::OK),
        (Some("handling=lenient"), StatusCode::OK),
        (Some("respond-async, handling=strict"), StatusCode::BAD_REQUEST),
    ] {
        let mut request = get(&service(), path);
        if let Some(prefer) = prefer {
            request.headers_mut().insert("prefer", prefer.parse().unwrap());
        }
        let (response, body) = send(routes(&registry), request).await;
        assert_eq!(response.status(), expected, "{prefer:?}");
        if expected == StatusCode::BAD_REQUEST {
            assert_eq!(body["issue"][0]["expression"][0], "colour");
        }
    }
}

#[tokio::test]
async fn form_body_and_query_string_count_alike() {
    let registry = registry();
    let by_query = search(&registry, &service(), "subject.identifier=S-1&_count=5").await;
    for (query, body) in [
        ("", "subject.identifier=S-1&_count=5"),
        ("subject.identifier=S-1", "_count=5"),
        ("subject.identifier=S-1&_count=5", ""),
    ] {
        let request = form(query, "application/x-www-form-urlencoded; charset=UTF-8", body);
        let (response, by_form) = send(routes(&registry), request).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(by_form, by_query);
    }
    let twice = form("subject.identifier=S-1", FORM, "subject.identifier=S-1");
    assert_eq!(send(routes(&registry), twice).await.0.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn faulty_body_is_refused() {
    let registry = registry();
    let large = format!("subject.identifier=S-1&a={}", "x".repeat(64 * 1024));
    for (request, status, code) in [
        (form("", "application/json", "{}"), StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-supported"),
        (form("", FORM, large), StatusCode::PAYLOAD_TOO_LARGE, "too-long"),
        (form("", FORM, vec![0xff]), StatusCode::BAD_REQUEST, "structure"),
        (form("", FORM, "a=%zz"), StatusCode::BAD_REQUEST, "structure"),
    ] {
        let (response, body) = send(routes(&registry), request).await;
        assert_eq!(response.status(), status);
        assert_fhir(response.headers());
        assert_eq!(body["issue"][0]["code"], code);
    }
}

#[tokio::test]
async fn unsupported_method_and_unknown_path_are_operation_outcomes() {
    let registry = registry();
    let delete = |path: &str| {
        let mut request = get(&service(), path);
        *request.method_mut() = http::Method::DELETE;
        request
    };
    for (request, status) in [
        (delete("/DocumentReference"), StatusCode::METHOD_NOT_ALLOWED),
        (delete("/DocumentReference/doc-1"), StatusCode::METHOD_NOT_ALLOWED),
        (get(&service(), "/DocumentReference/doc-1/$other"), StatusCode::NOT_FOUND),
        (get(&service(), "/DocumentReference/doc-1/a/b"), StatusCode::NOT_FOUND),
        (get(&service(), "/DocumentReference/a_b"), StatusCode::NOT_FOUND),
    ] {
        let (response, body) = send(routes(&registry), request).await;
        assert_eq!(response.status(), status);
        assert_fhir(response.headers());
        assert_eq!(body["resourceType"], "OperationOutcome");
    }
    let encoded = "/DocumentReference/doc-1/%24content";
    let (response, _) = send(routes(&registry), get(&service(), encoded)).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn rate_limit_is_an_operation_outcome() {
    #[derive(Debug)]
    struct Exhausted;
    impl CallCounter for Exhausted {
        async fn count_call(&self, _: &str, _: Timestamp) -> Result<u32, StoreError> {
            Ok(2)
        }
    }
    let registry = registry();
    let limits = RateLimits { person: 1, service: 1 };
    let layers =
        ApiLayers { quota: Exhausted, clock: registry.world.clone(), limits, origins: Vec::new() };
    let request = get(&service(), "/DocumentReference?subject.identifier=S-1");
    let (response, body) = send(layers.around(routes(&registry)), request).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_fhir(response.headers());
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(body["issue"][0]["code"], "throttled");
}

#[tokio::test]
async fn resource_links_to_its_content() {
    let registry = registry();
    let reply = fetch(&registry, &service(), "/DocumentReference/doc-1").await;
    let attachment = &reply.body["content"][0]["attachment"];
    let url = "https://docs.example/api/DocumentReference/doc-1/$content";
    assert_eq!(attachment["url"], url);
    let bundle = search(&registry, &service(), "subject.identifier=S-1").await;
    assert_eq!(ids(&bundle), ["doc-1"]);
    assert_eq!(bundle["entry"][0]["resource"], reply.body);
    assert_ne!(reply.body["date"], Value::Null);
}

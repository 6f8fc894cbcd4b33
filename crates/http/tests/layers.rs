//! Tests of the middleware around the routers of the API: the rate limit of each caller, and the
//! CORS rules for pages of other origins.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use common::{build_request, caller, send, status_routes};
use docferry_app::ports::{CallCounter, StoreError};
use docferry_contract::scope::{Scope, Scopes};
use docferry_http::{ApiLayers, HeaderValue, RateLimits};
use docferry_testkit::World;
use http::{Method, Request, StatusCode};
use jiff::{SignedDuration, Timestamp};

/// [`CallCounter`] that counts in memory. It fails if `is_broken` is set.
#[derive(Clone, Default)]
struct CountsInMemory {
    /// Number of calls by caller and minute.
    counts: Arc<Mutex<BTreeMap<(String, i64), u32>>>,
    is_broken: bool,
}

impl CallCounter for CountsInMemory {
    async fn count_call(&self, caller: &str, now: Timestamp) -> Result<u32, StoreError> {
        if self.is_broken {
            return Err(StoreError::Unavailable("no answer".into()));
        }
        let mut counts = self.counts.lock().unwrap();
        let count = counts.entry((caller.to_owned(), now.as_second() / 60)).or_default();
        *count += 1;
        Ok(*count)
    }
}

/// Returns a router with the limits 2 for a person and 3 for a service.
fn router(world: &World, quota: &CountsInMemory) -> Router {
    let layers = ApiLayers {
        quota: quota.clone(),
        clock: world.clone(),
        limits: RateLimits { person: 2, service: 3 },
        origins: vec![HeaderValue::from_static("https://viewer.example")],
    };
    layers.around(status_routes(world))
}

/// Returns a request of a caller with these scopes.
fn request_of(id: &str, scopes: &str) -> Request<axum::body::Body> {
    let mut request = build_request("GET", "/v1/download/history", "");
    request.extensions_mut().insert(caller(id, Scopes::parse(scopes)));
    request
}

/// Values of the rate limit headers of a response.
#[derive(Debug, PartialEq, Eq)]
struct RateHeaders {
    limit: u32,
    remaining: u32,
    reset: u32,
}

impl RateHeaders {
    fn of(response: &http::Response<()>) -> Self {
        let value = |name: &str| response.headers()[name].to_str().unwrap().parse().unwrap();
        Self {
            limit: value("ratelimit-limit"),
            remaining: value("ratelimit-remaining"),
            reset: value("ratelimit-reset"),
        }
    }
}

#[tokio::test]
async fn calls_over_the_rate_limit_are_rejected_and_headers_show_the_remainder() {
    let (world, quota) = (World::default(), CountsInMemory::default());
    // The clock starts at the Unix time 1,700,000,000, which is 20 s after the start of a minute.
    for (remaining, expected) in [(1, 200), (0, 200), (0, 429), (0, 429)] {
        let request = request_of("sub:ada", Scope::Read.as_str());
        let (response, body) = send(router(&world, &quota), request).await;
        assert_eq!(response.status(), expected, "{body}");
        assert_eq!(RateHeaders::of(&response), RateHeaders { limit: 2, remaining, reset: 40 });

        if expected == 429 {
            assert_eq!(response.headers()["retry-after"], "40");
            assert_eq!(body["code"], "RATE_LIMITED");
            assert_eq!(body["retryable"], true);
            assert_eq!(body["requestId"], response.headers()["x-request-id"].to_str().unwrap());
        }
    }

    // The calls of each person and of each service are counted separately.
    let (response, _) =
        send(router(&world, &quota), request_of("sub:bob", Scope::Read.as_str())).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(RateHeaders::of(&response), RateHeaders { limit: 2, remaining: 1, reset: 40 });

    let (response, _) =
        send(router(&world, &quota), request_of("scv", Scope::Service.as_str())).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(RateHeaders::of(&response), RateHeaders { limit: 3, remaining: 2, reset: 40 });

    world.advance(SignedDuration::from_secs(40));
    let (response, _) =
        send(router(&world, &quota), request_of("sub:ada", Scope::Read.as_str())).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(RateHeaders::of(&response), RateHeaders { limit: 2, remaining: 1, reset: 60 });
}

#[tokio::test]
async fn failing_rate_limit_count_rejects_no_calls() {
    let world = World::default();
    let quota = CountsInMemory { is_broken: true, ..CountsInMemory::default() };
    for _ in 0..5 {
        let (response, _) =
            send(router(&world, &quota), request_of("sub:ada", Scope::Read.as_str())).await;
        assert_eq!(response.status(), StatusCode::OK);
    }
}

/// A monitor, for example, sends such requests.
#[tokio::test]
async fn requests_without_a_caller_are_not_counted() {
    let world = World::default();
    let mut health = build_request("GET", "/health", "");
    health.extensions_mut().clear();
    let (response, _) = send(router(&world, &CountsInMemory::default()), health).await;

    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["ratelimit-remaining"], "2");
}

/// Adds the header `Origin`, as the browser does for a page of this origin.
fn with_origin(origin: &str, mut request: Request<axum::body::Body>) -> Request<axum::body::Body> {
    request.headers_mut().insert("origin", origin.parse().unwrap());
    request
}

/// Asserts that a header with a list of names contains this name.
fn assert_list_contains(list: &HeaderValue, name: &str) {
    let list = list.to_str().unwrap().to_lowercase();
    assert!(list.split(',').any(|listed| listed.trim() == name), "{name}: {list}");
}

#[tokio::test]
async fn cors_allows_only_listed_origins_and_exposes_the_headers() {
    let (world, quota) = (World::default(), CountsInMemory::default());
    let request =
        with_origin("https://viewer.example", request_of("sub:ada", Scope::Read.as_str()));
    let (response, _) = send(router(&world, &quota), request).await;
    let headers = response.headers();
    assert_eq!(headers["access-control-allow-origin"], "https://viewer.example");
    for name in [
        "location",
        "retry-after",
        "ratelimit-limit",
        "ratelimit-remaining",
        "ratelimit-reset",
        "etag",
        "x-request-id",
    ] {
        assert_list_contains(&headers["access-control-expose-headers"], name);
    }

    let request = with_origin("https://other.example", request_of("sub:ada", Scope::Read.as_str()));
    let (response, _) = send(router(&world, &quota), request).await;
    assert!(!response.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn cors_preflight_lists_the_allowed_methods_and_headers() {
    let (world, quota) = (World::default(), CountsInMemory::default());
    let mut preflight =
        with_origin("https://viewer.example", build_request("OPTIONS", "/v1/download/history", ""));
    preflight.extensions_mut().clear();
    preflight
        .headers_mut()
        .insert("access-control-request-method", HeaderValue::from_static("GET"));

    let (response, _) = send(router(&world, &quota), preflight).await;

    let headers = response.headers();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert!(headers.contains_key("x-request-id"));
    let methods = headers["access-control-allow-methods"].to_str().unwrap();
    assert!(methods.contains(Method::GET.as_str()) && methods.contains(Method::POST.as_str()));
    for name in [
        "authorization",
        "content-type",
        "idempotency-key",
        "last-event-id",
        "if-none-match",
        "prefer",
        "traceparent",
        "tracestate",
        "baggage",
        "sentry-trace",
    ] {
        assert_list_contains(&headers["access-control-allow-headers"], name);
    }
}

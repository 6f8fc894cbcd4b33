//! Rate limits and CORS.

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

/// [`CallCounter`] that counts in memory, and fails while `broken` is set.
#[derive(Clone, Default)]
struct CountsInMemory {
    used: Arc<Mutex<BTreeMap<(String, i64), u32>>>,
    broken: bool,
}

impl CallCounter for CountsInMemory {
    async fn count_call(&self, caller: &str, now: Timestamp) -> Result<u32, StoreError> {
        if self.broken {
            return Err(StoreError::Unavailable("no answer".into()));
        }
        let mut used = self.used.lock().unwrap();
        let used = used.entry((caller.to_owned(), now.as_second() / 60)).or_default();
        *used += 1;
        Ok(*used)
    }
}

fn router(world: &World, quota: &CountsInMemory) -> Router {
    let layers = ApiLayers {
        quota: quota.clone(),
        clock: world.clone(),
        limits: RateLimits { person: 2, service: 3 },
        origins: vec![HeaderValue::from_static("https://viewer.example")],
    };
    layers.around(status_routes(world))
}

/// Request of a caller.
fn request_of(id: &str, scopes: &str) -> Request<axum::body::Body> {
    let mut request = build_request("GET", "/v1/download/history", "");
    request.extensions_mut().insert(caller(id, Scopes::parse(scopes)));
    request
}

#[tokio::test]
async fn calls_over_the_rate_limit_are_rejected_and_headers_show_the_remainder() {
    let (world, quota) = (World::default(), CountsInMemory::default());
    let rate = |response: &http::Response<()>| {
        ["limit", "remaining", "reset"].map(|name| {
            let value = &response.headers()[format!("ratelimit-{name}")];
            value.to_str().unwrap().parse::<u32>().unwrap()
        })
    };
    // The clock starts at the Unix time 1,700,000,000, which is 20 s after the start of a minute.
    for (remaining, expected) in [(1, 200), (0, 200), (0, 429), (0, 429)] {
        let request = request_of("sub:ada", Scope::Read.as_str());
        let (response, answer) = send(router(&world, &quota), request).await;
        assert_eq!(response.status(), expected, "{answer}");
        assert_eq!(rate(&response), [2, remaining, 40]);

        if expected == 429 {
            assert_eq!(response.headers()["retry-after"], "40");
            assert_eq!(
                (&answer["code"], &answer["retryable"]),
                (&"RATE_LIMITED".into(), &true.into())
            );
            assert_eq!(answer["requestId"], response.headers()["x-request-id"].to_str().unwrap());
        }
    }

    // Each other caller and each service has a separate count.
    let (response, _) =
        send(router(&world, &quota), request_of("sub:bob", Scope::Read.as_str())).await;
    assert_eq!((response.status(), rate(&response)), (StatusCode::OK, [2, 1, 40]));

    let (response, _) =
        send(router(&world, &quota), request_of("scv", Scope::Service.as_str())).await;
    assert_eq!((response.status(), rate(&response)), (StatusCode::OK, [3, 2, 40]));

    world.advance(SignedDuration::from_secs(40));
    let (response, _) =
        send(router(&world, &quota), request_of("sub:ada", Scope::Read.as_str())).await;
    assert_eq!((response.status(), rate(&response)), (StatusCode::OK, [2, 1, 60]));
}

#[tokio::test]
async fn failing_rate_limit_count_rejects_no_calls() {
    let (world, quota) =
        (World::default(), CountsInMemory { broken: true, ..CountsInMemory::default() });
    for _ in 0..5 {
        let (response, _) =
            send(router(&world, &quota), request_of("sub:ada", Scope::Read.as_str())).await;
        assert_eq!(response.status(), StatusCode::OK);
    }

    // A request without a caller, such as that of a monitor, is not counted.
    let mut health = build_request("GET", "/health", "");
    health.extensions_mut().clear();
    let (response, _) = send(router(&world, &CountsInMemory::default()), health).await;
    assert_eq!(
        (response.status(), &response.headers()["ratelimit-remaining"]),
        (StatusCode::OK, &HeaderValue::from_static("2"))
    );
}

#[tokio::test]
async fn cors_allows_only_listed_origins_and_exposes_the_headers() {
    let (world, quota) = (World::default(), CountsInMemory::default());
    let with_origin = |mut request: Request<axum::body::Body>, origin: &str| {
        request.headers_mut().insert("origin", origin.parse().unwrap());
        request
    };
    let request =
        with_origin(request_of("sub:ada", Scope::Read.as_str()), "https://viewer.example");
    let (response, _) = send(router(&world, &quota), request).await;
    let headers = response.headers();
    assert_eq!(headers["access-control-allow-origin"], "https://viewer.example");

    let exposed = headers["access-control-expose-headers"].to_str().unwrap().to_lowercase();
    for name in [
        "location",
        "retry-after",
        "ratelimit-limit",
        "ratelimit-remaining",
        "ratelimit-reset",
        "etag",
        "x-request-id",
    ] {
        assert!(exposed.split(',').any(|known| known.trim() == name), "{name}: {exposed}");
    }

    let request = with_origin(request_of("sub:ada", Scope::Read.as_str()), "https://other.example");
    let (response, _) = send(router(&world, &quota), request).await;
    assert!(!response.headers().contains_key("access-control-allow-origin"));

    let mut preflight =
        with_origin(build_request("OPTIONS", "/v1/download/history", ""), "https://viewer.example");
    preflight.extensions_mut().clear();
    preflight
        .headers_mut()
        .insert("access-control-request-method", HeaderValue::from_static("GET"));
    let (response, _) = send(router(&world, &quota), preflight).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert!(response.headers().contains_key("x-request-id"));

    let allowed = response.headers()["access-control-allow-methods"].to_str().unwrap().to_owned();
    assert!(allowed.contains(Method::GET.as_str()) && allowed.contains(Method::POST.as_str()));
    let allowed =
        response.headers()["access-control-allow-headers"].to_str().unwrap().to_lowercase();
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
        assert!(allowed.split(',').any(|known| known.trim() == name), "{name}: {allowed}");
    }
}

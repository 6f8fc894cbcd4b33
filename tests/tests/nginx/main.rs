//! Tests of the example nginx configuration and the example API clients in `docs/clients/`. The
//! configuration and the clients are used unchanged, with a mock of the API.
//!
//! The tests run only if `DOCFERRY_NGINX` is the path of nginx. The tests of the clients also need
//! `DOCFERRY_NODE`, the path of Node. The tests need no deployed system.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test"
)]

mod clients;
mod proxy;
mod upstream;

use std::time::Duration;

use proxy::Proxy;
use reqwest::{Client, Response, StatusCode, redirect};
use upstream::Upstream;

/// Timeout of each call.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Starts a mock of the API and an nginx that forwards requests to it. If nginx is not configured,
/// prints that the test is skipped and returns `None`.
async fn start_behind_nginx() -> Option<(Upstream, Proxy)> {
    let Some(program) = program("DOCFERRY_NGINX") else {
        eprintln!("skipped: DOCFERRY_NGINX is not set");
        return None;
    };
    let upstream = Upstream::start().await;
    let proxy = Proxy::start(&program, upstream.port).await;
    Some((upstream, proxy))
}

/// Returns the path of a program from an environment variable that is set and not empty.
fn program(variable: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(variable).filter(|path| !path.is_empty())
}

/// Returns a client that follows no redirects.
fn http_client() -> Client {
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(CALL_TIMEOUT)
        .build()
        .unwrap()
}

/// Reads further chunks of the stream until they contain this text.
async fn read_until(stream: &mut Response, text: &str) {
    let mut received = String::new();
    while !received.contains(text) {
        let chunk = stream.chunk().await.unwrap().expect("the stream continues");
        received.push_str(&String::from_utf8_lossy(&chunk));
    }
}

/// The mock sends an event only after the client has received the previous event. So a proxy that
/// buffers events would wait forever.
#[tokio::test]
async fn nginx_forwards_each_event_immediately() {
    let Some((upstream, proxy)) = start_behind_nginx().await else { return };
    let url = format!("{}/v1/download/subscribe/j1", proxy.url);
    let request = http_client().get(&url).bearer_auth("t0ken").header("last-event-id", "1.queued");
    let mut stream = request.send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");

    for (event_number, id) in [(1, "1.running"), (2, "1.running.40.6")] {
        read_until(&mut stream, &format!("id: {id}\n")).await;
        upstream.confirm(event_number);
    }
    let requests = upstream.request_heads();
    assert!(requests[0].starts_with("GET /prod/v1/download/subscribe/j1 "), "{}", requests[0]);
    for header in ["authorization: Bearer t0ken", "last-event-id: 1.queued"] {
        assert!(requests[0].contains(header), "{}", requests[0]);
    }
}

#[tokio::test]
async fn nginx_forwards_requests_and_responses_unchanged() {
    let Some((upstream, proxy)) = start_behind_nginx().await else { return };
    let request = http_client()
        .post(format!("{}/v1/download/initiate", proxy.url))
        .basic_auth("scv", Some("secret"))
        .header("idempotency-key", "k-1")
        .header("x-request-id", "request-1")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .body("{\"file_id\": 10001}");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response.headers()["location"], "status/j1");
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(response.headers()["x-request-id"], "request-1");

    let requests = upstream.request_heads();
    for header in [
        "authorization: Basic c2N2OnNlY3JldA==",
        "idempotency-key: k-1",
        "x-request-id: request-1",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ] {
        assert!(requests[0].contains(header), "{header}: {}", requests[0]);
    }

    // The presigned URL of a redirect must not be changed.
    let response = http_client().get(format!("{}/v1/download/j1", proxy.url)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FOUND);
    assert_eq!(response.headers()["location"], upstream::PRESIGNED_URL);

    let status_url = format!("{}/v1/download/status/j1?progress=detail&x=%2F+a", proxy.url);
    let response = http_client().get(&status_url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["retry-after"], "2");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert!(response.text().await.unwrap().contains("THROTTLED"));

    let path = "/prod/v1/download/status/j1?progress=detail&x=%2F+a ";
    assert!(upstream.request_heads()[2].contains(path), "{}", upstream.request_heads()[2]);

    // nginx itself refuses a body that is too large.
    let request = http_client().post(format!("{}/v1/download/initiate", proxy.url));
    let response = request.body(vec![b' '; 512 * 1024 + 1]).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(upstream.request_heads().len(), 3);
}

//! HTTP proxy that counts the AWS calls of a function and forwards them to the AWS emulator.
//!
//! The benchmark of the cost of a transfer uses it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use sim_kit::Running;

/// Number of calls by their name in the AWS protocols, such as `DynamoDB_20120810.UpdateItem`.
type Counts = BTreeMap<String, u32>;

struct ProxyState {
    http: reqwest::Client,
    upstream: String,
    counts: Mutex<Counts>,
}

/// A running proxy. Dropping this value stops the proxy.
pub(crate) struct CountingProxy {
    state: Arc<ProxyState>,
    server: Running,
}

impl CountingProxy {
    /// Starts a proxy to the emulator with the URL `upstream`.
    pub(crate) async fn start(upstream: &str) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let state =
            Arc::new(ProxyState { http, upstream: upstream.to_owned(), counts: Mutex::default() });
        let router = Router::new().fallback(forward).with_state(Arc::clone(&state));
        let server = sim_kit::serve(0, None, |_| router).await?;
        Ok(Self { state, server })
    }

    pub(crate) fn url(&self) -> &str {
        self.server.url()
    }

    /// Returns the number of calls whose names begin with `prefix`.
    pub(crate) fn calls(&self, prefix: &str) -> u32 {
        let counts = self.state.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, count)| count).sum()
    }
}

/// Counts and forwards a call. All calls of the counted services are POST requests to the same
/// path. They differ only in their headers and bodies.
async fn forward(
    State(state): State<Arc<ProxyState>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers.get("x-amz-target").and_then(|name| name.to_str().ok());
    let target = target.unwrap_or_default().to_owned();
    *state.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(target).or_default() += 1;
    let response_result =
        state.http.post(format!("{}/", state.upstream)).headers(headers).body(body).send().await;
    let received = match response_result {
        Ok(received) => (received.status(), received.headers().clone(), received.bytes().await),
        Err(_) => return bad_gateway(),
    };
    let (status, headers, Ok(body)) = received else { return bad_gateway() };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    for (name, value) in &headers {
        // The proxy sends the complete body, so the server sets these headers itself.
        if name != "transfer-encoding" && name != "content-length" {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

fn bad_gateway() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}

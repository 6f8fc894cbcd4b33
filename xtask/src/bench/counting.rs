//! A way to the local cloud that counts what passes: what a transfer is charged for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use sim_kit::Running;

/// Calls by the name that the AWS protocols give them, such as
/// `DynamoDB_20120810.UpdateItem`.
type Counts = BTreeMap<String, u32>;

struct Way {
    http: reqwest::Client,
    to: String,
    counts: Mutex<Counts>,
}

/// The way; it ends when this is dropped.
pub(crate) struct Counting {
    way: Arc<Way>,
    server: Running,
}

impl Counting {
    pub(crate) async fn start(to: &str) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let way = Arc::new(Way { http, to: to.to_owned(), counts: Mutex::default() });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&way));
        let server = sim_kit::serve(0, None, |_| router).await?;
        Ok(Self { way, server })
    }

    pub(crate) fn url(&self) -> &str {
        self.server.url()
    }

    /// How many calls began with this.
    pub(crate) fn calls(&self, prefix: &str) -> u32 {
        let counts = self.way.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, count)| count).sum()
    }
}

/// The services behind it all take POSTs to one path, and look at headers and body.
async fn pass(State(way): State<Arc<Way>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|name| name.to_str().ok());
    let target = target.unwrap_or_default().to_owned();
    *way.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(target).or_default() += 1;
    let sent = way.http.post(format!("{}/", way.to)).headers(headers).body(body).send().await;
    let answer = match sent {
        Ok(answer) => (answer.status(), answer.headers().clone(), answer.bytes().await),
        Err(_) => return failed(),
    };
    let (status, headers, Ok(body)) = answer else { return failed() };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    for (name, value) in &headers {
        // The body is whole here, and has its length.
        if name != "transfer-encoding" && name != "content-length" {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

fn failed() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}

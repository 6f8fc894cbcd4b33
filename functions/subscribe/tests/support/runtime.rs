//! Simulated Lambda runtime API: tests send events on one side, the function polls on the other.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::{get, post};
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use sim_kit::Running;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

/// Timeout of the tests for each chunk of a response.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(60);

/// State of the server: events for the function, and its responses.
struct ServerState {
    /// Time limit and payload of each invocation.
    events: Mutex<mpsc::Receiver<(Duration, String)>>,
    answers: mpsc::Sender<(HeaderMap, mpsc::UnboundedReceiver<Bytes>)>,
}

/// Side of the tests.
pub(crate) struct Runtime {
    events: mpsc::Sender<(Duration, String)>,
    answers: mpsc::Receiver<(HeaderMap, mpsc::UnboundedReceiver<Bytes>)>,
    server: Running,
}

/// Response of the function that is being received.
pub(crate) struct Answer {
    /// Headers of the request to the runtime API that carries the response.
    pub(crate) headers: HeaderMap,
    chunks: mpsc::UnboundedReceiver<Bytes>,
    /// Bytes received so far.
    pub(crate) bytes: Vec<u8>,
}

impl Runtime {
    pub(crate) async fn start() -> Self {
        let (events, pending) = mpsc::channel(1);
        let (responses, answers) = mpsc::channel(1);
        let state = Arc::new(ServerState { events: Mutex::new(pending), answers: responses });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .with_state(state);
        let server = sim_kit::serve(0, None, |_| router).await.unwrap();
        Self { events, answers, server }
    }

    /// Value of `AWS_LAMBDA_RUNTIME_API` for the function.
    pub(crate) fn address(&self) -> &str {
        self.server.url().trim_start_matches("http://")
    }

    /// Invokes the function with a time limit and waits until its response begins.
    pub(crate) async fn invoke(&mut self, event: &Value, time: Duration) -> Answer {
        self.events.send((time, event.to_string())).await.unwrap();
        let response = timeout(CHUNK_TIMEOUT, self.answers.recv()).await;
        let (headers, chunks) = response.expect("the function did not respond in time").unwrap();
        Answer { headers, chunks, bytes: Vec::new() }
    }
}

impl Answer {
    /// Waits for the next chunk; `false` at the end.
    async fn next_chunk(&mut self) -> bool {
        let chunk = timeout(CHUNK_TIMEOUT, self.chunks.recv()).await.expect("no chunk in time");
        chunk.map(|chunk| self.bytes.extend(chunk)).is_some()
    }

    /// Reads until the response contains the text.
    pub(crate) async fn until(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.bytes).contains(text) {
            assert!(self.next_chunk().await, "the response ended before {text}: {}", self.body());
        }
    }

    /// Reads to the end.
    pub(crate) async fn rest(&mut self) {
        while self.next_chunk().await {}
    }

    /// Reads the prelude: status and headers, which come before the body.
    pub(crate) async fn prelude(&mut self) -> Value {
        while self.split().is_none() {
            assert!(self.next_chunk().await, "the response has no prelude");
        }
        let (prelude, _) = self.split().unwrap();
        serde_json::from_slice(prelude).unwrap()
    }

    /// Returns the part of the body that has been received.
    pub(crate) fn body(&self) -> String {
        let body = self.split().map(|(_, body)| body).unwrap_or_default();
        String::from_utf8_lossy(body).into_owned()
    }

    /// Returns the id of the last event.
    pub(crate) fn last_id(&self) -> String {
        let body = self.body();
        body.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap().to_owned()
    }

    /// Splits prelude and body, which are separated by eight zero bytes.
    fn split(&self) -> Option<(&[u8], &[u8])> {
        let at = self.bytes.windows(8).position(|bytes| bytes == [0; 8])?;
        Some((&self.bytes[..at], &self.bytes[at + 8..]))
    }
}

#[expect(clippy::disallowed_methods, reason = "Lambda deadlines are wall-clock times")]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Route by which the function gets the next event.
async fn next(State(state): State<Arc<ServerState>>) -> (HeaderMap, String) {
    let Some((time, event)) = state.events.lock().await.recv().await else {
        // The test has ended and will stop the process.
        return std::future::pending().await;
    };
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", "00000000-0000-4000-8000-000000000001".to_owned()),
        ("lambda-runtime-deadline-ms", (now() + time).as_millis().to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:ca-central-1:123456789012:function:subscribe".to_owned(),
        ),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    (headers, event)
}

/// Route by which the function sends a response.
async fn response(State(state): State<Arc<ServerState>>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let (sender, chunks) = mpsc::unbounded_channel();
    state.answers.send((parts.headers, chunks)).await.unwrap();
    let mut body = body.into_data_stream();
    while let Some(Ok(chunk)) = body.next().await {
        // The test may have dropped the response. Lambda also reads a response to its end then.
        let _dropped = sender.send(chunk);
    }
    StatusCode::ACCEPTED
}

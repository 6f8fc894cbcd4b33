//! Simulated Lambda runtime API, the HTTP interface between AWS Lambda and a function's process. A
//! test sends an event to the simulation ([`Runtime::invoke`]); the process of the function polls for
//! the event and sends back a response, which the test reads in chunks ([`FunctionResponse`]).

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

/// Maximum time until the next chunk of a response.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(60);

/// An invocation that the function has still to fetch.
struct Invocation {
    time_limit: Duration,
    event: String,
}

/// State of the HTTP server to which the function connects.
struct ServerState {
    invocations: Mutex<mpsc::Receiver<Invocation>>,
    responses: mpsc::Sender<FunctionResponse>,
}

/// The simulated runtime API, as the tests use it.
pub(crate) struct Runtime {
    invocations: mpsc::Sender<Invocation>,
    responses: mpsc::Receiver<FunctionResponse>,
    server: Running,
}

/// Response of the function, which may still be incomplete.
pub(crate) struct FunctionResponse {
    /// Headers of the request to the runtime API that carries the response.
    pub(crate) headers: HeaderMap,
    chunks: mpsc::UnboundedReceiver<Bytes>,
    /// Bytes received so far.
    pub(crate) bytes: Vec<u8>,
}

impl Runtime {
    /// Starts the server on a free port.
    pub(crate) async fn start() -> Self {
        let (invocation_sender, invocation_receiver) = mpsc::channel(1);
        let (response_sender, response_receiver) = mpsc::channel(1);
        let state = Arc::new(ServerState {
            invocations: Mutex::new(invocation_receiver),
            responses: response_sender,
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next_invocation))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(receive_response))
            .with_state(state);
        let server = sim_kit::serve(0, None, |_| router).await.unwrap();
        Self { invocations: invocation_sender, responses: response_receiver, server }
    }

    /// Value of `AWS_LAMBDA_RUNTIME_API` for the function.
    pub(crate) fn address(&self) -> &str {
        self.server.url().trim_start_matches("http://")
    }

    /// Invokes the function with a time limit and waits until its response begins.
    pub(crate) async fn invoke(&mut self, event: &Value, time_limit: Duration) -> FunctionResponse {
        let invocation = Invocation { time_limit, event: event.to_string() };
        self.invocations.send(invocation).await.ok().unwrap();
        let response = timeout(CHUNK_TIMEOUT, self.responses.recv()).await;
        response.expect("the function did not respond in time").unwrap()
    }
}

impl FunctionResponse {
    /// Waits for the next chunk. Returns `false` at the end of the response.
    async fn next_chunk(&mut self) -> bool {
        let chunk = timeout(CHUNK_TIMEOUT, self.chunks.recv()).await.expect("no chunk in time");
        chunk.map(|chunk| self.bytes.extend(chunk)).is_some()
    }

    /// Reads until the response contains the text.
    pub(crate) async fn read_until(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.bytes).contains(text) {
            assert!(self.next_chunk().await, "the response ended before {text}: {}", self.body());
        }
    }

    /// Reads to the end of the response.
    pub(crate) async fn read_to_end(&mut self) {
        while self.next_chunk().await {}
    }

    /// Reads the prelude: the JSON object with HTTP status and headers, which precedes the body.
    pub(crate) async fn read_prelude(&mut self) -> Value {
        while self.split_prelude().is_none() {
            assert!(self.next_chunk().await, "the response has no prelude");
        }
        let (prelude, _) = self.split_prelude().unwrap();
        serde_json::from_slice(prelude).unwrap()
    }

    /// Returns the part of the body that has been received.
    pub(crate) fn body(&self) -> String {
        let body = self.split_prelude().map(|(_, body)| body).unwrap_or_default();
        String::from_utf8_lossy(body).into_owned()
    }

    /// Returns the id of the last received event.
    pub(crate) fn last_event_id(&self) -> String {
        let body = self.body();
        body.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap().to_owned()
    }

    /// Returns the prelude and the received part of the body, which are separated by eight zero
    /// bytes. Returns `None` if the separator was not received yet.
    fn split_prelude(&self) -> Option<(&[u8], &[u8])> {
        let separator = self.bytes.windows(8).position(|bytes| bytes == [0; 8])?;
        Some((&self.bytes[..separator], &self.bytes[separator + 8..]))
    }
}

#[expect(clippy::disallowed_methods, reason = "Lambda deadlines are wall-clock times")]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Handles the request by which the function fetches its next invocation.
async fn next_invocation(State(state): State<Arc<ServerState>>) -> (HeaderMap, String) {
    let Some(invocation) = state.invocations.lock().await.recv().await else {
        // The test has ended and will stop the process.
        return std::future::pending().await;
    };
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", "00000000-0000-4000-8000-000000000001".to_owned()),
        ("lambda-runtime-deadline-ms", (now() + invocation.time_limit).as_millis().to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:ca-central-1:123456789012:function:subscribe".to_owned(),
        ),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    (headers, invocation.event)
}

/// Handles the request by which the function sends a response.
async fn receive_response(State(state): State<Arc<ServerState>>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let (sender, chunks) = mpsc::unbounded_channel();
    let response = FunctionResponse { headers: parts.headers, chunks, bytes: Vec::new() };
    state.responses.send(response).await.ok().unwrap();
    let mut body = body.into_data_stream();
    while let Some(Ok(chunk)) = body.next().await {
        // The test may have dropped the response. Lambda reads the whole body in any case.
        let _dropped = sender.send(chunk);
    }
    StatusCode::ACCEPTED
}

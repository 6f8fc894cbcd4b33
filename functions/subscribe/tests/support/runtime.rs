//! The Lambda runtime API, from both sides of one process.

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

use super::BOUND;

/// What is between Lambda and the function.
struct Desk {
    events: Mutex<mpsc::Receiver<(Duration, String)>>,
    answers: mpsc::Sender<(HeaderMap, mpsc::UnboundedReceiver<Bytes>)>,
}

pub(crate) struct Runtime {
    events: mpsc::Sender<(Duration, String)>,
    answers: mpsc::Receiver<(HeaderMap, mpsc::UnboundedReceiver<Bytes>)>,
    server: Running,
}

/// An answer on its way.
pub(crate) struct Answer {
    /// How it was sent.
    pub(crate) headers: HeaderMap,
    pieces: mpsc::UnboundedReceiver<Bytes>,
    /// All that has come.
    pub(crate) bytes: Vec<u8>,
}

impl Runtime {
    pub(crate) async fn start() -> Self {
        let (events, waiting) = mpsc::channel(1);
        let (answering, answers) = mpsc::channel(1);
        let desk = Arc::new(Desk { events: Mutex::new(waiting), answers: answering });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .with_state(desk);
        let server = sim_kit::serve(0, None, |_| router).await.unwrap();
        Self { events, answers, server }
    }

    /// What a function finds in `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> &str {
        self.server.url().trim_start_matches("http://")
    }

    /// Invokes the function, which has so much time; its answer has begun.
    pub(crate) async fn invoke(&mut self, event: &Value, time: Duration) -> Answer {
        self.events.send((time, event.to_string())).await.unwrap();
        let begun = timeout(BOUND, self.answers.recv()).await;
        let (headers, pieces) = begun.expect("the function answers").unwrap();
        Answer { headers, pieces, bytes: Vec::new() }
    }
}

impl Answer {
    /// Waits for the next piece; `false` at the end.
    async fn more(&mut self) -> bool {
        let piece = timeout(BOUND, self.pieces.recv()).await.expect("the answer goes on or ends");
        piece.map(|piece| self.bytes.extend(piece)).is_some()
    }

    /// Reads until this has come.
    pub(crate) async fn until(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.bytes).contains(text) {
            assert!(self.more().await, "it ended before {text}: {}", self.body());
        }
    }

    /// Reads to the end.
    pub(crate) async fn rest(&mut self) {
        while self.more().await {}
    }

    /// What stands before the body: status and headers.
    pub(crate) async fn prelude(&mut self) -> Value {
        while self.split().is_none() {
            assert!(self.more().await, "a prelude comes first");
        }
        let (prelude, _) = self.split().unwrap();
        serde_json::from_slice(prelude).unwrap()
    }

    /// As much of the body as has come.
    pub(crate) fn body(&self) -> String {
        let body = self.split().map(|(_, body)| body).unwrap_or_default();
        String::from_utf8_lossy(body).into_owned()
    }

    /// The id of the last event.
    pub(crate) fn last_id(&self) -> String {
        let body = self.body();
        body.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap().to_owned()
    }

    /// Eight zeros are between the two.
    fn split(&self) -> Option<(&[u8], &[u8])> {
        let at = self.bytes.windows(8).position(|bytes| bytes == [0; 8])?;
        Some((&self.bytes[..at], &self.bytes[at + 8..]))
    }
}

#[expect(clippy::disallowed_methods, reason = "the deadline that Lambda gives is wall-clock time")]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

async fn next(State(desk): State<Arc<Desk>>) -> (HeaderMap, String) {
    let Some((time, event)) = desk.events.lock().await.recv().await else {
        // Nobody invokes it any more; it will be ended in a moment.
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

async fn response(State(desk): State<Arc<Desk>>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let (sender, pieces) = mpsc::unbounded_channel();
    desk.answers.send((parts.headers, pieces)).await.unwrap();
    let mut body = body.into_data_stream();
    while let Some(Ok(piece)) = body.next().await {
        // Nobody may listen any more; Lambda takes all of it nevertheless.
        let _unheard = sender.send(piece);
    }
    StatusCode::ACCEPTED
}

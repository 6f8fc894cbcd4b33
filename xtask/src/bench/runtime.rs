//! Simulated Lambda runtime API, with which a benchmark invokes a function process on this machine.
//!
//! The function polls this API for invocations and posts its results, as it does in Lambda.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use serde_json::Value;
use sim_kit::Running;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::timeout;

/// Result of one invocation, as the function reported it.
#[derive(Debug)]
enum InvocationResult {
    Response(Bytes),
    Error(Bytes),
}

/// An invocation that the function has not requested yet.
#[derive(Debug)]
struct Invocation {
    id: String,
    deadline: SystemTime,
    payload: String,
}

/// State that the routes share with [`RuntimeApi`].
struct ApiState {
    pending: Mutex<mpsc::Receiver<Invocation>>,
    results: mpsc::Sender<InvocationResult>,
    /// Time at which the function requested its first invocation.
    first_poll: watch::Sender<Option<Instant>>,
}

/// Running server of the runtime API for one process of a function.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    pending: mpsc::Sender<Invocation>,
    results: mpsc::Receiver<InvocationResult>,
    first_poll: watch::Receiver<Option<Instant>>,
    invocations: u32,
    server: Running,
}

impl RuntimeApi {
    pub(crate) async fn start() -> Result<Self> {
        let (pending, pending_receiver) = mpsc::channel(1);
        let (result_sender, results) = mpsc::channel(1);
        let (first_poll_sender, first_poll) = watch::channel(None);
        let state = Arc::new(ApiState {
            pending: Mutex::new(pending_receiver),
            results: result_sender,
            first_poll: first_poll_sender,
        });
        let router = Router::new()
            .route("/invocation/next", get(next_invocation))
            .route("/invocation/{id}/{outcome}", post(invocation_result))
            .route("/init/error", post(init_error))
            .with_state(state);
        let router = Router::new().nest("/2018-06-01/runtime", router);
        let server = sim_kit::serve(0, None, |_| router).await?;
        Ok(Self { pending, results, first_poll, invocations: 0, server })
    }

    /// Returns the address for the function's environment variable `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> &str {
        self.server.url().trim_start_matches("http://")
    }

    /// Waits until the function requests its first invocation and returns the time of this request.
    pub(crate) async fn first_request(&mut self, limit: Duration) -> Result<Instant> {
        let first_poll = timeout(limit, self.first_poll.wait_for(Option::is_some)).await;
        let first_poll = *first_poll.context("the function requested no invocation")??;
        first_poll.context("the function requested no invocation")
    }

    /// Invokes the function and waits for its result. As in Lambda, `limit` is the time limit of
    /// the invocation.
    pub(crate) async fn invoke(&mut self, payload: &Value, limit: Duration) -> Result<Value> {
        self.invocations += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", self.invocations);
        let deadline = now() + limit;
        self.pending.send(Invocation { id, deadline, payload: payload.to_string() }).await?;
        match timeout(limit, self.results.recv()).await.context("the invocation timed out")? {
            Some(InvocationResult::Response(body)) => Ok(serde_json::from_slice(&body)?),
            Some(InvocationResult::Error(body)) => {
                bail!("the function failed: {}", String::from_utf8_lossy(&body))
            }
            None => bail!("the runtime API has ended"),
        }
    }

    /// Returns the number of invocations so far.
    pub(crate) fn invocations(&self) -> u32 {
        self.invocations
    }
}

#[expect(clippy::disallowed_methods, reason = "Lambda specifies deadlines in wall-clock time")]
fn now() -> SystemTime {
    SystemTime::now()
}

async fn next_invocation(State(state): State<Arc<ApiState>>) -> (HeaderMap, String) {
    state.first_poll.send_if_modified(|first_poll| {
        let is_first = first_poll.is_none();
        *first_poll = first_poll.or_else(|| Some(Instant::now()));
        is_first
    });
    let Some(invocation) = state.pending.lock().await.recv().await else {
        // There will be no more invocations, so the function waits until it is killed.
        return std::future::pending().await;
    };
    let deadline = invocation.deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", invocation.id),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:ca-central-1:123456789012:function:bench".to_owned(),
        ),
    ] {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
    (headers, invocation.payload)
}

async fn invocation_result(
    State(state): State<Arc<ApiState>>,
    Path((_id, outcome)): Path<(String, String)>,
    body: Bytes,
) -> StatusCode {
    let result = if outcome == "response" {
        InvocationResult::Response(body)
    } else {
        InvocationResult::Error(body)
    };
    // If the receiver no longer exists, the result is not needed.
    let _send_result = state.results.send(result).await;
    StatusCode::ACCEPTED
}

async fn init_error(State(state): State<Arc<ApiState>>, body: Bytes) -> StatusCode {
    let _send_result = state.results.send(InvocationResult::Error(body)).await;
    StatusCode::ACCEPTED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn result_or_error_that_the_function_posts_is_returned() {
        let mut api = RuntimeApi::start().await.unwrap();
        let base = format!("http://{}/2018-06-01/runtime/invocation", api.address());
        let function = tokio::spawn(async move {
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            for outcome in ["response", "error"] {
                let event = http.get(format!("{base}/next")).send().await.unwrap();
                let id = event.headers()["lambda-runtime-aws-request-id"].to_str().unwrap();
                let url = format!("{base}/{id}/{outcome}");
                assert!(event.headers().contains_key("lambda-runtime-deadline-ms"));
                let body = event.text().await.unwrap();
                http.post(url).body(body).send().await.unwrap();
            }
        });
        let limit = Duration::from_secs(5);
        let event = serde_json::json!({ "transferId": "x" });

        api.first_request(limit).await.unwrap();
        let result = api.invoke(&event, limit).await.unwrap();
        let failure = api.invoke(&event, limit).await.unwrap_err().to_string();

        assert_eq!(result, event);
        assert!(failure.contains("transferId"), "{failure}");
        assert_eq!(api.invocations(), 2);
        function.await.unwrap();
    }
}

//! The Lambda runtime API, as far as a function uses it.

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

/// What a function said about one invocation.
#[derive(Debug)]
enum Said {
    Response(Bytes),
    Error(Bytes),
}

#[derive(Debug)]
struct Event {
    id: String,
    deadline: SystemTime,
    payload: String,
}

/// Between the function's requests and whoever invokes it.
struct Desk {
    events: Mutex<mpsc::Receiver<Event>>,
    said: mpsc::Sender<Said>,
    /// When the function asked for work for the first time.
    asked: watch::Sender<Option<Instant>>,
}

/// A runtime API for one process of a function.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    events: mpsc::Sender<Event>,
    said: mpsc::Receiver<Said>,
    asked: watch::Receiver<Option<Instant>>,
    invocations: u32,
    server: Running,
}

impl RuntimeApi {
    pub(crate) async fn start() -> Result<Self> {
        let (events, waiting) = mpsc::channel(1);
        let (saying, said) = mpsc::channel(1);
        let (asking, asked) = watch::channel(None);
        let desk = Arc::new(Desk { events: Mutex::new(waiting), said: saying, asked: asking });
        let router = Router::new()
            .route("/invocation/next", get(next))
            .route("/invocation/{id}/{outcome}", post(outcome))
            .route("/init/error", post(init_error))
            .with_state(desk);
        let router = Router::new().nest("/2018-06-01/runtime", router);
        let server = sim_kit::serve(0, None, |_| router).await?;
        Ok(Self { events, said, asked, invocations: 0, server })
    }

    /// What a function finds in `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> &str {
        self.server.url().trim_start_matches("http://")
    }

    /// Waits until the function asks for work; tells when that was.
    pub(crate) async fn first_request(&mut self, bound: Duration) -> Result<Instant> {
        let asked = timeout(bound, self.asked.wait_for(Option::is_some)).await;
        let asked = *asked.context("the function did not ask for work")??;
        asked.context("the function did not ask for work")
    }

    /// Invokes the function and waits for its answer, as long as Lambda would.
    pub(crate) async fn invoke(&mut self, payload: &Value, limit: Duration) -> Result<Value> {
        self.invocations += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", self.invocations);
        let deadline = now() + limit;
        self.events.send(Event { id, deadline, payload: payload.to_string() }).await?;
        match timeout(limit, self.said.recv()).await.context("the function ran out of time")? {
            Some(Said::Response(body)) => Ok(serde_json::from_slice(&body)?),
            Some(Said::Error(body)) => {
                bail!("the function failed: {}", String::from_utf8_lossy(&body))
            }
            None => bail!("the runtime API has ended"),
        }
    }

    pub(crate) fn invocations(&self) -> u32 {
        self.invocations
    }
}

#[expect(clippy::disallowed_methods, reason = "the deadline that Lambda gives is wall-clock time")]
fn now() -> SystemTime {
    SystemTime::now()
}

async fn next(State(desk): State<Arc<Desk>>) -> (HeaderMap, String) {
    desk.asked.send_if_modified(|asked| {
        let is_first = asked.is_none();
        *asked = asked.or_else(|| Some(Instant::now()));
        is_first
    });
    let Some(event) = desk.events.lock().await.recv().await else {
        // Nobody invokes it any more; it will be ended in a moment.
        return std::future::pending().await;
    };
    let deadline = event.deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", event.id),
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
    (headers, event.payload)
}

async fn outcome(
    State(desk): State<Arc<Desk>>,
    Path((_id, outcome)): Path<(String, String)>,
    body: Bytes,
) -> StatusCode {
    let said = if outcome == "response" { Said::Response(body) } else { Said::Error(body) };
    // When nobody waits any more, nobody is to be told.
    let _unheard = desk.said.send(said).await;
    StatusCode::ACCEPTED
}

async fn init_error(State(desk): State<Arc<Desk>>, body: Bytes) -> StatusCode {
    let _unheard = desk.said.send(Said::Error(body)).await;
    StatusCode::ACCEPTED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_function_is_given_an_event_and_its_answer_comes_back() {
        let mut api = RuntimeApi::start().await.unwrap();
        let base = format!("http://{}/2018-06-01/runtime/invocation", api.address());
        let function = tokio::spawn(async move {
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            for answer in ["response", "error"] {
                let event = http.get(format!("{base}/next")).send().await.unwrap();
                let id = event.headers()["lambda-runtime-aws-request-id"].to_str().unwrap();
                let url = format!("{base}/{id}/{answer}");
                assert!(event.headers().contains_key("lambda-runtime-deadline-ms"));
                let body = event.text().await.unwrap();
                http.post(url).body(body).send().await.unwrap();
            }
        });
        let limit = Duration::from_secs(5);
        api.first_request(limit).await.unwrap();
        let event = serde_json::json!({ "transferId": "x" });
        assert_eq!(api.invoke(&event, limit).await.unwrap(), event);
        let failure = api.invoke(&event, limit).await.unwrap_err().to_string();
        assert!(failure.contains("transferId"), "{failure}");
        assert_eq!(api.invocations(), 2);
        function.await.unwrap();
    }
}

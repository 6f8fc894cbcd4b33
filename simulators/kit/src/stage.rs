//! Request pipeline of the simulators: fault rules, latency and the log, applied to every
//! operation.

use std::{future::Future, sync::Arc};

use axum::response::Response;
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    clock,
    faults::Faults,
    log::{Entry, RequestLog},
    reply,
    reply::Broken,
    rule::Rule,
    serve::traceparent,
    shape::Shaper,
};

/// Function that renders an error as the simulated system does, from a status and the rule's error
/// code.
pub type ErrorBody = fn(StatusCode, Option<&str>) -> Response;

/// Shared state of one simulator's request pipeline.
#[derive(Debug)]
pub struct Stage<X> {
    /// Scripted faults.
    pub faults: Faults<X>,
    /// Bandwidth and latency.
    pub shaper: Arc<Shaper>,
    /// Log of received requests.
    pub log: Arc<RequestLog>,
}

impl<X: Clone + Default + Serialize + DeserializeOwned> Stage<X> {
    /// Creates a stage. `operations` are the operation names that rules may use.
    #[must_use]
    pub fn new(operations: &'static [&'static str]) -> Self {
        Self { faults: Faults::new(operations), shaper: Arc::default(), log: Arc::default() }
    }

    /// Opens the log entry of a request.
    #[must_use]
    pub fn call(&self, operation: &'static str, subject: &str) -> Call {
        Call {
            log: Arc::clone(&self.log),
            entry: Entry {
                operation: operation.to_owned(),
                subject: subject.to_owned(),
                status: None,
                bytes: 0,
                at: String::new(),
                traceparent: traceparent(),
            },
        }
    }

    /// Runs an all-or-nothing operation under the active rules.
    ///
    /// `work` receives the rule, for the fields that only its simulator knows.
    pub async fn run<F>(
        &self,
        operation: &'static str,
        subject: &str,
        error_body: ErrorBody,
        work: impl FnOnce(Option<Rule<X>>) -> F,
    ) -> Response
    where
        F: Future<Output = Response>,
    {
        let call = self.call(operation, subject);
        let rule = self.faults.take(&[operation], subject);
        self.shaper.latency(subject).await;
        let answer = match &rule {
            Some(rule) if !rule.does_work() => None,
            _ => Some(work(rule.clone()).await),
        };
        call.respond(apply_rule(rule.as_ref(), answer, error_body).await)
    }
}

/// Returns the response for the client. `answer` is the response of the work, or `None` if the work
/// was not done.
///
/// An error of the work itself takes precedence over the rule's error. Injecting a fault into an
/// invalid request would hide the client's mistake.
pub async fn apply_rule<X>(
    rule: Option<&Rule<X>>,
    answer: Option<Response>,
    error_body: ErrorBody,
) -> Response {
    let Some(rule) = rule else {
        return answer.unwrap_or_else(|| error_body(StatusCode::INTERNAL_SERVER_ERROR, None));
    };
    if let Some(delay) = rule.delay() {
        tokio::time::sleep(delay).await;
    }
    if rule.drop_response {
        return reply::break_connection();
    }
    match answer {
        Some(answer) if !rule.replaces_answer() || is_error(&answer) => answer,
        _ => replacement(rule, error_body),
    }
}

fn is_error(answer: &Response) -> bool {
    answer.status().is_client_error() || answer.status().is_server_error()
}

fn replacement<X>(rule: &Rule<X>, error_body: ErrorBody) -> Response {
    let fallback = if rule.body.is_some() { 200 } else { 500 };
    let status = StatusCode::from_u16(rule.status.unwrap_or(fallback))
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match &rule.body {
        Some(body) => {
            let content_type = rule.content_type.as_deref().unwrap_or("application/json");
            reply::text(status, content_type, body.clone())
        }
        None => error_body(status, rule.code.as_deref()),
    };
    if let Some(value) = rule.retry_after.as_ref().map(crate::RetryAfter::header)
        && let Ok(value) = HeaderValue::from_str(&value)
    {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

/// Log entry of a request, written on drop. A client that breaks the connection cancels the
/// handler, and that request must be logged too.
#[derive(Debug)]
pub struct Call {
    log: Arc<RequestLog>,
    entry: Entry,
}

impl Call {
    /// Counts body bytes.
    pub fn count(&mut self, bytes: usize) {
        self.entry.bytes += bytes as u64;
    }

    /// Records the outcome of work without a response, such as a background move.
    pub fn finish(mut self, status: u16) {
        self.entry.status = Some(status);
    }

    /// Records the status and returns the response unchanged.
    pub fn respond(mut self, response: Response) -> Response {
        if response.extensions().get::<Broken>().is_none() {
            self.entry.status = Some(response.status().as_u16());
        }
        response
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let mut entry = self.entry.clone();
        entry.at = clock::now().to_string();
        self.log.add(entry);
    }
}

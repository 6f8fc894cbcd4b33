//! Request pipeline of the simulators, called a *stage*. It applies fault rules and latency to
//! every request, and logs the request.
//!
//! A *fault rule* makes chosen requests fail. Some operations cannot be carried out partially, and
//! their handlers call [`Stage::run`]. Other operations can, such as uploads. Their handlers
//! combine [`Stage::call`], [`Faults::take`] and [`apply_rule`] themselves.

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

/// Function that returns an error response in the format of the simulated system, for a status and
/// the error code of a rule.
pub type ErrorBody = fn(StatusCode, Option<&str>) -> Response;

/// Request pipeline of one simulator. `ServiceFaults` contains the fields of a fault rule that only
/// this simulator has.
#[derive(Debug)]
pub struct Stage<ServiceFaults> {
    /// Scripted faults.
    pub faults: Faults<ServiceFaults>,
    /// Bandwidth and latency.
    pub shaper: Arc<Shaper>,
    /// Log of received requests.
    pub log: Arc<RequestLog>,
}

impl<ServiceFaults: Clone + Default + Serialize + DeserializeOwned> Stage<ServiceFaults> {
    /// Creates a stage. `operations` are the names of the operations to which a rule can apply.
    #[must_use]
    pub fn new(operations: &'static [&'static str]) -> Self {
        Self { faults: Faults::new(operations), shaper: Arc::default(), log: Arc::default() }
    }

    /// Starts the log entry of a request.
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

    /// Handles a request whose operation cannot be carried out partially, under the active rules.
    ///
    /// `subject` is the object that the request concerns, such as a user and path. `handle` carries
    /// out the operation. It gets the rule that applies to this request, because it must apply the
    /// fields of the rule that only its simulator has.
    pub async fn run<F>(
        &self,
        operation: &'static str,
        subject: &str,
        error_body: ErrorBody,
        handle: impl FnOnce(Option<Rule<ServiceFaults>>) -> F,
    ) -> Response
    where
        F: Future<Output = Response>,
    {
        let call = self.call(operation, subject);
        let rule = self.faults.take(&[operation], subject);
        self.shaper.latency(subject).await;
        let response = match &rule {
            Some(rule) if !rule.runs_operation() => None,
            _ => Some(handle(rule.clone()).await),
        };
        call.respond(apply_rule(rule.as_ref(), response, error_body).await)
    }
}

/// Applies a rule to a response and returns the response for the client. `response` is `None` if
/// the operation was not carried out.
///
/// If the operation itself failed, the client gets the error of the operation and not that of the
/// rule. Otherwise, the rule would hide the mistake in an invalid request.
pub async fn apply_rule<ServiceFaults>(
    rule: Option<&Rule<ServiceFaults>>,
    response: Option<Response>,
    error_body: ErrorBody,
) -> Response {
    let Some(rule) = rule else {
        return response.unwrap_or_else(|| error_body(StatusCode::INTERNAL_SERVER_ERROR, None));
    };
    if let Some(delay) = rule.delay() {
        tokio::time::sleep(delay).await;
    }
    if rule.drop_response {
        return reply::break_connection();
    }
    match response {
        Some(response) if !rule.replaces_response() || is_error(&response) => response,
        _ => replacement(rule, error_body),
    }
}

/// Returns whether the status of a response is an error.
fn is_error(response: &Response) -> bool {
    response.status().is_client_error() || response.status().is_server_error()
}

/// Returns the response that a rule demands. If the rule has no status, the status is 200 for a
/// rule with a body and 500 for a rule without one.
fn replacement<ServiceFaults>(rule: &Rule<ServiceFaults>, error_body: ErrorBody) -> Response {
    let default_status =
        if rule.body.is_some() { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    let status = rule.status.map_or(default_status, |status| {
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    });
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

/// Request that is being handled, with its log entry. The entry is written when this value is
/// dropped. So a request is logged even if the client breaks the connection and the handler is
/// canceled.
#[derive(Debug)]
pub struct Call {
    log: Arc<RequestLog>,
    entry: Entry,
}

impl Call {
    /// Adds a number of body bytes to the entry.
    pub fn count(&mut self, bytes: usize) {
        self.entry.bytes += bytes as u64;
    }

    /// Records the status of an operation that has no response, such as a move in the background.
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

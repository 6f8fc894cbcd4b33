//! Problem documents (RFC 9457), which are the JSON bodies of the API's error responses. An
//! [`ApiError`] becomes a response in two steps:
//!
//! 1. [`IntoResponse`] puts a [`Problem`] into the extensions of the response.
//! 2. The middleware adds the request id and writes the problem into the body.

use axum::response::{IntoResponse, Response};
use docferry_contract::job::JobStatus;
use docferry_contract::problem::Problem;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

use crate::error::{ApiError, ErrorTexts};

/// Value of the header `WWW-Authenticate`, which names the accepted types of credentials.
const CHALLENGE: &str = "Basic realm=\"docferry\", Bearer realm=\"docferry\"";

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        if let Self::Failed(error) | Self::Broken(error) = &self {
            // Failed requests are logged here and nowhere else.
            tracing::error!(
                error.code = error.code.as_str(),
                error.cause = error.cause.as_ref().map(ToString::to_string),
                "request failed"
            );
        }
        let ErrorTexts { code, title, detail } = self.texts();
        let retry_after = self.retry_after();
        let problem = Problem {
            kind: format!("urn:docferry:problem:{}", code.to_ascii_lowercase().replace('_', "-")),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.to_owned(),
            instance: String::new(),
            code: code.to_owned(),
            request_id: String::new(),
            retryable: retry_after.is_some(),
            extensions: if let Self::NotCompleted(job) = &self {
                members_of(job)
            } else {
                Map::new()
            },
            errors: if let Self::Invalid(errors) = self { errors } else { Vec::new() },
        };
        let mut response = status.into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            // API Gateway sends the same value with its own 401 if the authorizer rejects a caller.
            let challenge = HeaderValue::from_static(CHALLENGE);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(problem);
        response
    }
}

/// Returns the fields of a job's status as extension members of a problem. In a problem,
/// `status` is the HTTP status (RFC 9457), so the status of the job becomes `jobStatus`.
fn members_of(job: &JobStatus) -> Map<String, Value> {
    let Ok(Value::Object(mut members)) = serde_json::to_value(job) else { return Map::new() };
    if let Some(state) = members.remove("status") {
        members.insert("jobStatus".to_owned(), state);
    }
    members
}

/// Serializes the problem with the id of its request.
pub(crate) fn render(mut problem: Problem, request_id: &str) -> axum::body::Body {
    problem.instance = format!("urn:docferry:request:{request_id}");
    problem.request_id = request_id.to_owned();
    serde_json::to_vec(&problem).unwrap_or_default().into()
}

/// Fallback for unknown paths.
pub(crate) async fn not_found() -> ApiError {
    ApiError::NotFound
}

/// Fallback for known paths with an unsupported method.
pub(crate) async fn method_not_allowed() -> ApiError {
    ApiError::MethodNotAllowed
}

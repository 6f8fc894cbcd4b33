//! Errors of the API and the problem documents (RFC 9457) that they become.

use axum::response::{IntoResponse, Response};
use docferry_app::TaskError;
use docferry_app::ports::StoreError;
use docferry_contract::job::JobStatus;
use docferry_contract::problem::{FieldError, MEDIA_TYPE, Problem};
use docferry_contract::scope::Scope;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

/// Error response to a request. It becomes a problem document, to which the middleware adds the
/// request id.
#[derive(Debug)]
pub enum ApiError {
    /// The body is not valid JSON, or its fields do not follow the contract.
    Invalid(Vec<FieldError>),
    /// The body is not declared as JSON.
    UnsupportedMediaType,
    /// The body is too large.
    TooLarge,
    /// The resource does not exist, or belongs to another caller.
    NotFound,
    /// The job has expired and its files are no longer retained.
    Gone,
    /// The state of the job does not allow the call. The text gives the reason.
    Conflict(&'static str),
    /// The job has no files to download: it is still running, or ended without a delivery.
    NotCompleted(Box<JobStatus>),
    /// The idempotency key was already used for a different request.
    KeyReused,
    /// The first request with the idempotency key is still being recorded.
    Pending,
    /// The job has ended, but its last run is not cleaned up yet, so it cannot be retried.
    Unsettled,
    /// The caller has exceeded its rate limit.
    RateLimited {
        /// Seconds until the next window begins, at least 1.
        seconds: u32,
    },
    /// The service is in drain mode: it refuses new work, while running jobs continue.
    Draining,
    /// The request is valid, but asks for a feature that is not implemented. The text names it.
    NotImplemented(&'static str),
    /// The path exists, but not for this method.
    MethodNotAllowed,
    /// The request has no [`Principal`](crate::Principal): the authorizer did not run.
    Unauthenticated,
    /// The caller lacks this scope.
    Forbidden(Scope),
    /// The service failed to process the request: 503 if the error is transient, otherwise 500.
    Failed(TaskError),
    /// Like [`ApiError::Failed`], for calls whose contract requires a 500.
    Broken(TaskError),
}

impl From<TaskError> for ApiError {
    fn from(error: TaskError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Gone => StatusCode::GONE,
            Self::Conflict(_) | Self::NotCompleted(_) | Self::Pending | Self::Unsettled => {
                StatusCode::CONFLICT
            }
            Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Failed(error) if error.code.is_retryable() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(_) | Self::Broken(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Value of `Retry-After` in seconds; `None` if the same request cannot succeed later.
    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::NotCompleted(job) => job.next_poll_in_ms.map(|ms| ms.div_ceil(1000).max(1)),
            Self::Pending => Some(1),
            Self::Unsettled => Some(5),
            Self::RateLimited { seconds } => Some(*seconds),
            Self::Draining => Some(60),
            Self::Failed(error) if error.code.is_retryable() => Some(5),
            _ => None,
        }
    }

    /// Returns the stable error code.
    pub(crate) fn code(&self) -> &'static str {
        self.words().0
    }

    /// Returns the code, the title and the detail.
    pub(crate) fn words(&self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Invalid(_) => (
                "INVALID_REQUEST",
                "The request is not valid",
                "Correct the fields named in errors and send the request again.",
            ),
            Self::UnsupportedMediaType => (
                "UNSUPPORTED_MEDIA_TYPE",
                "The body is not JSON",
                "Send the body as application/json.",
            ),
            Self::TooLarge => {
                ("BODY_TOO_LARGE", "The body is too large", "Send a body of at most 64 KiB.")
            }
            Self::NotFound => (
                "NOT_FOUND",
                "Not found",
                "There is no transfer or job with this id for this caller. It may have expired.",
            ),
            Self::Gone => (
                "EXPIRED",
                "The job has expired",
                "The files of the job are no longer available. Retry the job or create a new one.",
            ),
            Self::Conflict(detail) => {
                ("CONFLICT", "The state of the job does not allow this", *detail)
            }
            Self::NotCompleted(_) => (
                "NOT_COMPLETED",
                "The job has not completed",
                "There is nothing to download. See jobStatus and error for the state of the job.",
            ),
            Self::KeyReused => (
                "REQUEST_NAME_REUSED",
                "The idempotency key belongs to another request",
                "This Idempotency-Key was used for a different request. Use another key.",
            ),
            Self::Pending => (
                "REQUEST_PENDING",
                "The request is being recorded",
                "The first request with this Idempotency-Key is still being recorded. Send it \
                 again in a moment.",
            ),
            Self::Unsettled => (
                "NOT_SETTLED",
                "The job cannot be retried yet",
                "The last run of the job is still being cleaned up. Try again in a moment.",
            ),
            Self::RateLimited { .. } => (
                "RATE_LIMITED",
                "Too many calls",
                "Wait for the time in Retry-After. Do not poll before nextPollInMs has passed.",
            ),
            Self::Draining => (
                "DRAINING",
                "No new work is accepted",
                "The service is under maintenance. Running jobs continue. Try again later.",
            ),
            Self::NotImplemented(detail) => ("NOT_IMPLEMENTED", "Not implemented", *detail),
            Self::MethodNotAllowed => (
                "METHOD_NOT_ALLOWED",
                "Method not allowed",
                "The path does not support this method. See the API documentation.",
            ),
            Self::Unauthenticated => (
                "UNAUTHENTICATED",
                "Authentication required",
                "Send the credentials of the service account, or a bearer token.",
            ),
            Self::Forbidden(scope) => ("FORBIDDEN", "Not allowed", missing_scope(*scope)),
            Self::Failed(error) | Self::Broken(error) => (
                error.code.as_str(),
                "The service could not process the request",
                error.code.message(),
            ),
        }
    }
}

/// Value of `WWW-Authenticate`: the accepted kinds of credentials.
const CHALLENGE: &str = "Basic realm=\"docferry\", Bearer realm=\"docferry\"";

/// Detail of a 403: names the scope that the caller lacks.
const fn missing_scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "This needs a token with the scope docferry.read.",
        Scope::Write => "This needs a token with the scope docferry.write.",
        Scope::Delegate => "Acting for another person needs the scope docferry.delegate.",
        Scope::Service => {
            "This needs the service account, or a token with the scope docferry.service."
        }
    }
}

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
        let (code, title, detail) = self.words();
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
            // The same value as in the 401 of API Gateway when the authorizer refuses a caller.
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

/// Media type of the body that [`render`] writes.
pub(crate) const PROBLEM_TYPE: HeaderValue = HeaderValue::from_static(MEDIA_TYPE);

/// Fallback for unknown paths.
pub(crate) async fn not_found() -> ApiError {
    ApiError::NotFound
}

/// Fallback for known paths with an unsupported method.
pub(crate) async fn method_not_allowed() -> ApiError {
    ApiError::MethodNotAllowed
}

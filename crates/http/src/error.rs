//! [`ApiError`]: the error responses of the API. It defines the HTTP status, the stable error code,
//! the texts and the `Retry-After` header of each error.

use docferry_app::TaskError;
use docferry_app::ports::StoreError;
use docferry_contract::job::JobStatus;
use docferry_contract::problem::FieldError;
use docferry_contract::scope::Scope;
use http::StatusCode;

use crate::body_limit::BodyLimit;

/// `Retry-After` in seconds for [`ApiError::Pending`].
const PENDING_SECONDS: u32 = 1;
/// `Retry-After` in seconds for transient errors and for [`ApiError::Unsettled`].
const TRANSIENT_SECONDS: u32 = 5;
/// `Retry-After` in seconds for [`ApiError::Draining`].
const DRAINING_SECONDS: u32 = 60;

/// Texts of an error response.
pub(crate) struct ErrorTexts {
    /// Stable error code, for programs.
    pub(crate) code: &'static str,
    /// Summary of the kind of error.
    pub(crate) title: &'static str,
    /// Explanation that says what the client can do.
    pub(crate) detail: &'static str,
}

/// Error response to a request. Its body is a problem document (RFC 9457). The middleware adds the
/// request id.
#[derive(Debug)]
pub enum ApiError {
    /// The body is not valid JSON, or its fields do not follow the contract.
    Invalid(Vec<FieldError>),
    /// The body is not declared as JSON.
    UnsupportedMediaType,
    /// The body is larger than this limit.
    TooLarge(BodyLimit),
    /// The resource does not exist or belongs to another caller.
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
    /// The job cannot be retried yet. It has ended, but the clean-up of its last run is not
    /// complete.
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
    /// The path exists, but does not support this method.
    MethodNotAllowed,
    /// The request has no [`Principal`](crate::Principal), so the authorizer did not run.
    Unauthenticated,
    /// The caller lacks this scope.
    Forbidden(Scope),
    /// The service failed to process the request. The status is 503 for a transient error and 500
    /// for any other error.
    Failed(TaskError),
    /// The service failed to process the request. The status is 500 for every error, as the
    /// contract of the call requires.
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
    /// Returns the HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
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

    /// Returns the value of `Retry-After` in seconds. Returns `None` if the client need not repeat
    /// the request.
    pub(crate) fn retry_after(&self) -> Option<u32> {
        match self {
            Self::NotCompleted(status) => {
                status.next_poll_in_ms.map(|millis| millis.div_ceil(1000).max(1))
            }
            Self::Pending => Some(PENDING_SECONDS),
            Self::Unsettled => Some(TRANSIENT_SECONDS),
            Self::RateLimited { seconds } => Some(*seconds),
            Self::Draining => Some(DRAINING_SECONDS),
            Self::Failed(error) if error.code.is_retryable() => Some(TRANSIENT_SECONDS),
            _ => None,
        }
    }

    /// Returns the stable error code.
    pub(crate) fn code(&self) -> &'static str {
        self.texts().code
    }

    /// Returns the texts of the error.
    pub(crate) fn texts(&self) -> ErrorTexts {
        let (code, title, detail) = match self {
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
            Self::TooLarge(limit) => ("BODY_TOO_LARGE", "The body is too large", limit.advice()),
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
        };
        ErrorTexts { code, title, detail }
    }
}

/// Returns the detail of a 403. It names the scope that the caller lacks.
const fn missing_scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "This needs a token with the scope docferry.read.",
        Scope::Write => "This needs a token with the scope docferry.write.",
        Scope::Delegate => "Acting for another person needs the scope docferry.delegate.",
        Scope::Documents => "This needs a token with the scope docferry.documents.",
        Scope::Service => {
            "This needs the service account, or a token with the scope docferry.service."
        }
    }
}

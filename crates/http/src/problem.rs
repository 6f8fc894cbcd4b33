use axum::response::{IntoResponse, Response};
use docferry_app::TaskError;
use docferry_app::ports::StoreError;
use docferry_contract::job::JobStatus;
use docferry_contract::problem::{FieldError, MEDIA_TYPE, Problem};
use docferry_contract::scope::Scope;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

/// A request that was not done. Becomes a problem document; the request id is
/// put in by the middleware, which knows it.
#[derive(Debug)]
pub enum ApiError {
    /// The body is no JSON, or no object of the contract.
    Invalid(Vec<FieldError>),
    /// The body is not declared as JSON.
    UnsupportedMediaType,
    /// The body is too large.
    TooLarge,
    /// No such thing, or not the caller's.
    NotFound,
    /// It is not kept any more.
    Gone,
    /// It has ended, or cannot be changed as it stands; the text says why.
    Conflict(&'static str),
    /// The job has delivered nothing to fetch, not yet or at all.
    NotCompleted(Box<JobStatus>),
    /// The name of the request was given to another one.
    OtherRequest,
    /// The first request of that name is still being recorded.
    Pending,
    /// It has ended, and is not ready to run again.
    Unsettled,
    /// Too many calls; the next minute begins in so many seconds.
    TooMany {
        /// At least 1.
        seconds: u32,
    },
    /// No new work is taken; what runs goes on.
    Draining,
    /// Asked for rightly, and not built yet; the text says what.
    NotImplemented(&'static str),
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// Nobody is asking: the authorizer did not run.
    Unauthenticated,
    /// The caller lacks this scope.
    Forbidden(Scope),
    /// The service cannot do it now.
    Failed(TaskError),
    /// As [`ApiError::Failed`], where the contract wants a 500.
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
            Self::OtherRequest => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Failed(error) if error.code.is_retryable() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(_) | Self::Broken(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// After how many seconds the same request may succeed.
    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::NotCompleted(job) => job.next_poll_in_ms.map(|ms| ms.div_ceil(1000).max(1)),
            Self::Pending => Some(1),
            Self::Unsettled => Some(5),
            Self::TooMany { seconds } => Some(*seconds),
            Self::Draining => Some(60),
            Self::Failed(error) if error.code.is_retryable() => Some(5),
            _ => None,
        }
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        self.words().0
    }

    /// Code, title and detail.
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
                "There is nothing of that id for this caller. It may have expired.",
            ),
            Self::Gone => (
                "EXPIRED",
                "It has expired",
                "What the job delivered is not kept any more. Ask for it again.",
            ),
            Self::Conflict(detail) => ("CONFLICT", "It cannot be done as things stand", *detail),
            Self::NotCompleted(_) => (
                "NOT_COMPLETED",
                "The job has not completed",
                "There is nothing to fetch; jobStatus and error say how the job stands.",
            ),
            Self::OtherRequest => (
                "REQUEST_NAME_REUSED",
                "The name belongs to another request",
                "A request with this Idempotency-Key asked for something else. Use another key.",
            ),
            Self::Pending => (
                "REQUEST_PENDING",
                "The request is being recorded",
                "The first request with this Idempotency-Key is still being recorded. Send it \
                 again in a moment.",
            ),
            Self::Unsettled => (
                "NOT_SETTLED",
                "It cannot run again yet",
                "What the last run left is still being removed. Try again in a moment.",
            ),
            Self::TooMany { .. } => (
                "RATE_LIMITED",
                "Too many calls",
                "Wait as long as Retry-After says; poll no sooner than nextPollInMs.",
            ),
            Self::Draining => (
                "DRAINING",
                "No new work is taken",
                "The service is being maintained. What runs goes on; ask for new work later.",
            ),
            Self::NotImplemented(detail) => ("NOT_IMPLEMENTED", "Not built yet", *detail),
            Self::MethodNotAllowed => (
                "METHOD_NOT_ALLOWED",
                "Method not allowed",
                "The path does not answer this method; see the API documentation.",
            ),
            Self::Unauthenticated => (
                "UNAUTHENTICATED",
                "Who is asking?",
                "Send the credentials of the service account, or a bearer token.",
            ),
            Self::Forbidden(scope) => ("FORBIDDEN", "Not allowed", lacking(*scope)),
            Self::Failed(error) | Self::Broken(error) => {
                (error.code.as_str(), "The service could not do it", error.code.message())
            }
        }
    }
}

/// Which credentials are taken.
const CHALLENGE: &str = "Basic realm=\"docferry\", Bearer realm=\"docferry\"";

/// What would have to be in the caller's token.
const fn lacking(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "This needs a token with the scope docferry.read.",
        Scope::Write => "This needs a token with the scope docferry.write.",
        Scope::Delegate => "Doing this for somebody else needs the scope docferry.delegate.",
        Scope::Service => {
            "This needs the service account, or a token with the scope docferry.service."
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        if let Self::Failed(error) | Self::Broken(error) = &self {
            // The one place where a failed request is logged.
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
            // As API Gateway says it when the authorizer refuses.
            let kinds = HeaderValue::from_static(CHALLENGE);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, kinds);
        }
        response.extensions_mut().insert(problem);
        response
    }
}

/// The members of a job's status as extension members of a problem. `status` is the HTTP
/// status there (RFC 9457), so the job's own is `jobStatus`.
fn members_of(job: &JobStatus) -> Map<String, Value> {
    let Ok(Value::Object(mut members)) = serde_json::to_value(job) else { return Map::new() };
    if let Some(state) = members.remove("status") {
        members.insert("jobStatus".to_owned(), state);
    }
    members
}

/// Writes the problem with the id of its request.
pub(crate) fn render(mut problem: Problem, request_id: &str) -> axum::body::Body {
    problem.instance = format!("urn:docferry:request:{request_id}");
    problem.request_id = request_id.to_owned();
    serde_json::to_vec(&problem).unwrap_or_default().into()
}

/// The media type of [`render`].
pub(crate) const PROBLEM_TYPE: HeaderValue = HeaderValue::from_static(MEDIA_TYPE);

/// Not found, for routers' fallbacks.
pub(crate) async fn not_found() -> ApiError {
    ApiError::NotFound
}

/// Method not allowed, for routers' fallbacks.
pub(crate) async fn method_not_allowed() -> ApiError {
    ApiError::MethodNotAllowed
}

//! Error responses in the formats of Graph and of its token endpoint.

use std::io;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE};
use serde_json::json;
use uuid::Uuid;

/// A Graph error: `code`, and optionally a more specific code in `innerError`.
#[derive(Debug, Clone)]
pub(crate) struct GraphError {
    status: StatusCode,
    code: String,
    inner: Option<&'static str>,
    message: String,
    /// Whether the response carries a `WWW-Authenticate` header.
    challenge: bool,
}

impl GraphError {
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            inner: None,
            message: message.into(),
            challenge: false,
        }
    }

    /// Adds the more specific code.
    pub(crate) fn inner(mut self, code: &'static str) -> Self {
        self.inner = Some(code);
        self
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalidRequest", message)
    }

    pub(crate) fn item_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "itemNotFound", "The resource could not be found.")
    }

    pub(crate) fn session_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "itemNotFound", "The upload session was not found")
            .inner("uploadSessionNotFound")
    }

    pub(crate) fn name_exists() -> Self {
        let message = "An item with the same name already exists under the parent";
        Self::new(StatusCode::CONFLICT, "nameAlreadyExists", message)
    }

    /// The path already has an open upload session.
    pub(crate) fn upload_in_progress() -> Self {
        let message = "A file with the same name is currently being uploaded";
        Self::new(StatusCode::CONFLICT, "nameAlreadyExists", message)
    }

    pub(crate) fn quota() -> Self {
        let message = "The user has reached their quota limit.";
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "quotaLimitReached", message)
    }

    pub(crate) fn too_large() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "maxFileSizeExceeded", "The file is too large.")
    }

    /// Returns the 401 of Graph itself.
    pub(crate) fn invalid_token() -> Self {
        let message = "Lifetime validation failed, the token is expired, or it is no token.";
        let code = "InvalidAuthenticationToken";
        let error = Self::new(StatusCode::UNAUTHORIZED, code, message);
        Self { challenge: true, ..error }
    }

    /// Returns the 401 of an upload URL.
    pub(crate) fn unauthenticated(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", message)
    }
}

impl From<io::Error> for GraphError {
    fn from(error: io::Error) -> Self {
        let message = format!("the simulator's disk: {error}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "generalException", message)
    }
}

impl IntoResponse for GraphError {
    fn into_response(self) -> Response {
        let request = Uuid::new_v4().to_string();
        let mut inner = json!({
            "date": sim_kit::now().strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            "request-id": request,
            "client-request-id": request,
        });
        if let Some(code) = self.inner {
            inner["code"] = code.into();
        }
        let body = json!({
            "error": { "code": self.code, "message": self.message, "innerError": inner }
        });
        let mut response = sim_kit::json(self.status, &body);
        if let Ok(value) = HeaderValue::from_str(&request) {
            response.headers_mut().insert("request-id", value);
        }
        if self.challenge {
            let value = HeaderValue::from_static(
                "Bearer realm=\"\", authorization_uri=\"https://login.invalid/common/oauth2/authorize\", error=\"invalid_token\"",
            );
            response.headers_mut().insert(WWW_AUTHENTICATE, value);
        }
        response
    }
}

/// Returns a scripted error of Graph. Without `code`, the code that the contract pairs with the
/// status.
pub(crate) fn scripted(status: StatusCode, code: Option<&str>) -> Response {
    let default = match status.as_u16() {
        400 => "invalidRequest",
        401 => "unauthenticated",
        403 => "accessDenied",
        404 => "itemNotFound",
        409 => "nameAlreadyExists",
        412 => "resourceModified",
        416 => "invalidRange",
        423 => "resourceLocked",
        429 | 509 => "activityLimitReached",
        503 => "serviceNotAvailable",
        507 => "quotaLimitReached",
        _ => "generalException",
    };
    GraphError::new(status, code.unwrap_or(default), "A scripted fault.").into_response()
}

/// Returns a scripted error of the token endpoint.
pub(crate) fn scripted_token(status: StatusCode, code: Option<&str>) -> Response {
    let default = match status.as_u16() {
        400 => "invalid_request",
        401 => "invalid_client",
        429 | 500..=599 => "temporarily_unavailable",
        _ => "invalid_grant",
    };
    Refusal::new(status, code.unwrap_or(default), 90_000, "A scripted fault.").into_response()
}

/// An error of the token endpoint, whose JSON has no nested envelope.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    error: String,
    /// Number of the `AADSTS` error.
    number: u32,
    message: &'static str,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, error: &str, number: u32, message: &'static str) -> Self {
        Self { status, error: error.to_owned(), number, message }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (trace, correlation) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
        let Self { status, error, number, message } = self;
        let body = json!({
            "error": error,
            "error_description": format!("AADSTS{number}: {message} Trace ID: {trace}"),
            "error_codes": [number],
            "timestamp": sim_kit::now().strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
            "trace_id": trace,
            "correlation_id": correlation,
        });
        sim_kit::json(status, &body)
    }
}

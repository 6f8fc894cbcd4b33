//! Error responses of the Microsoft Graph simulator.
//!
//! Graph and its token endpoint have different formats of errors: [`GraphError`] and
//! [`TokenError`]. A *fault rule* makes chosen requests fail; [`scripted`] and [`scripted_token`]
//! create the errors that rules demand.

use std::io;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE};
use serde_json::json;
use uuid::Uuid;

/// An error response of Graph, with a `code` and a message.
#[derive(Debug, Clone)]
pub(crate) struct GraphError {
    status: StatusCode,
    code: String,
    /// More specific code, which the response contains in `innerError`.
    inner_code: Option<&'static str>,
    message: String,
    /// Whether the response carries a `WWW-Authenticate` header.
    challenge: bool,
}

impl GraphError {
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            inner_code: None,
            message: message.into(),
            challenge: false,
        }
    }

    /// Adds a more specific code.
    pub(crate) fn with_inner_code(mut self, code: &'static str) -> Self {
        self.inner_code = Some(code);
        self
    }

    /// Returns the 400 for an invalid request.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalidRequest", message)
    }

    pub(crate) fn item_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "itemNotFound", "The resource could not be found.")
    }

    pub(crate) fn session_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "itemNotFound", "The upload session was not found")
            .with_inner_code("uploadSessionNotFound")
    }

    pub(crate) fn name_exists() -> Self {
        let message = "An item with the same name already exists under the parent";
        Self::new(StatusCode::CONFLICT, "nameAlreadyExists", message)
    }

    /// Returns the 409 for a path that already has an open upload session.
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

    /// Returns the 401 for a missing or invalid bearer token.
    pub(crate) fn invalid_token() -> Self {
        let message = "Lifetime validation failed, the token is expired, or it is no token.";
        let code = "InvalidAuthenticationToken";
        let error = Self::new(StatusCode::UNAUTHORIZED, code, message);
        Self { challenge: true, ..error }
    }

    /// Returns the 401 for an upload or download URL whose credential is not valid.
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
        let request_id = Uuid::new_v4().to_string();
        let mut inner = json!({
            "date": sim_kit::now().strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            "request-id": request_id,
            "client-request-id": request_id,
        });
        if let Some(code) = self.inner_code {
            inner["code"] = code.into();
        }
        let body = json!({
            "error": { "code": self.code, "message": self.message, "innerError": inner }
        });
        let mut response = sim_kit::json(self.status, &body);
        if let Ok(value) = HeaderValue::from_str(&request_id) {
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

/// Returns the Graph error that a fault rule demands. If `code` is `None`, the error has the code
/// that Graph documents for the status.
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

/// Returns the error of the token endpoint that a fault rule demands. If `code` is `None`, the
/// error has the OAuth code that matches the status.
pub(crate) fn scripted_token(status: StatusCode, code: Option<&str>) -> Response {
    let default = match status.as_u16() {
        400 => "invalid_request",
        401 => "invalid_client",
        429 | 500..=599 => "temporarily_unavailable",
        _ => "invalid_grant",
    };
    TokenError::new(status, code.unwrap_or(default), 90_000, "A scripted fault.").into_response()
}

/// An error response of the token endpoint. It has the format of OAuth (RFC 6749), in which `error`
/// is a text and not an object.
#[derive(Debug)]
pub(crate) struct TokenError {
    status: StatusCode,
    /// OAuth error code.
    error: String,
    /// Number of the `AADSTS` error.
    number: u32,
    message: &'static str,
}

impl TokenError {
    pub(crate) fn new(status: StatusCode, error: &str, number: u32, message: &'static str) -> Self {
        Self { status, error: error.to_owned(), number, message }
    }
}

impl IntoResponse for TokenError {
    fn into_response(self) -> Response {
        let trace_id = Uuid::new_v4().to_string();
        let correlation_id = Uuid::new_v4().to_string();
        let Self { status, error, number, message } = self;
        let body = json!({
            "error": error,
            "error_description": format!("AADSTS{number}: {message} Trace ID: {trace_id}"),
            "error_codes": [number],
            "timestamp": sim_kit::now().strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
            "trace_id": trace_id,
            "correlation_id": correlation_id,
        });
        sim_kit::json(status, &body)
    }
}

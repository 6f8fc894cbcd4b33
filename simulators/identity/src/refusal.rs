//! OAuth 2.0 error responses (RFC 6749, section 5.2) of the OpenID Connect provider simulator.

use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, WWW_AUTHENTICATE},
};
use serde_json::json;

/// Error response to a rejected request.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// Error code of OAuth.
    pub(crate) code: &'static str,
    /// Description for developers.
    pub(crate) description: &'static str,
}

impl Refusal {
    /// Returns the 400 for an invalid request.
    pub(crate) fn bad_request(code: &'static str, description: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, description }
    }

    /// Returns the 401 for an unknown client or a wrong secret.
    pub(crate) fn invalid_client() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            code: "invalid_client",
            description: "no such client, or a wrong secret",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, code, description } = self;
        let body = json!({ "error": code, "error_description": description });
        let mut response = sim_kit::json(status, &body);
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"tokens\""));
        }
        response
    }
}

/// Returns the error response that a fault rule demands.
pub(crate) fn scripted(status: StatusCode, code: Option<&str>) -> Response {
    sim_kit::json(status, &json!({ "error": code.unwrap_or("server_error") }))
}

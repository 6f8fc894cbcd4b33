//! OAuth 2.0 error responses (RFC 6749, section 5.2) of the OpenID Connect provider simulator.

use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, WWW_AUTHENTICATE},
};
use serde_json::json;

/// A rejected request: status, error code, description for developers.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) StatusCode, pub(crate) &'static str, pub(crate) &'static str);

impl Refusal {
    pub(crate) fn bad(code: &'static str, description: &'static str) -> Self {
        Self(StatusCode::BAD_REQUEST, code, description)
    }

    /// Returns the error for unknown clients and wrong secrets.
    pub(crate) fn client() -> Self {
        Self(StatusCode::UNAUTHORIZED, "invalid_client", "no such client, or a wrong secret")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, code, description) = self;
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

/// Returns the response of a scripted fault.
pub(crate) fn scripted(status: StatusCode, code: Option<&str>) -> Response {
    sim_kit::json(status, &json!({ "error": code.unwrap_or("server_error") }))
}

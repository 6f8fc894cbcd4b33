//! Constructors for the responses of the simulators.

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json as object};

/// Response extension that makes the server break the connection instead of responding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Broken;

/// Returns a response that reaches the client as a broken connection.
#[must_use]
pub fn break_connection() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Broken);
    response
}

/// Returns a JSON response.
#[must_use]
pub fn json(status: StatusCode, value: &Value) -> Response {
    text(status, "application/json", value.to_string())
}

/// Returns a response with any body.
#[must_use]
pub fn text(status: StatusCode, content_type: &str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    if let Ok(value) = HeaderValue::from_str(content_type) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}

/// Returns the 400 response of the admin interface.
#[must_use]
pub fn refuse(message: impl Into<String>) -> Response {
    json(StatusCode::BAD_REQUEST, &object!({ "error": message.into() }))
}

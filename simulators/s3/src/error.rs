//! Error responses of the S3 simulator, in the format of S3.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use uuid::Uuid;

/// An S3 error response.
#[derive(Debug, Clone)]
pub(crate) struct S3Error {
    status: StatusCode,
    code: String,
    /// Whether the body, and with it the code, is omitted, as in responses to HEAD.
    without_body: bool,
}

impl S3Error {
    pub(crate) fn new(status: StatusCode, code: &str) -> Self {
        Self { status, code: code.to_owned(), without_body: false }
    }

    pub(crate) fn no_such_key() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchKey")
    }

    pub(crate) fn without_body(self, without_body: bool) -> Self {
        Self { without_body, ..self }
    }
}

impl IntoResponse for S3Error {
    fn into_response(self) -> Response {
        if self.without_body {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = self.status;
            return response;
        }
        let Self { status, code, .. } = self;
        let request = Uuid::new_v4().simple();
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
             <Message>{code}</Message><RequestId>{request}</RequestId></Error>"
        );
        sim_kit::text(status, "application/xml", body)
    }
}

/// Returns a scripted error. Without `code`, the code that S3 pairs with the status.
pub(crate) fn scripted(status: StatusCode, code: Option<&str>) -> Response {
    let default = match status.as_u16() {
        400 => "InvalidRequest",
        403 => "AccessDenied",
        404 => "NoSuchKey",
        412 => "PreconditionFailed",
        416 => "InvalidRange",
        503 => "SlowDown",
        _ => "InternalError",
    };
    S3Error::new(status, code.unwrap_or(default)).into_response()
}

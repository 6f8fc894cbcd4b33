//! Error responses of the S3 simulator, in the format of S3.
//!
//! Codes: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use uuid::Uuid;

use crate::xml;

/// An S3 error response.
#[derive(Debug, Clone)]
pub(crate) struct S3Error {
    status: StatusCode,
    code: String,
    /// Text for people. Without it, the code.
    message: Option<String>,
    /// Whether the body, and with it the code, is omitted, as in responses to HEAD.
    without_body: bool,
}

impl S3Error {
    pub(crate) fn new(status: StatusCode, code: &str) -> Self {
        Self { status, code: code.to_owned(), message: None, without_body: false }
    }

    pub(crate) fn no_such_key() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchKey").message("The specified key does not exist.")
    }

    pub(crate) fn no_such_upload() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchUpload").message(
            "The specified upload does not exist. The upload ID may be invalid, or the upload may \
             have been aborted or completed.",
        )
    }

    pub(crate) fn precondition_failed() -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed")
            .message("At least one of the pre-conditions you specified did not hold")
    }

    pub(crate) fn not_implemented(message: &str) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented").message(message)
    }

    pub(crate) fn bad_request(code: &str, message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code).message(message)
    }

    pub(crate) fn invalid_request(message: &str) -> Self {
        Self::bad_request("InvalidRequest", message)
    }

    pub(crate) fn invalid_argument(message: &str) -> Self {
        Self::bad_request("InvalidArgument", message)
    }

    fn message(self, message: &str) -> Self {
        Self { message: Some(message.to_owned()), ..self }
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
        let document = document(&self.code, self.message.as_deref());
        xml::response(self.status, &document)
    }
}

/// Returns the document of an error.
pub(crate) fn document(code: &str, message: Option<&str>) -> String {
    let request = Uuid::new_v4().simple();
    format!(
        "<Error><Code>{}</Code><Message>{}</Message><RequestId>{request}</RequestId></Error>",
        xml::escape(code),
        xml::escape(message.unwrap_or(code))
    )
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

//! Translation of failed S3 calls into the errors of the exchange store's port.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use docferry_app::ports::ExchangeError;

use crate::Fault;

/// Error for a failed call on an object. It is chosen by the HTTP status instead of the error code,
/// because the response to a HEAD request has no body that could contain a code.
pub(super) fn object_error<E: ProvideErrorMetadata>(
    call: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> ExchangeError {
    match status(error) {
        Some(404) if error.code() == Some("NoSuchBucket") => unavailable(call, error),
        // Status 416 means that the object ends before the range begins.
        Some(404 | 416) => ExchangeError::Gone,
        Some(412) => ExchangeError::Changed,
        Some(401 | 403) => ExchangeError::Unauthorized,
        _ => unavailable(call, error),
    }
}

/// Returns the HTTP status of the response, if there was one.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Error for a call of the AWS SDK that failed.
pub(super) fn unavailable<E: ProvideErrorMetadata>(
    call: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> ExchangeError {
    ExchangeError::Unavailable(Box::new(Fault::of(call, error)))
}

/// Error for a problem that this adapter detected itself.
pub(super) fn unexpected(call: &'static str, reason: &'static str) -> ExchangeError {
    ExchangeError::Unavailable(Box::new(Fault::new(call, reason)))
}

//! Error for a failed AWS call, which is safe to log. All adapters of this crate convert the errors
//! of the AWS SDK to a [`Fault`].

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// Longest error code or request id that a fault contains, in characters.
const MAX_CODE_LENGTH: usize = 80;

/// Failure of an AWS call. It contains no value of the request, so it is safe to log.
///
/// A fault contains the name of the call, the error code of the service or the kind of transport
/// failure, and the request id, which AWS support asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Service and operation, such as `DynamoDB GetItem`.
    call: &'static str,
    /// Error code or kind of failure, with status and request id if there was a response.
    reason: String,
    kind: FaultKind,
}

/// Meaning of a [`Fault`] for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The service rejected the caller's credentials or permissions.
    Denied,
    /// There was no complete response, or the service is impaired or throttles calls. The same call
    /// may succeed later.
    Unavailable,
    /// The call was invalid, or it is not possible in the current state of the service.
    Other,
}

impl FaultKind {
    /// Error codes with which AWS services deny access.
    const DENIALS: [&str; 9] = [
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    ];

    /// Prefixes of the error codes with which AWS services report throttling.
    const THROTTLING: [&str; 6] = [
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttl",
        "TooManyRequests",
    ];

    /// Classifies an error by its code and the HTTP status. The status is 0 if there was no
    /// response.
    fn of_code(code: Option<&str>, status: u16) -> Self {
        let is_throttling =
            |code: &str| Self::THROTTLING.iter().any(|prefix| code.starts_with(prefix));
        if code.is_some_and(|code| Self::DENIALS.contains(&code)) {
            Self::Denied
        } else if status >= 500 || code.is_some_and(is_throttling) {
            Self::Unavailable
        } else {
            Self::Other
        }
    }
}

impl Fault {
    /// Returns a fault for a problem that the adapter detected itself, of kind
    /// [`FaultKind::Other`].
    pub(crate) fn new(call: &'static str, reason: &'static str) -> Self {
        Self { call, reason: reason.to_owned(), kind: FaultKind::Other }
    }

    /// Returns the meaning of this fault for the caller.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// Converts an error of the AWS SDK.
    ///
    /// The text of the error is dropped, because it may contain a message of the service that
    /// quotes the request.
    pub fn of<E: ProvideErrorMetadata>(
        call: &'static str,
        error: &SdkError<E, HttpResponse>,
    ) -> Self {
        let mut reason = match error {
            SdkError::ConstructionFailure(_) => "the request could not be built".to_owned(),
            SdkError::TimeoutError(_) => "timed out".to_owned(),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => "timed out".to_owned(),
            SdkError::DispatchFailure(_) => "the connection failed".to_owned(),
            SdkError::ResponseError(_) => "the response could not be read".to_owned(),
            SdkError::ServiceError(_) => error.code().map_or("no error code".to_owned(), code_part),
            _ => "unknown".to_owned(),
        };
        let status = error.raw_response().map_or(0, |response| response.status().as_u16());
        let kind = match error {
            SdkError::ServiceError(_) => FaultKind::of_code(error.code(), status),
            SdkError::ConstructionFailure(_) => FaultKind::Other,
            _ => FaultKind::Unavailable,
        };
        if let Some(response) = error.raw_response() {
            reason.push_str(&format!(" (status {status}"));
            let request_id = ["x-amzn-requestid", "x-amz-request-id"]
                .iter()
                .find_map(|name| response.headers().get(name));
            if let Some(id) = request_id {
                reason.push_str(&format!(", request {}", code_part(id)));
            }
            reason.push(')');
        }
        Self { call, reason, kind }
    }

    /// Returns a fault for an error code that is contained in a response, such as the
    /// cancellation reason of a transaction.
    pub(crate) fn with_code(call: &'static str, code: &str) -> Self {
        Self { call, reason: code_part(code), kind: FaultKind::of_code(Some(code), 0) }
    }
}

/// Returns the leading part of `code` that looks like an error code or a request id, with at most
/// [`MAX_CODE_LENGTH`] characters. Other text is cut off, because it could quote values of the
/// request.
fn code_part(code: &str) -> String {
    let is_code =
        |character: &char| character.is_ascii_alphanumeric() || "._:-".contains(*character);
    code.chars().take_while(is_code).take(MAX_CODE_LENGTH).collect()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.reason)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denied_access_is_distinguished_from_temporary_errors() {
        let kind = FaultKind::of_code;
        assert_eq!(kind(Some("AccessDeniedException"), 400), FaultKind::Denied);
        for code in ["ThrottlingException", "ThrottlingError", "ProvisionedThroughputExceeded"] {
            assert_eq!(kind(Some(code), 400), FaultKind::Unavailable, "{code}");
        }
        assert_eq!(kind(Some("InternalServerError"), 500), FaultKind::Unavailable);
        assert_eq!(kind(Some("ValidationError"), 400), FaultKind::Other);
        assert_eq!(kind(None, 400), FaultKind::Other);
    }

    #[test]
    fn free_text_after_an_error_code_is_cut_off() {
        assert_eq!(code_part("ThrottlingException"), "ThrottlingException");
        assert_eq!(code_part("Bad value: ada@court.example"), "Bad");
        assert_eq!(code_part(&"x".repeat(200)).len(), 80);
    }
}

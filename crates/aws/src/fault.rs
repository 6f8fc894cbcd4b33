use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A call that failed, told without any value that went into it: the call, the
/// service's error code or the kind of break, and the request id for its support.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    call: &'static str,
    reason: String,
    kind: FaultKind,
}

/// What a fault means for whoever made the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The credentials or rights of the caller were refused.
    Denied,
    /// No whole answer came, or the service ails: the same call may succeed later.
    Unavailable,
    /// Anything else: the call itself was wrong, or is not possible now.
    Other,
}

impl FaultKind {
    /// The codes in which AWS's services say that a caller may not.
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

    /// How the codes begin in which AWS's services say that there were too many calls.
    const THROTTLING: [&str; 6] = [
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttl",
        "TooManyRequests",
    ];

    fn of_code(code: Option<&str>, status: u16) -> Self {
        let throttles = |code: &str| Self::THROTTLING.iter().any(|begin| code.starts_with(begin));
        if code.is_some_and(|code| Self::DENIALS.contains(&code)) {
            Self::Denied
        } else if status >= 500 || code.is_some_and(throttles) {
            Self::Unavailable
        } else {
            Self::Other
        }
    }
}

impl Fault {
    /// A fault that we found ourselves.
    pub(crate) fn new(call: &'static str, reason: &'static str) -> Self {
        Self { call, reason: reason.to_owned(), kind: FaultKind::Other }
    }

    /// What it means for whoever made the call.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// What the SDK gave up on. Its own text is not kept: it may hold messages of
    /// the service that quote what was sent.
    pub fn of<E: ProvideErrorMetadata>(
        call: &'static str,
        error: &SdkError<E, HttpResponse>,
    ) -> Self {
        let mut reason = match error {
            SdkError::ConstructionFailure(_) => "the request could not be built".to_owned(),
            SdkError::TimeoutError(_) => "timed out".to_owned(),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => "timed out".to_owned(),
            SdkError::DispatchFailure(_) => "the connection failed".to_owned(),
            SdkError::ResponseError(_) => "the answer could not be read".to_owned(),
            SdkError::ServiceError(_) => error.code().map_or("no error code".to_owned(), plain),
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
            let id = ["x-amzn-requestid", "x-amz-request-id"]
                .iter()
                .find_map(|name| response.headers().get(name));
            if let Some(id) = id {
                reason.push_str(&format!(", request {}", plain(id)));
            }
            reason.push(')');
        }
        Self { call, reason, kind }
    }

    /// The same from an error code that stands inside an answer.
    pub(crate) fn with_code(call: &'static str, code: &str) -> Self {
        Self { call, reason: plain(code), kind: FaultKind::of_code(Some(code), 0) }
    }
}

/// Codes and request ids are words; whatever is more than a word is cut off.
fn plain(code: &str) -> String {
    code.chars().take_while(|c| c.is_ascii_alphanumeric() || "._:-".contains(*c)).take(80).collect()
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
    fn rights_are_told_from_what_may_pass() {
        let of = FaultKind::of_code;
        assert_eq!(of(Some("AccessDeniedException"), 400), FaultKind::Denied);
        for code in ["ThrottlingException", "ThrottlingError", "ProvisionedThroughputExceeded"] {
            assert_eq!(of(Some(code), 400), FaultKind::Unavailable, "{code}");
        }
        assert_eq!(of(Some("InternalServerError"), 500), FaultKind::Unavailable);
        assert_eq!(of(Some("ValidationError"), 400), FaultKind::Other);
        assert_eq!(of(None, 400), FaultKind::Other);
    }

    #[test]
    fn a_code_that_carries_more_than_a_word_is_cut() {
        assert_eq!(plain("ThrottlingException"), "ThrottlingException");
        assert_eq!(plain("Bad value: ada@court.example"), "Bad");
        assert_eq!(plain(&"x".repeat(200)).len(), 80);
    }
}

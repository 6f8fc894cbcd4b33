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
}

impl Fault {
    /// A fault that we found ourselves.
    pub(crate) fn new(call: &'static str, reason: &'static str) -> Self {
        Self { call, reason: reason.to_owned() }
    }

    /// What the SDK gave up on. Its own text is not kept: it may hold messages of
    /// the service that quote what was sent.
    pub(crate) fn of<E: ProvideErrorMetadata>(
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
        if let Some(response) = error.raw_response() {
            reason.push_str(&format!(" (status {}", response.status().as_u16()));
            let id = ["x-amzn-requestid", "x-amz-request-id"]
                .iter()
                .find_map(|name| response.headers().get(name));
            if let Some(id) = id {
                reason.push_str(&format!(", request {}", plain(id)));
            }
            reason.push(')');
        }
        Self { call, reason }
    }

    /// The same from an error code that stands inside an answer.
    pub(crate) fn with_code(call: &'static str, code: &str) -> Self {
        Self { call, reason: plain(code) }
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
    fn a_code_that_carries_more_than_a_word_is_cut() {
        assert_eq!(plain("ThrottlingException"), "ThrottlingException");
        assert_eq!(plain("Bad value: ada@court.example"), "Bad");
        assert_eq!(plain(&"x".repeat(200)).len(), 80);
    }
}

use std::fmt;

use docferry_app::TaskError;
use lambda_runtime::Diagnostic;

/// A failed step as the state machine sees it.
///
/// Name and text come from the failure code alone: what a service said stays in
/// the function's log, because execution histories are read by many.
pub struct StepFailure(pub TaskError);

/// The runtime prints a failure's `Debug` into the log, and an SDK error's holds
/// headers and bodies.
impl fmt::Debug for StepFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code.as_str())
    }
}

impl From<StepFailure> for Diagnostic {
    fn from(StepFailure(error): StepFailure) -> Self {
        Self {
            error_type: error.code.as_str().to_owned(),
            error_message: error.code.message().to_owned(),
        }
    }
}

/// The chain of causes in one line.
pub(crate) fn causes(error: &TaskError) -> String {
    let mut text = String::new();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use docferry_app::ports::SourceError;
    use docferry_domain::FailureCode;

    #[test]
    fn the_state_machine_sees_the_code_and_its_fixed_text_only() {
        let secret = SourceError::Unavailable("https://ords.example/?app_password=x".into());
        let error = TaskError::from(secret);
        assert!(causes(&error).contains("did not answer"));
        let failure = StepFailure(error);
        assert_eq!(format!("{failure:?}"), "SOURCE_UNAVAILABLE");
        let diagnostic = Diagnostic::from(failure);
        assert_eq!(diagnostic.error_type, "SOURCE_UNAVAILABLE");
        assert_eq!(diagnostic.error_message, FailureCode::SourceUnavailable.message());
    }
}

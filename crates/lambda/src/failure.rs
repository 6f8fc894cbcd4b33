//! Errors that workflow steps return to Step Functions, which runs the workflow.

use std::fmt;

use docferry_app::{RetryReason, TaskError};
use docferry_contract::task::RETRY_LATER;
use lambda_runtime::Diagnostic;

/// Error that a workflow step returns to the state machine.
///
/// Its name and message depend only on the failure code. Messages of outside systems stay in the
/// log of the function, because more people can read execution histories than logs.
pub enum StepFailure {
    /// The step failed.
    Failed(TaskError),
    /// The step cannot do its work yet.
    RetryLater(RetryReason),
}

impl StepFailure {
    fn name(&self) -> &'static str {
        match self {
            Self::Failed(error) => error.code.as_str(),
            Self::RetryLater(_) => RETRY_LATER,
        }
    }
}

/// Prints only the name. The runtime logs the `Debug` output of a failure, and the `Debug` output
/// of an SDK error contains headers and bodies.
impl fmt::Debug for StepFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<StepFailure> for Diagnostic {
    fn from(failure: StepFailure) -> Self {
        let message = match &failure {
            StepFailure::Failed(error) => error.code.message(),
            StepFailure::RetryLater(reason) => reason.as_str(),
        };
        Self { error_type: failure.name().to_owned(), error_message: message.to_owned() }
    }
}

/// Joins the causes of an error into one line, the direct cause first.
pub(crate) fn cause_chain(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut next = error.source();
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
    use docferry_domain::failure::FailureCode;

    #[test]
    fn state_machine_sees_only_the_failure_code_and_its_text() {
        let error_with_secret =
            SourceError::Unavailable("https://ords.example/?app_password=x".into());
        let error = TaskError::from(error_with_secret);
        assert!(cause_chain(&error).contains("did not answer"));

        let failure = StepFailure::Failed(error);
        assert_eq!(format!("{failure:?}"), "SOURCE_UNAVAILABLE");
        let diagnostic = Diagnostic::from(failure);
        assert_eq!(diagnostic.error_type, "SOURCE_UNAVAILABLE");
        assert_eq!(diagnostic.error_message, FailureCode::SourceUnavailable.message());
    }

    #[test]
    fn retry_later_has_its_own_error_name() {
        let diagnostic = Diagnostic::from(StepFailure::RetryLater(RetryReason::PutInFlight));
        assert_eq!(diagnostic.error_type, "RETRY_LATER");
        assert_eq!(diagnostic.error_message, "PUT_IN_FLIGHT");
        assert!(diagnostic.error_type.parse::<FailureCode>().is_err());
    }
}

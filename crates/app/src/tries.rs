//! Tries of a step: what a failure that may pass leaves in the record.

use std::future::Future;

use docferry_domain::{FailureCode, Step, TransientError};

use crate::ports::{Clock, TransferStore, WriteError};
use crate::{TaskError, TaskInput};

/// Runs one try of a step, and records it when it fails and is tried again.
///
/// That is one conditional write a failed try and none after a success. A record that
/// cannot be written changes nothing for the step.
///
/// # Errors
/// Those of `work`.
pub async fn recorded<T>(
    store: &impl TransferStore,
    clock: &impl Clock,
    task: &TaskInput,
    step: Step,
    work: impl Future<Output = Result<T, TaskError>>,
) -> Result<T, TaskError> {
    // A step is a large future; here it is moved no more.
    let outcome = Box::pin(work).await;
    if let Err(TaskError { code, .. }) = &outcome
        && is_tried_again(*code)
    {
        let error = TransientError { code: *code, at: clock.now() };
        match store.record_failed_try(&task.transfer_id, task.attempt, step, &error).await {
            // Ended meanwhile: there is no other try.
            Ok(()) | Err(WriteError::Ended) => {}
            Err(unrecorded) => tracing::warn!(
                transfer.id = task.transfer_id.as_str(),
                error.cause = unrecorded.to_string(),
                "failed try not recorded"
            ),
        }
    }
    outcome
}

/// A step that gave way to another run of itself did not fail.
fn is_tried_again(code: FailureCode) -> bool {
    code.is_retryable() && code != FailureCode::Superseded
}

//! Tries of a workflow step. A failed try that the workflow repeats is recorded in the transfer, so
//! that status requests can show it.

use std::future::Future;

use docferry_domain::failure::FailureCode;
use docferry_domain::transfer::{Step, TransientError};

use crate::ports::{Clock, TransferStore, WriteError};
use crate::{TaskError, TaskInput};

/// Runs one try of a step, and records a failure after which the step is retried.
///
/// This costs one conditional write for each failed try, and none after a success. A failure to
/// write the record does not affect the step.
pub async fn recorded<T>(
    store: &impl TransferStore,
    clock: &impl Clock,
    task: &TaskInput,
    step: Step,
    step_run: impl Future<Output = Result<T, TaskError>>,
) -> Result<T, TaskError> {
    // The future of a step is large. Boxing avoids moving it.
    let outcome = Box::pin(step_run).await;
    if let Err(TaskError { code, .. }) = &outcome
        && is_tried_again(*code)
    {
        let error = TransientError { code: *code, at: clock.now() };
        match store.record_failed_try(&task.transfer_id, task.execution_number, step, &error).await
        {
            // The transfer has ended meanwhile, so there is no further try.
            Ok(()) | Err(WriteError::Ended) => {}
            Err(store_error) => tracing::warn!(
                transfer.id = task.transfer_id.as_str(),
                error.cause = store_error.to_string(),
                "failed try not recorded"
            ),
        }
    }
    outcome
}

/// Returns whether the workflow retries the step after this code. A superseded step did not fail,
/// because another invocation continues its work.
fn is_tried_again(code: FailureCode) -> bool {
    code.is_retryable() && code != FailureCode::Superseded
}

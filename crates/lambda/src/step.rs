//! Event loops of workflow steps and of scheduled functions.

use std::future::Future;

use docferry_app::delivery::upload::Progress;
use docferry_app::ports::Clock as _;
use docferry_app::source::poll::Arrival;
use docferry_app::{RetryReason, StepOutcome, TaskError, TaskInput, trace};
use docferry_contract::task::{DEFINITION, PollOutput, PushOutput, UploadOutput};
use docferry_domain::failure::FailureCode;
use docferry_domain::trace::TraceParent;
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Context, Error, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::cause_chain;
use crate::{StepFailure, SystemClock};

/// Time before the deadline at which a scheduled run stops taking new work. It is enough to finish
/// one transfer that was begun before.
const SCHEDULE_MARGIN: SignedDuration = SignedDuration::from_secs(20);

/// Input of a workflow step.
pub trait About {
    /// Returns the transfer and the number of its execution.
    fn about(&self) -> TaskInput;

    /// Returns the version of the workflow definition that calls the step.
    fn definition(&self) -> u32;
}

impl About for docferry_contract::task::TaskInput {
    fn about(&self) -> TaskInput {
        TaskInput { transfer_id: self.transfer_id.clone(), execution_number: self.execution_number }
    }

    fn definition(&self) -> u32 {
        self.definition
    }
}

impl About for docferry_contract::task::FinalizeInput {
    fn about(&self) -> TaskInput {
        TaskInput { transfer_id: self.transfer_id.clone(), execution_number: self.execution_number }
    }

    fn definition(&self) -> u32 {
        self.definition
    }
}

/// One invocation of a workflow step.
#[derive(Debug)]
pub struct Invocation<I> {
    /// Input of the step.
    pub input: I,
    /// Transfer that the step works on, and the number of its execution.
    pub task: TaskInput,
    /// Time at which Lambda ends the process.
    pub deadline: Timestamp,
}

/// Serves a workflow step. Each invocation writes one log line. Failures get the error names that
/// the state machine knows.
///
/// [`StepOutcome::RetryLater`] is not a failure. The state machine sees it as the error name
/// `RETRY_LATER`. An execution of an older definition, which does not know that name, gets a
/// retryable failure code instead.
///
/// # Errors
/// Only errors of the Lambda runtime itself.
pub async fn run_step<I, O, F, Fut>(step: &'static str, handler: F) -> Result<(), Error>
where
    I: DeserializeOwned + About,
    O: Serialize,
    F: Fn(Invocation<I>) -> Fut,
    Fut: Future<Output = Result<StepOutcome<O>, TaskError>>,
{
    let handler = &handler;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let began_at = SystemClock.now();
        // Parsed here instead of by the runtime, whose parse error would quote the input.
        let Ok(input) = I::deserialize(event.payload) else {
            tracing::error!(step, "invalid step input");
            return Err(StepFailure::Failed(FailureCode::Internal.into()));
        };
        let (task, definition) = (input.about(), input.definition());
        let deadline = deadline(&event.context);
        let invocation = Invocation { input, task: task.clone(), deadline };
        let work = async {
            let outcome = handler(invocation).await;
            log(step, &event.context.request_id, &task, began_at, &outcome);
            outcome
        };
        result(trace::within(None, work).await, definition)
    }))
    .await
}

/// Serves a function that runs on a schedule. The event of the schedule is ignored. The handler
/// gets the time at which it should stop.
///
/// # Errors
/// Only errors of the Lambda runtime itself.
pub async fn run_schedule<F, Fut>(handler: F) -> Result<(), Error>
where
    F: Fn(Timestamp) -> Fut,
    Fut: Future<Output = Result<(), TaskError>>,
{
    let handler = &handler;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let stop_at = deadline(&event.context);
        let stop_at = stop_at.checked_sub(SCHEDULE_MARGIN).unwrap_or(stop_at);
        trace::within(None, handler(stop_at)).await.map_err(|error| {
            tracing::error!(
                error.code = error.code.as_str(),
                error.cause = cause_chain(&error),
                "scheduled run failed"
            );
            StepFailure::Failed(error)
        })
    }))
    .await
}

/// Returns the result of a step in the form that an execution of this definition understands.
fn result<O>(
    outcome: Result<StepOutcome<O>, TaskError>,
    definition: u32,
) -> Result<O, StepFailure> {
    match outcome {
        Ok(StepOutcome::Done(output)) => Ok(output),
        Ok(StepOutcome::RetryLater { reason }) if definition >= DEFINITION => {
            Err(StepFailure::RetryLater(reason))
        }
        Ok(StepOutcome::RetryLater { reason }) => {
            Err(StepFailure::Failed(reason.legacy_code().into()))
        }
        Err(error) => Err(StepFailure::Failed(error)),
    }
}

/// Returns the output of `push`. If the exchange key is in use, `poll` waits for it. In an older
/// definition `poll` cannot go back to `push`, so there the push itself is retried.
pub fn push_output(outcome: StepOutcome<()>, definition: u32) -> StepOutcome<PushOutput> {
    match outcome {
        StepOutcome::RetryLater { .. } if definition < DEFINITION => {
            outcome.map(|()| PushOutput {})
        }
        _ => StepOutcome::Done(PushOutput {}),
    }
}

/// Returns the output of `poll`.
///
/// # Errors
/// [`FailureCode::SourceChanged`] if the source has to push again and the execution is of an older
/// definition, which cannot go back to `push`.
pub fn poll_output(
    arrival: Arrival,
    definition: u32,
) -> Result<StepOutcome<PollOutput>, TaskError> {
    let wait = PollOutput { arrived: false, wait_seconds: 0, pool: None, push_again: false };
    Ok(StepOutcome::Done(match arrival {
        Arrival::Arrived(pool) => PollOutput { arrived: true, pool: Some(pool), ..wait },
        Arrival::Wait { seconds } => PollOutput { wait_seconds: seconds, ..wait },
        Arrival::PushAgain if definition >= DEFINITION => PollOutput { push_again: true, ..wait },
        Arrival::PushAgain => return Err(FailureCode::SourceChanged.into()),
    }))
}

/// Returns the output of a step that moves bytes (`upload` or `publish`).
///
/// # Errors
/// [`FailureCode::SourceChanged`] if the arrival has to be polled for again and the execution is of
/// an older definition, which cannot go back to `poll`.
pub fn upload_output(
    progress: Progress,
    definition: u32,
) -> Result<StepOutcome<UploadOutput>, TaskError> {
    let unfinished = UploadOutput { done: false, wait_seconds: 0, source_lost: false };
    Ok(StepOutcome::Done(match progress {
        Progress::Done => UploadOutput { done: true, ..unfinished },
        Progress::Continue => unfinished,
        Progress::Wait { seconds } => UploadOutput { wait_seconds: seconds, ..unfinished },
        Progress::SourceLost if definition >= DEFINITION => {
            UploadOutput { source_lost: true, ..unfinished }
        }
        Progress::SourceLost => return Err(FailureCode::SourceChanged.into()),
    }))
}

/// Returns the time at which Lambda ends the process.
pub(crate) fn deadline(context: &Context) -> Timestamp {
    i64::try_from(context.deadline)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or(Timestamp::MAX)
}

/// Writes the log line of an invocation.
fn log(
    step: &str,
    request_id: &str,
    task: &TaskInput,
    began_at: Timestamp,
    outcome: &Result<StepOutcome<impl Sized>, TaskError>,
) {
    let duration_ms = SystemClock.now().duration_since(began_at).as_millis();
    let duration_ms = u64::try_from(duration_ms).unwrap_or_default();
    let (id, execution_number) = (task.transfer_id.as_str(), task.execution_number);
    let trace = trace::current();
    let trace = trace.as_ref().map(TraceParent::trace_id);
    match outcome {
        Ok(StepOutcome::Done(_)) => tracing::info!(
            step,
            request.id = request_id,
            transfer.id = id,
            transfer.attempt = execution_number,
            trace.id = trace,
            duration_ms,
            "step done"
        ),
        Ok(StepOutcome::RetryLater { reason }) => tracing::info!(
            step,
            request.id = request_id,
            transfer.id = id,
            transfer.attempt = execution_number,
            trace.id = trace,
            duration_ms,
            retry.reason = RetryReason::as_str(*reason),
            "step will be retried later"
        ),
        Err(error) => tracing::warn!(
            step,
            request.id = request_id,
            transfer.id = id,
            transfer.attempt = execution_number,
            trace.id = trace,
            duration_ms,
            error.code = error.code.as_str(),
            error.cause = cause_chain(error),
            "step failed"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_of_an_old_definition_get_a_known_failure_code() {
        for reason in RetryReason::ALL.iter().copied() {
            let outcome = || Ok(StepOutcome::<()>::RetryLater { reason });
            let new = result(outcome(), DEFINITION).unwrap_err();
            assert_eq!(format!("{new:?}"), "RETRY_LATER");
            let old = result(outcome(), 1).unwrap_err();
            assert_eq!(format!("{old:?}"), reason.legacy_code().as_str());
        }
    }

    #[test]
    fn only_executions_of_the_new_definition_go_back_to_earlier_steps() {
        let key_held = StepOutcome::RetryLater { reason: RetryReason::ExchangeKeyHeld };
        assert!(push_output(key_held, DEFINITION).done().is_ok(), "poll waits for the key");
        assert!(push_output(key_held, 1).done().is_err());
        let push_again = poll_output(Arrival::PushAgain, DEFINITION).unwrap().done().unwrap();
        assert!(push_again.push_again && !push_again.arrived);
        let old = poll_output(Arrival::PushAgain, 1).unwrap_err();
        assert_eq!(old.code, FailureCode::SourceChanged);
        let lost = upload_output(Progress::SourceLost, DEFINITION).unwrap().done().unwrap();
        assert!(lost.source_lost && !lost.done);
        let old = upload_output(Progress::SourceLost, 1).unwrap_err();
        assert_eq!(old.code, FailureCode::SourceChanged);
    }
}

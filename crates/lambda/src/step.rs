//! Event loops of the Lambda functions that are workflow steps or run on a schedule.
//!
//! The workflow is a Step Functions state machine with one execution per run of a transfer. After
//! a deployment, some executions still use an older version of the workflow definition, and they
//! understand only the results that their definition knows. This module therefore translates each
//! result into the form of the execution's definition.

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

/// Time before the deadline at which a scheduled run stops taking new work. The margin is long
/// enough to finish the transfer that the run is working on.
const SCHEDULE_MARGIN: SignedDuration = SignedDuration::from_secs(20);

/// Input of a workflow step.
pub trait StepInput {
    /// Returns the transfer and the number of its execution.
    fn task(&self) -> TaskInput;

    /// Returns the version of the workflow definition that calls the step.
    fn definition(&self) -> u32;
}

impl StepInput for docferry_contract::task::TaskInput {
    fn task(&self) -> TaskInput {
        TaskInput { transfer_id: self.transfer_id.clone(), execution_number: self.execution_number }
    }

    fn definition(&self) -> u32 {
        self.definition
    }
}

impl StepInput for docferry_contract::task::FinalizeInput {
    fn task(&self) -> TaskInput {
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

/// Serves a workflow step. Each invocation writes one log line. A failure is returned to the state
/// machine under an error name that the state machine knows.
///
/// [`StepOutcome::RetryLater`] is not a failure, but the state machine sees it as the error name
/// `RETRY_LATER`. An execution of an older definition does not know that name. It gets a retryable
/// failure code instead.
///
/// # Errors
/// Only errors of the Lambda runtime itself.
pub async fn run_step<I, O, F, Fut>(step: &'static str, handler: F) -> Result<(), Error>
where
    I: DeserializeOwned + StepInput,
    O: Serialize,
    F: Fn(Invocation<I>) -> Fut,
    Fut: Future<Output = Result<StepOutcome<O>, TaskError>>,
{
    let handler = &handler;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let started_at = SystemClock.now();
        // The input is parsed here, because the runtime's own parse error would quote the input.
        let Ok(input) = I::deserialize(event.payload) else {
            tracing::error!(step, "invalid step input");
            return Err(StepFailure::Failed(FailureCode::Internal.into()));
        };
        let (task, definition) = (input.task(), input.definition());
        let deadline = deadline(&event.context);
        let invocation = Invocation { input, task: task.clone(), deadline };
        let run_and_log = async {
            let outcome = handler(invocation).await;
            log_outcome(step, &event.context.request_id, &task, started_at, &outcome);
            outcome
        };
        step_result(trace::within(None, run_and_log).await, definition)
    }))
    .await
}

/// Serves a function that runs on a schedule. The content of the schedule's event is ignored. The
/// handler gets the time at which it should stop taking new work.
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

/// Translates the outcome of a step into the result that an execution of this definition version
/// understands.
fn step_result<O>(
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

/// Returns the output of the step `push`.
///
/// If another transfer uses the exchange key, `push` succeeds and the next step `poll` waits for
/// the key. In an older definition `poll` cannot go back to `push`, so an execution of an older
/// definition retries `push` itself.
pub fn push_output(outcome: StepOutcome<()>, definition: u32) -> StepOutcome<PushOutput> {
    match outcome {
        StepOutcome::RetryLater { .. } if definition < DEFINITION => {
            outcome.map(|()| PushOutput {})
        }
        _ => StepOutcome::Done(PushOutput {}),
    }
}

/// Returns the output of the step `poll`.
///
/// # Errors
/// [`FailureCode::SourceChanged`] if the source has to push the document again, but the execution
/// uses an older definition that cannot go back to `push`.
pub fn poll_output(
    arrival: Arrival,
    definition: u32,
) -> Result<StepOutcome<PollOutput>, TaskError> {
    let not_arrived = PollOutput { arrived: false, wait_seconds: 0, pool: None, push_again: false };
    Ok(StepOutcome::Done(match arrival {
        Arrival::Arrived(pool) => PollOutput { arrived: true, pool: Some(pool), ..not_arrived },
        Arrival::Wait { seconds } => PollOutput { wait_seconds: seconds, ..not_arrived },
        Arrival::PushAgain if definition >= DEFINITION => {
            PollOutput { push_again: true, ..not_arrived }
        }
        Arrival::PushAgain => return Err(FailureCode::SourceChanged.into()),
    }))
}

/// Returns the output of a step that moves bytes (`upload` or `publish`).
///
/// # Errors
/// [`FailureCode::SourceChanged`] if the workflow has to poll for the document again, but the
/// execution uses an older definition that cannot go back to `poll`.
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
fn log_outcome(
    step: &str,
    request_id: &str,
    task: &TaskInput,
    started_at: Timestamp,
    outcome: &Result<StepOutcome<impl Sized>, TaskError>,
) {
    let duration_ms = SystemClock.now().duration_since(started_at).as_millis();
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

    /// Version of the workflow definition in release 0.1.0.
    const OLD_DEFINITION: u32 = 1;

    #[test]
    fn executions_of_an_old_definition_get_a_known_failure_code() {
        for reason in RetryReason::ALL.iter().copied() {
            let outcome = || Ok(StepOutcome::<()>::RetryLater { reason });
            let current_error = step_result(outcome(), DEFINITION).unwrap_err();
            assert_eq!(format!("{current_error:?}"), "RETRY_LATER");

            let old_error = step_result(outcome(), OLD_DEFINITION).unwrap_err();
            assert_eq!(format!("{old_error:?}"), reason.legacy_code().as_str());
        }
    }

    #[test]
    fn only_executions_of_the_new_definition_go_back_to_earlier_steps() {
        let key_held = StepOutcome::RetryLater { reason: RetryReason::ExchangeKeyHeld };
        assert!(push_output(key_held, DEFINITION).done().is_ok(), "poll waits for the key");
        assert!(push_output(key_held, OLD_DEFINITION).done().is_err(), "push is retried");

        let push_again = poll_output(Arrival::PushAgain, DEFINITION).unwrap().done().unwrap();
        assert!(push_again.push_again && !push_again.arrived);
        let old_error = poll_output(Arrival::PushAgain, OLD_DEFINITION).unwrap_err();
        assert_eq!(old_error.code, FailureCode::SourceChanged);

        let lost = upload_output(Progress::SourceLost, DEFINITION).unwrap().done().unwrap();
        assert!(lost.source_lost && !lost.done);
        let old_error = upload_output(Progress::SourceLost, OLD_DEFINITION).unwrap_err();
        assert_eq!(old_error.code, FailureCode::SourceChanged);
    }
}

use std::future::Future;

use docferry_app::poll::Arrival;
use docferry_app::ports::Clock as _;
use docferry_app::upload::Progress;
use docferry_app::{RetryReason, StepOutcome, TaskError, TaskInput, trace};
use docferry_contract::task::{DEFINITION, PollOutput, PushOutput, UploadOutput};
use docferry_domain::{FailureCode, TraceParent};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Context, Error, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::causes;
use crate::{StepFailure, SystemClock};

/// Enough for one transfer that was begun before the end of the time.
const SCHEDULE_MARGIN: SignedDuration = SignedDuration::from_secs(20);

/// Names the transfer that an input is about.
pub trait About {
    /// The transfer and attempt.
    fn about(&self) -> TaskInput;

    /// The version of the workflow's definition that calls the step.
    fn definition(&self) -> u32;
}

impl About for docferry_contract::task::TaskInput {
    fn about(&self) -> TaskInput {
        TaskInput { transfer_id: self.transfer_id.clone(), attempt: self.attempt }
    }

    fn definition(&self) -> u32 {
        self.definition
    }
}

impl About for docferry_contract::task::FinalizeInput {
    fn about(&self) -> TaskInput {
        TaskInput { transfer_id: self.transfer_id.clone(), attempt: self.attempt }
    }

    fn definition(&self) -> u32 {
        self.definition
    }
}

/// One invocation of a workflow step.
#[derive(Debug)]
pub struct Invocation<I> {
    /// The input as sent.
    pub input: I,
    /// The transfer and attempt that it is about.
    pub task: TaskInput,
    /// When Lambda ends the process.
    pub deadline: Timestamp,
}

/// Serves a workflow step: one log line per invocation, failures named for the state
/// machine.
///
/// A [`StepOutcome::RetryLater`] is no failure. It reaches the state machine as the error
/// name `RETRY_LATER`; an execution of an older definition gets the retryable failure
/// code that it knows instead.
///
/// # Errors
/// Only the runtime's own.
pub async fn run_step<I, O, F, Fut>(step: &'static str, handler: F) -> Result<(), Error>
where
    I: DeserializeOwned + About,
    O: Serialize,
    F: Fn(Invocation<I>) -> Fut,
    Fut: Future<Output = Result<StepOutcome<O>, TaskError>>,
{
    let handler = &handler;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let began = SystemClock.now();
        // Read here and not by the runtime, whose error would quote the input.
        let Ok(input) = I::deserialize(event.payload) else {
            tracing::error!(step, "the input is not of this step");
            return Err(StepFailure::Failed(FailureCode::Internal.into()));
        };
        let (task, definition) = (input.about(), input.definition());
        let deadline = deadline(&event.context);
        let invocation = Invocation { input, task: task.clone(), deadline };
        let work = async {
            let outcome = handler(invocation).await;
            log(step, &event.context.request_id, &task, began, &outcome);
            outcome
        };
        result(trace::within(None, work).await, definition)
    }))
    .await
}

/// Serves a function that runs on a schedule; what the schedule sends is not
/// looked at. The handler is given the time at which it should stop.
///
/// # Errors
/// Only the runtime's own.
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
                error.cause = causes(&error),
                "scheduled run failed"
            );
            StepFailure::Failed(error)
        })
    }))
    .await
}

/// The result of a step as an execution of this definition understands it.
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

/// The output of `push`. While an exchange key is in use, `poll` waits for it; an
/// execution of an older definition, whose `poll` cannot go back, retries the push.
pub fn push_output(outcome: StepOutcome<()>, definition: u32) -> StepOutcome<PushOutput> {
    match outcome {
        StepOutcome::RetryLater { .. } if definition < DEFINITION => {
            outcome.map(|()| PushOutput {})
        }
        _ => StepOutcome::Done(PushOutput {}),
    }
}

/// The output of `poll`.
///
/// # Errors
/// [`FailureCode::SourceChanged`] when the source has to push once more and the execution
/// is of an older definition, which cannot go back.
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

/// The output of a step that moves bytes.
///
/// # Errors
/// [`FailureCode::SourceChanged`] when the arrival has to be looked for again and the
/// execution is of an older definition, which cannot go back.
pub fn upload_output(
    progress: Progress,
    definition: u32,
) -> Result<StepOutcome<UploadOutput>, TaskError> {
    let again = UploadOutput { done: false, wait_seconds: 0, source_lost: false };
    Ok(StepOutcome::Done(match progress {
        Progress::Done => UploadOutput { done: true, ..again },
        Progress::Continue => again,
        Progress::Wait { seconds } => UploadOutput { wait_seconds: seconds, ..again },
        Progress::SourceLost if definition >= DEFINITION => {
            UploadOutput { source_lost: true, ..again }
        }
        Progress::SourceLost => return Err(FailureCode::SourceChanged.into()),
    }))
}

pub(crate) fn deadline(context: &Context) -> Timestamp {
    i64::try_from(context.deadline)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or(Timestamp::MAX)
}

fn log(
    step: &str,
    request_id: &str,
    task: &TaskInput,
    began: Timestamp,
    outcome: &Result<StepOutcome<impl Sized>, TaskError>,
) {
    let duration_ms = SystemClock.now().duration_since(began).as_millis();
    let duration_ms = u64::try_from(duration_ms).unwrap_or_default();
    let (id, attempt) = (task.transfer_id.as_str(), task.attempt);
    let trace = trace::current();
    let trace = trace.as_ref().map(TraceParent::trace_id);
    match outcome {
        Ok(StepOutcome::Done(_)) => tracing::info!(
            step,
            request.id = request_id,
            transfer.id = id,
            transfer.attempt = attempt,
            trace.id = trace,
            duration_ms,
            "step done"
        ),
        Ok(StepOutcome::RetryLater { reason }) => tracing::info!(
            step,
            request.id = request_id,
            transfer.id = id,
            transfer.attempt = attempt,
            trace.id = trace,
            duration_ms,
            retry.reason = RetryReason::as_str(*reason),
            "step will be retried later"
        ),
        Err(error) => tracing::warn!(
            step,
            request.id = request_id,
            transfer.id = id,
            transfer.attempt = attempt,
            trace.id = trace,
            duration_ms,
            error.code = error.code.as_str(),
            error.cause = causes(error),
            "step failed"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_executions_get_the_failure_code_that_they_know() {
        for reason in RetryReason::ALL.iter().copied() {
            let later = || Ok(StepOutcome::<()>::RetryLater { reason });
            let new = result(later(), DEFINITION).unwrap_err();
            assert_eq!(format!("{new:?}"), "RETRY_LATER");
            let old = result(later(), 1).unwrap_err();
            assert_eq!(format!("{old:?}"), reason.legacy_code().as_str());
        }
    }

    #[test]
    fn only_new_executions_go_back_to_an_earlier_step() {
        let later = StepOutcome::RetryLater { reason: RetryReason::ExchangeKeyHeld };
        assert!(push_output(later, DEFINITION).done().is_ok(), "poll waits for the key");
        assert!(push_output(later, 1).done().is_err());
        let again = poll_output(Arrival::PushAgain, DEFINITION).unwrap().done().unwrap();
        assert!(again.push_again && !again.arrived);
        let old = poll_output(Arrival::PushAgain, 1).unwrap_err();
        assert_eq!(old.code, FailureCode::SourceChanged);
        let lost = upload_output(Progress::SourceLost, DEFINITION).unwrap().done().unwrap();
        assert!(lost.source_lost && !lost.done);
        let old = upload_output(Progress::SourceLost, 1).unwrap_err();
        assert_eq!(old.code, FailureCode::SourceChanged);
    }
}

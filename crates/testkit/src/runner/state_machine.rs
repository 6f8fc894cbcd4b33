//! The steps of one execution, as the Step Functions state machine runs them: push, wait for the
//! arrival, deliver, finalize.
//!
//! The state machine repeats a step after a transient failure or a crash, and waits when a step
//! asks it to.

use docferry_app::delivery::upload::Progress;
use docferry_app::ports::Clock as _;
use docferry_app::source::poll::{self, Arrival};
use docferry_app::tries::recorded;
use docferry_app::{StepOutcome, TaskError, TaskInput};
use docferry_domain::slots::Pool;
use docferry_domain::transfer::Step;
use jiff::SignedDuration;

use super::{Ended, InvocationFailure, Runner};
use crate::interleave::yield_to_other_processes;

/// Number of retries of a step after transient failures, as in the state machine.
const MAX_RETRIES: u32 = 6;

/// Number of repetitions of `finalize` while it returns `RETRY_LATER`, as in the state machine.
const MAX_FINALIZE_WAITS: u32 = 100;

/// Maximum number of steps in one execution. The length of an execution history bounds the real
/// state machine in the same way.
const MAX_STEPS: u32 = 2000;

/// Pause before a failed step is repeated, in seconds.
const RETRY_PAUSE_SECONDS: i64 = 5;

impl Runner {
    /// Runs an execution to its end and marks it as ended.
    pub async fn execute(&self, task: &TaskInput) -> Ended {
        let ended = Box::pin(self.run_execution(task)).await;
        let name = format!("{}-{}", task.transfer_id, task.execution_number);
        let mut state = self.world.state();
        state.running.remove(&name);
        state.closed.insert(name);
        ended
    }

    async fn run_execution(&self, task: &TaskInput) -> Ended {
        let mut uploads = 0;
        let stopped_by = Box::pin(self.run_steps(task, &mut uploads)).await.err();
        let (mut failures, mut waits) = (0, 0);
        while failures <= MAX_RETRIES && waits <= MAX_FINALIZE_WAITS {
            match self.finalize(task, stopped_by.as_deref()).await {
                Ok(StepOutcome::Done(phase)) => {
                    return Ended { phase: Some(phase), stopped_by, uploads };
                }
                Ok(StepOutcome::RetryLater { reason }) => {
                    waits += 1;
                    self.wait(reason.wait_seconds()).await;
                }
                Err(_) => failures += 1,
            }
        }
        Ended { phase: None, stopped_by, uploads }
    }

    /// Runs the steps before `finalize`. Returns the name of the error that ends them, if any.
    async fn run_steps(&self, task: &TaskInput, uploads: &mut u32) -> Result<(), String> {
        // The pool of the transfer is known from the arrival of its document until the document is
        // lost.
        let mut pool = None;
        // If the push is not recorded, the poll step waits for the exchange key.
        let _push_outcome = self.repeat_step(|| self.recorded_push(task)).await?;
        for _ in 0..MAX_STEPS {
            let Some(target_pool) = pool else {
                pool = self.poll_for_arrival(task).await?;
                continue;
            };
            let delivery = self.repeat_step(async || {
                *uploads += 1;
                Box::pin(self.recorded_delivery(task, target_pool)).await
            });
            match Box::pin(delivery).await? {
                Progress::Done => return Ok(()),
                Progress::Continue => {}
                Progress::SourceLost => pool = None,
                Progress::Wait { seconds } => self.wait(seconds).await,
            }
        }
        Err("States.Runtime".into())
    }

    /// Polls once for the document. Returns the pool of the transfer if the document has arrived.
    async fn poll_for_arrival(&self, task: &TaskInput) -> Result<Option<Pool>, String> {
        match self.repeat_step(|| self.recorded_poll(task)).await? {
            Arrival::Arrived(pool) => return Ok(Some(pool)),
            Arrival::Wait { seconds } => self.wait(seconds).await,
            Arrival::PushAgain => {
                let _push_outcome = self.repeat_step(|| self.recorded_push(task)).await?;
            }
        }
        Ok(None)
    }

    async fn recorded_push(&self, task: &TaskInput) -> Result<StepOutcome<()>, TaskError> {
        Box::pin(self.recorded_try(task, Step::Push, self.push_step(task))).await
    }

    async fn recorded_poll(&self, task: &TaskInput) -> Result<Arrival, TaskError> {
        let scheduler = self.scheduler();
        let polling = poll::poll(&scheduler, &self.world, self.rules, task);
        Box::pin(self.recorded_try(task, Step::Poll, polling)).await
    }

    async fn recorded_delivery(&self, task: &TaskInput, pool: Pool) -> Result<Progress, TaskError> {
        let delivering = async {
            match pool {
                Pool::Onedrive => self.upload_once(task).await,
                Pool::Download => self.publish_once(task).await,
            }
        };
        Box::pin(self.recorded_try(task, Step::Deliver, delivering)).await
    }

    /// Runs one try of a step and records its failure, as the functions do.
    ///
    /// The failure is written to the store directly, so that a test counts only the effects of the
    /// step.
    async fn recorded_try<T>(
        &self,
        task: &TaskInput,
        step: Step,
        operation: impl Future<Output = Result<T, TaskError>>,
    ) -> Result<T, TaskError> {
        recorded(self.world.store(), &self.world, task, step, operation).await
    }

    /// Runs a step and retries it after transient failures and crashes. Returns the name of the
    /// error that remains.
    async fn repeat_step<T>(
        &self,
        run: impl AsyncFnMut() -> Result<T, TaskError>,
    ) -> Result<T, String> {
        let mut run = run;
        let mut tries = 0;
        loop {
            let error_name = match self.run_or_crash(run()).await {
                Ok(value) => return Ok(value),
                Err(InvocationFailure::Failed(code)) if !code.is_retryable() => {
                    return Err(code.as_str().into());
                }
                Err(InvocationFailure::Failed(code)) => code.as_str(),
                Err(InvocationFailure::Crashed) => "Runtime.ExitError",
            };
            tries += 1;
            if tries > MAX_RETRIES {
                return Err(error_name.into());
            }
            self.wait(RETRY_PAUSE_SECONDS).await;
        }
    }

    /// Waits as the state machine does, by advancing the clock.
    ///
    /// Concurrent invocations continue meanwhile. A wait that is longer than the remaining time of
    /// such an invocation ends only after the invocation.
    pub(super) async fn wait(&self, seconds: impl Into<i64>) {
        let until = self.world.now() + SignedDuration::from_secs(seconds.into());
        while !self.world.advance_to(until) {
            yield_to_other_processes().await;
        }
    }
}

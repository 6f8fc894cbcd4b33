//! One transfer that is due: carried on, ended, or cleaned up after.

use docferry_domain::{FailureCode, Phase, Transfer, TransferId, Turn};
use jiff::Timestamp;

use super::{Done, NEXT_SWEEP, Sweeper};
use crate::finalize::{finalize, next_check};
use crate::initiate::later;
use crate::ports::{
    Artifacts, Clock, Drive, Execution, Sealer, Staging, Start, Store, Workflow, WriteError,
};
use crate::{StepOutcome, TaskError, TaskInput};

impl<S, D, G, L, A, C, W> Sweeper<'_, '_, S, D, G, L, A, C, W>
where
    S: Store,
    D: Drive,
    G: Staging,
    L: Sealer,
    A: Artifacts,
    C: Clock,
    W: Workflow,
{
    /// Carries on or ends a transfer that has not ended.
    pub(super) async fn look_after(&self, transfer: &Transfer) -> Result<Done, TaskError> {
        let (store, workflow) = (self.ports.store, self.admitter.workflow);
        let (id, attempt, now) = (&transfer.transfer_id, transfer.attempt, self.ports.clock.now());
        let last_moment = later(transfer.must_end_by(), self.settings.overtime);
        if now >= last_moment {
            return self.end(transfer, Some(FailureCode::DeadlineExceeded)).await;
        }
        let stops =
            transfer.delivery.is_some() || transfer.ending.is_some() || transfer.cancel_requested;
        // It waits for its first slot: no execution of it has been started that could have
        // died. It is written into the queue again, should it be missing there.
        if transfer.phase == Phase::Accepted && transfer.turn != Turn::Holding {
            if stops {
                return self.end(transfer, None).await;
            }
            return match store.enqueue(transfer, last_moment).await {
                Ok(()) => Ok(Done::Queued),
                Err(WriteError::Ended) => Ok(Done::Left(self.next_sweep())),
                Err(error) => Err(error.into()),
            };
        }
        match workflow.look(id, attempt).await? {
            Execution::Running => Ok(Done::Left(last_moment.min(self.look_again()))),
            // An ending was under way, or only the ending is missing.
            Execution::Missing | Execution::Closed if stops => self.end(transfer, None).await,
            // The record was written and the start was lost.
            Execution::Missing => start(workflow, id, attempt, now).await,
            Execution::Closed if transfer.executions() < self.settings.max_attempts => {
                again(store, workflow, transfer, now).await
            }
            Execution::Closed => self.end(transfer, Some(FailureCode::Internal)).await,
        }
    }

    /// Ends a transfer, or cleans up after one that has ended.
    pub(super) async fn end(
        &self,
        transfer: &Transfer,
        failure: Option<FailureCode>,
    ) -> Result<Done, TaskError> {
        let task =
            TaskInput { transfer_id: transfer.transfer_id.clone(), attempt: transfer.attempt };
        let name = failure.map(FailureCode::as_str);
        let settings = self.settings.finalize;
        match finalize(self.ports, self.admitter, settings, &task, name).await? {
            StepOutcome::RetryLater { .. } => Ok(Done::Left(self.next_sweep())),
            // Anything left of it is the watch for a copy that comes late.
            StepOutcome::Done(_) => {
                Ok(Done::Finalized(next_check(transfer, self.ports.clock.now())))
            }
        }
    }
}

/// An execution ended without an ending of its transfer: the next one goes on
/// where it stopped. Names of executions are used once.
async fn again(
    store: &impl Store,
    workflow: &impl Workflow,
    transfer: &Transfer,
    now: Timestamp,
) -> Result<Done, TaskError> {
    match store.next_attempt(&transfer.transfer_id, transfer.attempt).await {
        Ok(next) => start(workflow, &next.transfer_id, next.attempt, now).await,
        // Ended meanwhile, or another sweep was first.
        Err(WriteError::Ended) => Ok(Done::Left(later(now, NEXT_SWEEP))),
        Err(error) => Err(error.into()),
    }
}

async fn start(
    workflow: &impl Workflow,
    id: &TransferId,
    attempt: u32,
    now: Timestamp,
) -> Result<Done, TaskError> {
    match workflow.start(id, attempt).await? {
        Start::Running => Ok(Done::Started),
        // It has come and gone already; the next sweep sees what it left.
        Start::Closed => Ok(Done::Left(later(now, NEXT_SWEEP))),
    }
}

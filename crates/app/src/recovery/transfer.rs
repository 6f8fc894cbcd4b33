//! Handling of one due transfer: restarts it, ends it, or cleans up after it.

use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::phase::Phase;
use docferry_domain::slots::SlotState;
use docferry_domain::transfer::Transfer;
use jiff::Timestamp;

use super::{Done, NEXT_SWEEP, Sweeper};
use crate::finish::{finalize, next_check};
use crate::ports::{
    Clock, Execution, FinishAdapters, SlotStore as _, Start, Store, Workflow, WriteError,
};
use crate::time::saturating_add;
use crate::{StepOutcome, TaskError, TaskInput};

impl<P: FinishAdapters> Sweeper<'_, P> {
    /// Restarts or ends a transfer that has not ended.
    pub(super) async fn recover_transfer(&self, transfer: &Transfer) -> Result<Done, TaskError> {
        let (store, workflow) = (self.ports.store, self.scheduler.workflow);
        let (id, execution_number, now) =
            (&transfer.transfer_id, transfer.execution_number, self.ports.clock.now());
        let last_moment = saturating_add(transfer.must_end_by(), self.settings.overtime);
        if now >= last_moment {
            return self.end_transfer(transfer, Some(FailureCode::DeadlineExceeded)).await;
        }
        let stops =
            transfer.delivery.is_some() || transfer.ending.is_some() || transfer.cancel_requested;
        // The transfer waits for its first slot, so it has no execution that could have died.
        // Queue it again, in case its queue entry is missing.
        if transfer.phase == Phase::Accepted && transfer.slot_state != SlotState::Holding {
            if stops {
                return self.end_transfer(transfer, None).await;
            }
            return match store.enqueue(transfer, last_moment).await {
                Ok(()) => Ok(Done::Queued),
                Err(WriteError::Ended) => Ok(Done::Left(self.next_sweep())),
                Err(error) => Err(error.into()),
            };
        }
        match workflow.execution_status(id, execution_number).await? {
            Execution::Running => Ok(Done::Left(last_moment.min(self.look_again()))),
            // The transfer was being ended, or only its ending is missing.
            Execution::Missing | Execution::Closed if stops => {
                self.end_transfer(transfer, None).await
            }
            // The record was written, but the start of the execution was lost.
            Execution::Missing => start(workflow, id, execution_number, now).await,
            Execution::Closed if transfer.executions() < self.settings.max_attempts => {
                restart(store, workflow, transfer, now).await
            }
            Execution::Closed => self.end_transfer(transfer, Some(FailureCode::Internal)).await,
        }
    }

    /// Ends a transfer, or cleans up after one that has ended.
    pub(super) async fn end_transfer(
        &self,
        transfer: &Transfer,
        failure: Option<FailureCode>,
    ) -> Result<Done, TaskError> {
        let task = TaskInput {
            transfer_id: transfer.transfer_id.clone(),
            execution_number: transfer.execution_number,
        };
        let name = failure.map(FailureCode::as_str);
        let settings = self.settings.finalize;
        match finalize(self.ports, self.scheduler, settings, &task, name).await? {
            StepOutcome::RetryLater { .. } => Ok(Done::Left(self.next_sweep())),
            // If it stays in the index, it is only watched for a late copy of its document.
            StepOutcome::Done(_) => {
                Ok(Done::Finalized(next_check(transfer, self.ports.clock.now())))
            }
        }
    }
}

/// Starts the next execution of a transfer whose execution ended without ending it; it
/// continues where that one stopped. Execution names are used only once.
async fn restart(
    store: &impl Store,
    workflow: &impl Workflow,
    transfer: &Transfer,
    now: Timestamp,
) -> Result<Done, TaskError> {
    match store.next_execution(&transfer.transfer_id, transfer.execution_number).await {
        Ok(next) => start(workflow, &next.transfer_id, next.execution_number, now).await,
        // The transfer has ended meanwhile, or another sweep restarted it first.
        Err(WriteError::Ended) => Ok(Done::Left(saturating_add(now, NEXT_SWEEP))),
        Err(error) => Err(error.into()),
    }
}

/// Starts an execution.
async fn start(
    workflow: &impl Workflow,
    id: &TransferId,
    execution_number: u32,
    now: Timestamp,
) -> Result<Done, TaskError> {
    match workflow.start(id, execution_number).await? {
        Start::Running => Ok(Done::Started),
        // The execution has already ended; the next sweep handles its result.
        Start::Closed => Ok(Done::Left(saturating_add(now, NEXT_SWEEP))),
    }
}

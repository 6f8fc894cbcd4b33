//! Repair of one transfer by the sweeper: restarts its execution, ends the transfer, or cleans up
//! after its end.
//!
//! An *execution* is one run of the Step Functions workflow for a transfer. A *slot* is the right
//! of a transfer to move bytes. The workflow starts when the transfer gets its first slot.

use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::phase::Phase;
use docferry_domain::slots::SlotState;
use docferry_domain::transfer::Transfer;
use jiff::Timestamp;

use super::types::ItemResult;
use super::{NEXT_SWEEP, Sweeper};
use crate::finish::{finalize, next_check};
use crate::ports::{
    Clock, Execution, FinishAdapters, SlotStore as _, Start, Store, Workflow, WriteError,
};
use crate::time::saturating_add;
use crate::{StepOutcome, TaskError, TaskInput};

impl<P: FinishAdapters> Sweeper<'_, P> {
    /// Restarts or ends a transfer that has not ended.
    pub(super) async fn recover_transfer(
        &self,
        transfer: &Transfer,
    ) -> Result<ItemResult, TaskError> {
        let (store, workflow) = (self.ports.store, self.scheduler.workflow);
        let (id, execution_number, now) =
            (&transfer.transfer_id, transfer.execution_number, self.ports.clock.now());
        let ending_time = saturating_add(transfer.must_end_by(), self.settings.deadline_grace);
        if now >= ending_time {
            return self.end_transfer(transfer, Some(FailureCode::DeadlineExceeded)).await;
        }
        let has_to_end =
            transfer.delivery.is_some() || transfer.ending.is_some() || transfer.cancel_requested;
        let waits_for_first_slot =
            transfer.phase == Phase::Accepted && transfer.slot_state != SlotState::Holding;
        if waits_for_first_slot {
            if has_to_end {
                return self.end_transfer(transfer, None).await;
            }
            // The transfer has no execution yet, so no execution can have died. The transfer joins
            // the queue again, because its queue entry may be missing.
            return match store.enqueue(transfer, ending_time).await {
                Ok(()) => Ok(ItemResult::Queued),
                Err(WriteError::Ended) => {
                    Ok(ItemResult::Unchanged { next_check: self.next_sweep() })
                }
                Err(error) => Err(error.into()),
            };
        }
        match workflow.execution_status(id, execution_number).await? {
            Execution::Running => {
                Ok(ItemResult::Unchanged { next_check: ending_time.min(self.regular_check()) })
            }
            // The execution died while it was ending the transfer, or before it began to do so.
            Execution::Missing | Execution::Closed if has_to_end => {
                self.end_transfer(transfer, None).await
            }
            // The execution was never started: a process died after it had written the record.
            Execution::Missing => start_execution(workflow, id, execution_number, now).await,
            Execution::Closed if transfer.executions() < self.settings.max_executions => {
                restart_execution(store, workflow, transfer, now).await
            }
            Execution::Closed => self.end_transfer(transfer, Some(FailureCode::Internal)).await,
        }
    }

    /// Ends a transfer, or cleans up after a transfer that has ended.
    pub(super) async fn end_transfer(
        &self,
        transfer: &Transfer,
        failure: Option<FailureCode>,
    ) -> Result<ItemResult, TaskError> {
        let task = TaskInput {
            transfer_id: transfer.transfer_id.clone(),
            execution_number: transfer.execution_number,
        };
        let failure_code = failure.map(FailureCode::as_str);
        let settings = self.settings.finalize;
        match finalize(self.ports, self.scheduler, settings, &task, failure_code).await? {
            StepOutcome::RetryLater { .. } => {
                Ok(ItemResult::Unchanged { next_check: self.next_sweep() })
            }
            // The item may stay in the index, because a late copy of the document may still arrive.
            StepOutcome::Done(_) => {
                let next_check = next_check(transfer, self.ports.clock.now());
                Ok(ItemResult::Finalized { next_check })
            }
        }
    }
}

/// Starts the next execution of a transfer that has not ended although its execution has. The next
/// execution continues from the checkpoint. It has a new number, because Step Functions accepts
/// each execution name only once.
async fn restart_execution(
    store: &impl Store,
    workflow: &impl Workflow,
    transfer: &Transfer,
    now: Timestamp,
) -> Result<ItemResult, TaskError> {
    match store.next_execution(&transfer.transfer_id, transfer.execution_number).await {
        Ok(next) => start_execution(workflow, &next.transfer_id, next.execution_number, now).await,
        // The transfer has ended meanwhile, or another sweep restarted it first.
        Err(WriteError::Ended) => {
            Ok(ItemResult::Unchanged { next_check: saturating_add(now, NEXT_SWEEP) })
        }
        Err(error) => Err(error.into()),
    }
}

/// Starts the execution with this number.
async fn start_execution(
    workflow: &impl Workflow,
    id: &TransferId,
    execution_number: u32,
    now: Timestamp,
) -> Result<ItemResult, TaskError> {
    match workflow.start(id, execution_number).await? {
        Start::Running => Ok(ItemResult::Started),
        // The execution has already ended; the next sweep handles its result.
        Start::Closed => Ok(ItemResult::Unchanged { next_check: saturating_add(now, NEXT_SWEEP) }),
    }
}

//! Operator command `requeue`, which starts an execution of a transfer. An *execution* is one run
//! of the Step Functions workflow for a transfer.
//!
//! Operators use the command if the execution of a transfer has ended but the transfer has not. The
//! function `sweep`, the background repair, restarts such a transfer as well, but within minutes
//! and only a limited number of times.

use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::phase::Phase;
use docferry_domain::slots::SlotState;
use docferry_domain::transfer::Transfer;

use crate::ports::{
    Execution, RecoveryStore, Start, StoreError, TransferStore, Workflow, WorkflowError, WriteError,
};

/// Result of a requeue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requeued {
    /// The execution had ended; the next execution was started.
    Next {
        /// Number of the new execution.
        execution_number: u32,
    },
    /// The transfer had no execution; an execution with the current number was started.
    Started {
        /// Number of the execution that was started.
        execution_number: u32,
    },
}

/// Why a transfer was not requeued.
#[derive(Debug, thiserror::Error)]
pub enum RequeueError {
    /// There is no such transfer.
    #[error("there is no such transfer")]
    NotFound,
    /// The transfer has ended. Request the document anew.
    #[error("it has ended: {}", .0.as_str())]
    Ended(Phase),
    /// The document is delivered, or the transfer is being ended. `sweep` completes the end of the
    /// transfer. A new execution would use resources that are already closed.
    #[error("its document is delivered, or it is being ended{}", code_suffix(*.0))]
    Ending(Option<FailureCode>),
    /// The transfer waits in the queue for a slot, the right to move bytes. To start it now would
    /// exceed the limit on slots.
    #[error("it waits for a slot")]
    Queued,
    /// The transfer's execution is still running. Two executions would conflict.
    #[error("its execution of attempt {0} runs")]
    Running(u32),
    /// `sweep` or another operator restarted the transfer first, or the transfer has ended.
    #[error("another process restarted or ended it meanwhile")]
    Overtaken,
    /// The store failed. The next execution number may be recorded, but its execution was not
    /// started. Repeat the command.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The workflow service failed. The next execution number may be recorded, but its execution
    /// was not started. Repeat the command, or wait until `sweep` starts the execution.
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
}

/// Returns the failure code in parentheses, or nothing without a code.
fn code_suffix(code: Option<FailureCode>) -> String {
    code.map_or_else(String::new, |code| format!(" ({code})"))
}

/// Starts an execution of a transfer that has no running execution. If the current execution has
/// ended, starts the next execution, which continues from the checkpoint.
///
/// The command can be repeated. Concurrent calls and a concurrent sweep start only one execution.
///
/// # Errors
/// See [`RequeueError`]. Does nothing for a transfer that is running or has ended.
pub async fn requeue(
    store: &(impl TransferStore + RecoveryStore),
    workflow: &impl Workflow,
    id: &TransferId,
) -> Result<Requeued, RequeueError> {
    let transfer = store.get(id).await?.ok_or(RequeueError::NotFound)?;
    ensure_unfinished(&transfer)?;
    let execution_number = transfer.execution_number;
    match workflow.execution_status(id, execution_number).await? {
        Execution::Running => Err(RequeueError::Running(execution_number)),
        Execution::Missing
            if transfer.phase == Phase::Accepted && transfer.slot_state != SlotState::Holding =>
        {
            Err(RequeueError::Queued)
        }
        Execution::Missing => {
            start_execution(workflow, id, execution_number).await?;
            Ok(Requeued::Started { execution_number })
        }
        Execution::Closed => {
            let next =
                store.next_execution(id, execution_number).await.map_err(|error| match error {
                    WriteError::Store(error) => error.into(),
                    WriteError::Ended | WriteError::Superseded => RequeueError::Overtaken,
                    WriteError::NotFound => RequeueError::NotFound,
                })?;
            start_execution(workflow, id, next.execution_number).await?;
            Ok(Requeued::Next { execution_number: next.execution_number })
        }
    }
}

fn ensure_unfinished(transfer: &Transfer) -> Result<(), RequeueError> {
    if transfer.phase.is_terminal() {
        return Err(RequeueError::Ended(transfer.phase));
    }
    if transfer.delivery.is_some() || transfer.ending.is_some() {
        return Err(RequeueError::Ending(transfer.ending));
    }
    Ok(())
}

async fn start_execution(
    workflow: &impl Workflow,
    id: &TransferId,
    execution_number: u32,
) -> Result<(), RequeueError> {
    match workflow.start(id, execution_number).await? {
        Start::Running => Ok(()),
        Start::Closed => Err(RequeueError::Overtaken),
    }
}

//! An operator carries on a transfer whose execution is dead.

use docferry_domain::{FailureCode, Phase, Transfer, TransferId, Turn};

use crate::ports::{
    Execution, Start, StoreError, TransferStore, Workflow, WorkflowError, WriteError,
};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requeued {
    /// The execution had ended; that of the next attempt runs.
    Next {
        /// The attempt that has begun.
        attempt: u32,
    },
    /// There was no execution; that of the present attempt runs.
    Started {
        /// The attempt that goes on.
        attempt: u32,
    },
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum RequeueError {
    /// No record.
    #[error("there is no such transfer")]
    NotFound,
    /// Terminal: who wants the document asks for it anew.
    #[error("it has ended: {}", .0.as_str())]
    Ended(Phase),
    /// Only the ending is missing, and `sweep` makes up for that. Another attempt
    /// would begin work on something that is closed already.
    #[error("its document is delivered, or it is being ended{}", said(*.0))]
    Ending(Option<FailureCode>),
    /// It waits for its turn; to start it would go past the slots.
    #[error("it waits for a slot")]
    Queued,
    /// Two executions would work against each other.
    #[error("its execution of attempt {0} runs")]
    Running(u32),
    /// Somebody else was first: `sweep`, another operator, or the transfer ended.
    #[error("somebody else carried it on or ended it meanwhile")]
    Overtaken,
    /// See [`StoreError`]. The next attempt may have begun: ask again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The next attempt may have begun: ask again; otherwise `sweep` starts it.
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
}

fn said(code: Option<FailureCode>) -> String {
    code.map_or_else(String::new, |code| format!(" ({code})"))
}

/// Starts the execution that a transfer lacks: the next attempt's when the present
/// one's has ended, which goes on where that one stopped.
///
/// What `sweep` does by itself within minutes, but at once and without its bound on
/// the number of attempts. May be repeated; two at once, or one beside a sweep,
/// start one execution.
///
/// # Errors
/// See [`RequeueError`]; nothing is done about a transfer that runs or has ended.
pub async fn requeue(
    store: &impl TransferStore,
    workflow: &impl Workflow,
    id: &TransferId,
) -> Result<Requeued, RequeueError> {
    let transfer = store.get(id).await?.ok_or(RequeueError::NotFound)?;
    refuse(&transfer)?;
    let attempt = transfer.attempt;
    match workflow.look(id, attempt).await? {
        Execution::Running => Err(RequeueError::Running(attempt)),
        Execution::Missing
            if transfer.phase == Phase::Accepted && transfer.turn != Turn::Holding =>
        {
            Err(RequeueError::Queued)
        }
        Execution::Missing => {
            start(workflow, id, attempt).await?;
            Ok(Requeued::Started { attempt })
        }
        Execution::Closed => {
            let next = store.next_attempt(id, attempt).await.map_err(|error| match error {
                WriteError::Store(error) => error.into(),
                WriteError::Ended | WriteError::Superseded => RequeueError::Overtaken,
                WriteError::NotFound => RequeueError::NotFound,
            })?;
            start(workflow, id, next.attempt).await?;
            Ok(Requeued::Next { attempt: next.attempt })
        }
    }
}

fn refuse(transfer: &Transfer) -> Result<(), RequeueError> {
    if transfer.phase.is_terminal() {
        return Err(RequeueError::Ended(transfer.phase));
    }
    if transfer.delivery.is_some() || transfer.ending.is_some() {
        return Err(RequeueError::Ending(transfer.ending));
    }
    Ok(())
}

async fn start(
    workflow: &impl Workflow,
    id: &TransferId,
    attempt: u32,
) -> Result<(), RequeueError> {
    match workflow.start(id, attempt).await? {
        Start::Running => Ok(()),
        Start::Closed => Err(RequeueError::Overtaken),
    }
}

use std::future::Future;

use docferry_domain::TransferId;

use super::Cause;

/// What starting a workflow led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// It runs: it was started now, or an earlier call whose answer was lost had
    /// started it.
    Running,
    /// An execution of that name exists and has ended; a name is used only once,
    /// so the transfer needs its next attempt.
    Closed,
}

/// What is known of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// There is none of that name, or none any more.
    Missing,
    /// It runs.
    Running,
    /// It has ended, however it did.
    Closed,
}

/// The workflow service did not answer, or refused.
#[derive(Debug, thiserror::Error)]
#[error("the workflow service did not start the execution")]
pub struct WorkflowError(#[source] pub Cause);

/// Runs the steps of a transfer in order (Step Functions).
pub trait Workflow: Send + Sync {
    /// Starts the execution `{transfer}-{attempt}`. Idempotent while it runs.
    fn start(
        &self,
        transfer: &TransferId,
        attempt: u32,
    ) -> impl Future<Output = Result<Start, WorkflowError>> + Send;

    /// Looks at the execution `{transfer}-{attempt}`.
    fn look(
        &self,
        transfer: &TransferId,
        attempt: u32,
    ) -> impl Future<Output = Result<Execution, WorkflowError>> + Send;
}

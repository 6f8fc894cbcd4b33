//! The workflow service, which runs the steps of a transfer.

use std::future::Future;

use docferry_domain::ids::TransferId;

use super::Cause;

/// Result of starting an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The execution runs. This call or an earlier call, whose response was lost, has started it.
    Running,
    /// An execution with this name has already ended. A name can be used only once, so the transfer
    /// needs its next execution number.
    Closed,
}

/// Status of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// There is no execution of that name, or it is no longer known.
    Missing,
    /// The execution is running.
    Running,
    /// The execution has ended, with any result.
    Closed,
}

/// The workflow service did not answer, or refused the call.
#[derive(Debug, thiserror::Error)]
#[error("the workflow service did not start the execution")]
pub struct WorkflowError(#[source] pub Cause);

/// Runs the steps of a transfer in order (Step Functions).
pub trait Workflow: Send + Sync {
    /// Starts the execution `{transfer}-{attempt}`. Idempotent while it runs.
    fn start(
        &self,
        transfer: &TransferId,
        execution_number: u32,
    ) -> impl Future<Output = Result<Start, WorkflowError>> + Send;

    /// Returns the status of the execution `{transfer}-{attempt}`.
    fn execution_status(
        &self,
        transfer: &TransferId,
        execution_number: u32,
    ) -> impl Future<Output = Result<Execution, WorkflowError>> + Send;
}

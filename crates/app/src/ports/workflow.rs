//! Port of the workflow service (Step Functions), which runs the steps of a transfer.
//!
//! An *execution* is one run of the workflow for a transfer. Its name consists of the transfer's id
//! and the execution number. If an execution dies, the next execution continues the transfer.

use std::future::Future;

use docferry_domain::ids::TransferId;

use super::Cause;

/// Result of starting an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The execution runs. This call or an earlier call, whose response was lost, has started it.
    Running,
    /// An execution with this name has already ended. Each name can be used only once, so the
    /// caller has to use the next execution number.
    Closed,
}

/// Status of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// There is no execution with that name, or the service has deleted it.
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
    /// Starts the execution `{transfer}-{execution_number}`. Repeated calls have no effect while it
    /// runs.
    fn start(
        &self,
        transfer: &TransferId,
        execution_number: u32,
    ) -> impl Future<Output = Result<Start, WorkflowError>> + Send;

    /// Returns the status of the execution `{transfer}-{execution_number}`.
    fn execution_status(
        &self,
        transfer: &TransferId,
        execution_number: u32,
    ) -> impl Future<Output = Result<Execution, WorkflowError>> + Send;
}

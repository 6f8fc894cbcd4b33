//! The `docferry admin requeue` command, which restarts a transfer whose Step Functions execution
//! has died. The output calls the number of an execution `attempt`.

use std::fmt;

use docferry_app::recovery::requeue::{Requeued, requeue};
use docferry_domain::ids::TransferId;
use serde::Serialize;

use super::AdminError;
use super::deployment::Deployment;

/// Result of the command, for people and for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Restarted<'a> {
    transfer_id: &'a TransferId,
    #[serde(rename = "attempt")]
    execution_number: u32,
    execution: String,
    /// Whether the next execution was started, because the previous execution had ended. If this is
    /// `false`, the current execution was started, because it had never been started before.
    #[serde(rename = "nextAttempt")]
    is_next_execution: bool,
}

impl fmt::Display for Restarted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transfer_id, execution_number, execution, is_next_execution } = self;
        let reason = if *is_next_execution {
            format!("attempt {execution_number} started, because the previous execution had ended")
        } else {
            format!(
                "attempt {execution_number} continues, because its execution had never been started"
            )
        };
        write!(f, "{transfer_id}  {reason}; execution {execution} is running")
    }
}

pub(super) async fn run<'a>(
    deployment: &Deployment,
    id: &'a TransferId,
) -> Result<Restarted<'a>, AdminError> {
    let (execution_number, is_next_execution) =
        match requeue(&deployment.store(), &deployment.workflow(), id).await? {
            Requeued::Next { execution_number } => (execution_number, true),
            Requeued::Started { execution_number } => (execution_number, false),
        };
    let execution = format!("{id}-{execution_number}");
    Ok(Restarted { transfer_id: id, execution_number, execution, is_next_execution })
}

use std::fmt;

use docferry_app::requeue::{Requeued, requeue};
use docferry_domain::TransferId;
use serde::Serialize;

use super::AdminError;
use super::deployment::Deployment;

/// What was done, for people and for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Done<'a> {
    transfer_id: &'a TransferId,
    attempt: u32,
    execution: String,
    /// Whether the attempt is a new one.
    next_attempt: bool,
}

impl fmt::Display for Done<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transfer_id, attempt, execution, next_attempt } = self;
        let why = if *next_attempt {
            format!("attempt {attempt} begins, because the execution of the one before has ended")
        } else {
            format!("attempt {attempt} goes on, because its execution had never been started")
        };
        write!(f, "{transfer_id}  {why}; execution {execution} runs")
    }
}

pub(super) async fn run<'a>(
    deployment: &Deployment,
    id: &'a TransferId,
) -> Result<Done<'a>, AdminError> {
    let (attempt, next_attempt) =
        match requeue(&deployment.store(), &deployment.workflow(), id).await? {
            Requeued::Next { attempt } => (attempt, true),
            Requeued::Started { attempt } => (attempt, false),
        };
    let execution = format!("{id}-{attempt}");
    Ok(Done { transfer_id: id, attempt, execution, next_attempt })
}

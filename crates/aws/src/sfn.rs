//! Step Functions adapter: starts executions of the transfer workflow and reads their status.
//!
//! An *execution* is one run of the workflow for one transfer. The name of an execution consists of
//! the id of the transfer and the number of the execution. AWS accepts each name only once, so that
//! an execution is never started twice.

use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::ExecutionStatus;
use docferry_app::ports::{Execution, Start, Workflow, WorkflowError};
use docferry_domain::ids::TransferId;

use crate::Fault;

/// [`Workflow`] on Step Functions.
#[derive(Debug, Clone)]
pub struct StepFunctionsWorkflow {
    client: Client,
    state_machine_arn: String,
}

impl StepFunctionsWorkflow {
    /// Creates the adapter for a state machine of the standard type. Express state machines do
    /// not deduplicate executions by name.
    #[must_use]
    pub fn new(client: Client, state_machine_arn: impl Into<String>) -> Self {
        Self { client, state_machine_arn: state_machine_arn.into() }
    }

    /// Reads the status of the execution with this name.
    async fn describe(&self, name: &str) -> Result<Execution, WorkflowError> {
        const CALL: &str = "Step Functions DescribeExecution";
        let arn = execution_arn(&self.state_machine_arn, name)
            .ok_or_else(|| unexpected(CALL, "the state machine's ARN is malformed"))?;
        let request = self.client.describe_execution().execution_arn(arn);
        let response = match Box::pin(request.send()).await {
            Ok(response) => response,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|cause| cause.is_execution_does_not_exist()) =>
            {
                return Ok(Execution::Missing);
            }
            Err(error) => return Err(WorkflowError(Box::new(Fault::of(CALL, &error)))),
        };
        match response.status() {
            ExecutionStatus::Running => Ok(Execution::Running),
            ExecutionStatus::Succeeded
            | ExecutionStatus::Failed
            | ExecutionStatus::TimedOut
            | ExecutionStatus::Aborted => Ok(Execution::Closed),
            _ => Err(unexpected(CALL, "the execution's status is unknown")),
        }
    }
}

impl Workflow for StepFunctionsWorkflow {
    /// Starts the execution, or reports the status of an existing execution with the same name.
    ///
    /// AWS accepts a repeated start with the same name and input while the execution runs. After
    /// the execution has ended, AWS rejects a repeated start with `ExecutionAlreadyExists`. The AWS
    /// emulator of the tests rejects it in both cases. After a rejection, this method reads the
    /// status of the existing execution.
    async fn start(
        &self,
        transfer: &TransferId,
        execution_number: u32,
    ) -> Result<Start, WorkflowError> {
        let name = execution_name(transfer, execution_number);
        let input =
            serde_json::json!({ "transferId": transfer.as_str(), "attempt": execution_number });
        let request = self
            .client
            .start_execution()
            .state_machine_arn(&self.state_machine_arn)
            .name(&name)
            .input(input.to_string());
        match Box::pin(request.send()).await {
            Ok(_) => Ok(Start::Running),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|cause| cause.is_execution_already_exists()) =>
            {
                match self.describe(&name).await? {
                    Execution::Running => Ok(Start::Running),
                    Execution::Closed | Execution::Missing => Ok(Start::Closed),
                }
            }
            Err(error) => {
                Err(WorkflowError(Box::new(Fault::of("Step Functions StartExecution", &error))))
            }
        }
    }

    async fn execution_status(
        &self,
        transfer: &TransferId,
        execution_number: u32,
    ) -> Result<Execution, WorkflowError> {
        self.describe(&execution_name(transfer, execution_number)).await
    }
}

fn execution_name(transfer: &TransferId, execution_number: u32) -> String {
    format!("{transfer}-{execution_number}")
}

/// Error for a problem that this adapter detected itself.
fn unexpected(call: &'static str, reason: &'static str) -> WorkflowError {
    WorkflowError(Box::new(Fault::new(call, reason)))
}

/// Derives the ARN of an execution from the ARN of its state machine:
/// `arn:…:stateMachine:NAME` → `arn:…:execution:NAME:EXECUTION`.
///
/// Returns `None` if `state_machine_arn` does not have this form.
#[must_use]
pub fn execution_arn(state_machine_arn: &str, execution: &str) -> Option<String> {
    let (prefix, name) = state_machine_arn.split_once(":stateMachine:")?;
    Some(format!("{prefix}:execution:{name}:{execution}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn execution_arn_is_derived_from_the_state_machine_arn() {
        assert_eq!(
            execution_arn("arn:aws:states:ca-central-1:123456789012:stateMachine:m", "x-1"),
            Some("arn:aws:states:ca-central-1:123456789012:execution:m:x-1".into())
        );
        assert_eq!(execution_arn("m", "x-1"), None);
    }
}

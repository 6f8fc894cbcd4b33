//! Starts executions of the state machine.

use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::ExecutionStatus;
use docferry_app::ports::{Execution, Start, Workflow, WorkflowError};
use docferry_domain::TransferId;

use crate::Fault;

/// The [`Workflow`] on Step Functions.
#[derive(Debug, Clone)]
pub struct StepFunctionsWorkflow {
    client: Client,
    state_machine_arn: String,
}

impl StepFunctionsWorkflow {
    /// Starts executions of this state machine, which is of the standard type:
    /// express ones have no names to tell a repeat by.
    #[must_use]
    pub fn new(client: Client, state_machine_arn: impl Into<String>) -> Self {
        Self { client, state_machine_arn: state_machine_arn.into() }
    }

    async fn describe(&self, name: &str) -> Result<Execution, WorkflowError> {
        const CALL: &str = "Step Functions DescribeExecution";
        let arn = execution_arn(&self.state_machine_arn, name)
            .ok_or_else(|| broken(CALL, "the state machine's ARN is not one"))?;
        let request = self.client.describe_execution().execution_arn(arn);
        let answer = match Box::pin(request.send()).await {
            Ok(answer) => answer,
            Err(error)
                if error.as_service_error().is_some_and(|e| e.is_execution_does_not_exist()) =>
            {
                return Ok(Execution::Missing);
            }
            Err(error) => return Err(WorkflowError(Box::new(Fault::of(CALL, &error)))),
        };
        match answer.status() {
            ExecutionStatus::Running => Ok(Execution::Running),
            ExecutionStatus::Succeeded
            | ExecutionStatus::Failed
            | ExecutionStatus::TimedOut
            | ExecutionStatus::Aborted => Ok(Execution::Closed),
            _ => Err(broken(CALL, "the execution's status is unknown")),
        }
    }
}

impl Workflow for StepFunctionsWorkflow {
    /// AWS answers a repeat with the same input while the execution runs as if it
    /// had just started it; the emulator, and AWS once it is closed, say that it
    /// exists. Then its status decides.
    async fn start(&self, transfer: &TransferId, attempt: u32) -> Result<Start, WorkflowError> {
        let name = format!("{transfer}-{attempt}");
        let input = serde_json::json!({ "transferId": transfer.as_str(), "attempt": attempt });
        let request = self
            .client
            .start_execution()
            .state_machine_arn(&self.state_machine_arn)
            .name(&name)
            .input(input.to_string());
        match Box::pin(request.send()).await {
            Ok(_) => Ok(Start::Running),
            Err(error)
                if error.as_service_error().is_some_and(|e| e.is_execution_already_exists()) =>
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

    async fn look(&self, transfer: &TransferId, attempt: u32) -> Result<Execution, WorkflowError> {
        self.describe(&format!("{transfer}-{attempt}")).await
    }
}

fn broken(call: &'static str, reason: &'static str) -> WorkflowError {
    WorkflowError(Box::new(Fault::new(call, reason)))
}

/// `arn:…:stateMachine:NAME` → `arn:…:execution:NAME:EXECUTION`; `None` when the
/// first is no such ARN.
#[must_use]
pub fn execution_arn(state_machine_arn: &str, execution: &str) -> Option<String> {
    let (prefix, name) = state_machine_arn.split_once(":stateMachine:")?;
    Some(format!("{prefix}:execution:{name}:{execution}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executions_arn_follows_from_its_machines() {
        assert_eq!(
            execution_arn("arn:aws:states:ca-central-1:123456789012:stateMachine:m", "x-1"),
            Some("arn:aws:states:ca-central-1:123456789012:execution:m:x-1".into())
        );
        assert_eq!(execution_arn("m", "x-1"), None);
    }
}

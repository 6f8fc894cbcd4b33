//! Tests of the workflow adapter, which starts executions, against the emulator's Step Functions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use aws_sdk_sfn::types::ExecutionStatus;
use docferry_app::ports::{Start, Workflow as _};
use docferry_aws::StepFunctionsWorkflow;

use support::wire::LossyProxy;
use support::{emulator, machine};

/// Returns the ARN of an execution.
fn execution_arn(machine: &str, name: &str) -> String {
    format!("{}:{name}", machine.replace(":stateMachine:", ":execution:"))
}

#[tokio::test]
async fn repeated_start_reports_running_then_closed_execution() {
    let Some(emulator) = emulator() else { return };
    let (client, arn) = machine(&emulator).await;
    let workflow = StepFunctionsWorkflow::new(client.clone(), &arn);
    let id = support::random_id();
    assert_eq!(workflow.start(&id, 1).await.unwrap(), Start::Running);
    assert_eq!(workflow.start(&id, 1).await.unwrap(), Start::Running);
    let execution = execution_arn(&arn, &format!("{id}-1"));
    let running = client.describe_execution().execution_arn(&execution).send().await.unwrap();
    assert_eq!(running.status(), &ExecutionStatus::Running);
    let input: serde_json::Value = serde_json::from_str(running.input().unwrap()).unwrap();
    assert_eq!(input, serde_json::json!({ "transferId": id.as_str(), "attempt": 1 }));

    client.stop_execution().execution_arn(&execution).send().await.unwrap();
    assert_eq!(workflow.start(&id, 1).await.unwrap(), Start::Closed);
    assert_eq!(workflow.start(&id, 2).await.unwrap(), Start::Running);
}

#[tokio::test]
async fn start_with_a_lost_response_is_reported_as_running() {
    let Some(emulator) = emulator() else { return };
    let (_, arn) = machine(&emulator).await;
    let proxy = LossyProxy::to(&emulator).await;
    let client = aws_sdk_sfn::Client::new(&support::config(&proxy.url).await);
    let workflow = StepFunctionsWorkflow::new(client, &arn);
    proxy.drop_next_response();
    assert_eq!(workflow.start(&support::random_id(), 1).await.unwrap(), Start::Running);
    assert!(proxy.has_dropped_response());
}

#[tokio::test]
async fn missing_state_machine_is_an_error() {
    let Some(emulator) = emulator() else { return };
    let client = aws_sdk_sfn::Client::new(&support::config(&emulator).await);
    let arn = "arn:aws:states:us-east-1:000000000000:stateMachine:none";
    let result = StepFunctionsWorkflow::new(client, arn).start(&support::random_id(), 1).await;
    let cause = result.unwrap_err().0.to_string();
    assert!(cause.contains("StateMachineDoesNotExist"), "{cause}");
}

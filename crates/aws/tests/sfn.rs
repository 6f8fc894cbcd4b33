//! Starting executions on the emulator.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use aws_sdk_sfn::types::ExecutionStatus;
use docferry_app::ports::{Start, Workflow as _};
use docferry_aws::StepFunctionsWorkflow;

use support::emulator;
use support::wire::Lossy;

/// A state machine whose executions wait until they are stopped.
async fn machine(endpoint: &str) -> (aws_sdk_sfn::Client, String) {
    let client = aws_sdk_sfn::Client::new(&support::config(endpoint).await);
    let definition = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}"#;
    let made = client
        .create_state_machine()
        .name(support::random_name("transfer"))
        .definition(definition)
        .role_arn(role(&client).await)
        .send()
        .await
        .unwrap();
    (client, made.state_machine_arn)
}

/// An emulator that enforces rights wants a role that exists: that of a machine
/// which somebody deployed there. Elsewhere any will do.
async fn role(client: &aws_sdk_sfn::Client) -> String {
    let machines = client.list_state_machines().send().await.unwrap().state_machines;
    match machines.first() {
        Some(machine) => {
            let arn = &machine.state_machine_arn;
            client.describe_state_machine().state_machine_arn(arn).send().await.unwrap().role_arn
        }
        None => "arn:aws:iam::000000000000:role/workflow".into(),
    }
}

fn execution(machine: &str, name: &str) -> String {
    format!("{}:{name}", machine.replace(":stateMachine:", ":execution:"))
}

#[tokio::test]
async fn a_start_is_repeated_freely_while_it_runs_and_closed_once_it_has_ended() {
    let Some(emulator) = emulator() else { return };
    let (client, arn) = machine(&emulator).await;
    let workflow = StepFunctionsWorkflow::new(client.clone(), &arn);
    let id = support::random_id();
    assert_eq!(workflow.start(&id, 1).await.unwrap(), Start::Running);
    assert_eq!(workflow.start(&id, 1).await.unwrap(), Start::Running);
    let execution = execution(&arn, &format!("{id}-1"));
    let running = client.describe_execution().execution_arn(&execution).send().await.unwrap();
    assert_eq!(running.status(), &ExecutionStatus::Running);
    let input: serde_json::Value = serde_json::from_str(running.input().unwrap()).unwrap();
    assert_eq!(input, serde_json::json!({ "transferId": id.as_str(), "attempt": 1 }));

    client.stop_execution().execution_arn(&execution).send().await.unwrap();
    assert_eq!(workflow.start(&id, 1).await.unwrap(), Start::Closed);
    assert_eq!(workflow.start(&id, 2).await.unwrap(), Start::Running);
}

#[tokio::test]
async fn a_start_whose_answer_was_lost_counts() {
    let Some(emulator) = emulator() else { return };
    let (_, arn) = machine(&emulator).await;
    let wire = Lossy::to(&emulator).await;
    let client = aws_sdk_sfn::Client::new(&support::config(&wire.url).await);
    let workflow = StepFunctionsWorkflow::new(client, &arn);
    wire.lose_the_next_answer();
    assert_eq!(workflow.start(&support::random_id(), 1).await.unwrap(), Start::Running);
    assert!(wire.has_lost_it());
}

#[tokio::test]
async fn a_state_machine_that_does_not_exist_is_an_error() {
    let Some(emulator) = emulator() else { return };
    let client = aws_sdk_sfn::Client::new(&support::config(&emulator).await);
    let arn = "arn:aws:states:us-east-1:000000000000:stateMachine:none";
    let refused = StepFunctionsWorkflow::new(client, arn).start(&support::random_id(), 1).await;
    let cause = refused.unwrap_err().0.to_string();
    assert!(cause.contains("StateMachineDoesNotExist"), "{cause}");
}

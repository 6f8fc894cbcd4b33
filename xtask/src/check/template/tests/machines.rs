//! Tests of the checks of the Step Functions state machines against the template.

use super::{DefinitionFile, Project, assert_violations};

/// Definition of a state machine that starts the transfer state machine for each of several
/// documents.
const BATCH: &str = r#"{ "StartAt": "Each", "States": { "Each": {
    "Type": "Map", "Comment": "One execution a document.", "MaxConcurrency": 4,
    "ItemProcessor": { "StartAt": "One", "States": { "One": {
        "Type": "Task", "Comment": "Runs and waits.", "TimeoutSeconds": 172800,
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Arguments": { "StateMachineArn": "${TransferStateMachineArn}" },
        "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "Recorded" }], "End": true },
      "Recorded": { "Type": "Pass", "Comment": "The record contains the outcome.", "End": true } } },
    "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "Ended" }], "Next": "Ended" },
  "Ended": { "Type": "Succeed", "Comment": "All documents have ended." } } }"#;

/// The state machine of [`BATCH`] and its role, as resources of the template.
const BATCH_RESOURCES: &str = r#"
  BatchStateMachine:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: !Sub ${AWS::StackName}-batch
      DefinitionUri: statemachine/batch.asl.json
      DefinitionSubstitutions: { TransferStateMachineArn: !Ref TransferStateMachine }
      Role: !GetAtt BatchStateMachineRole.Arn
      Tags: { project: docferry, environment: !Ref Environment }
  BatchStateMachineRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - { Effect: Allow, Principal: { Service: states.amazonaws.com }, Action: sts:AssumeRole }
      Policies:
        - PolicyName: batch
          PolicyDocument:
            Statement:
              - { Effect: Allow, Action: states:StartExecution, Resource: !Ref TransferStateMachine }
              - Effect: Allow
                Action: [states:DescribeExecution, states:StopExecution]
                Resource: !Sub arn:aws:states:x:1:execution:${AWS::StackName}-transfer:????????????????????????????????-?
              - Effect: Allow
                Action: [events:DescribeRule, events:PutRule, events:PutTargets]
                Resource: !Sub arn:aws:events:x:1:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule
      Tags: [{ Key: project, Value: docferry }, { Key: environment, Value: !Ref Environment }]

Outputs:"#;

#[test]
fn task_timeout_not_above_the_function_timeout_is_reported() {
    assert_violations(
        &Project::unmodified()
            .workflow("\"TimeoutSeconds\": 90", "\"TimeoutSeconds\": 60")
            .workflow("\"TimeoutSeconds\": 930", "\"TimeoutSeconds\": 900"),
        &[
            "statemachine/transfer.asl.json: Push waits 60 s, not longer than the 60 s of PushFunction",
            "statemachine/transfer.asl.json: Upload waits 900 s, not longer than the 900 s of UploadFunction",
        ],
    );
}

#[test]
fn task_without_a_timeout_is_reported() {
    let project = Project::unmodified().workflow("      \"TimeoutSeconds\": 930,\n", "");
    assert!(
        project
            .violations()
            .contains(&"statemachine/transfer.asl.json: Upload has no TimeoutSeconds".to_owned())
    );
}

#[test]
fn unknown_function_of_a_task_and_missing_definition_are_reported() {
    assert_violations(
        &Project::unmodified().template(
            "PollFunctionArn: !GetAtt PollFunction.Arn",
            "PollFunctionArn: !GetAtt Poll.Arn",
        ),
        &[
            "statemachine/transfer.asl.json: Poll calls no function of the template",
            "TransferStateMachineRole needlessly allows lambda:InvokeFunction on PollFunction",
        ],
    );
    assert_violations(
        &Project::unmodified()
            .template("DefinitionUri: statemachine/transfer.asl.json", "DefinitionUri: gone.json"),
        &[
            "TransferStateMachine is defined by \"gone.json\", which does not exist",
            "statemachine/transfer.asl.json is not the definition of exactly one state machine",
        ],
    );
}

#[test]
fn missing_and_unneeded_permissions_of_a_state_machine_are_reported() {
    let poll_arn = "                  - !GetAtt PollFunction.Arn\n";
    assert_violations(
        &Project::unmodified().template(poll_arn, ""),
        &["TransferStateMachineRole lacks lambda:InvokeFunction on PollFunction"],
    );
    assert_violations(
        &Project::unmodified().template(poll_arn, &poll_arn.replace("Poll", "Sweep")),
        &[
            "TransferStateMachineRole lacks lambda:InvokeFunction on PollFunction",
            "TransferStateMachineRole needlessly allows lambda:InvokeFunction on SweepFunction",
        ],
    );
}

#[test]
fn nested_state_machine_needs_permissions_to_start_and_wait() {
    let mut project = Project::unmodified().template("\nOutputs:", BATCH_RESOURCES);
    let batch = DefinitionFile { path: "statemachine/batch.asl.json", text: BATCH.to_owned() };
    project.definitions.insert(0, batch);

    assert_violations(&project, &[]);

    assert_violations(
        &project
            .template("[states:DescribeExecution, states:StopExecution]", "states:StopExecution"),
        &[
            "BatchStateMachineRole lacks states:DescribeExecution on TransferStateMachine/executions",
        ],
    );
}

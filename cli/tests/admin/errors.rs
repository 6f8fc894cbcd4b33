//! Tests of the errors of `docferry admin`: unknown or ended transfers, missing settings, and
//! failures of AWS, with their exit codes.

use serde_json::json;
use wiremock::matchers::{body_string_contains, header};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::aws::{
    DEPLOYMENT_ARGS, STATE_MACHINE, TRANSFER_ID, aws_environment, aws_error, run_admin,
    serve_aws_call, stored_record,
};
use crate::support::jobs::json_response;
use crate::support::{assert_exit_code, assert_stderr_contains, stderr, unreachable_address};

#[tokio::test]
async fn admin_commands_exit_1_for_an_unknown_transfer() {
    let server = MockServer::start().await;
    serve_aws_call(
        &server,
        "DynamoDB_20120810.Query",
        json_response(&json!({"Items": [], "Count": 0})),
    )
    .await;
    serve_aws_call(&server, "DynamoDB_20120810.GetItem", json_response(&json!({}))).await;
    for command in ["inspect", "requeue"] {
        let args = [&[command, TRANSFER_ID][..], &DEPLOYMENT_ARGS].concat();
        let output = run_admin(&aws_environment(&server.uri()), &args).await;
        assert_exit_code(&output, 1);
        assert_stderr_contains(&output, "the transfer was not found");
    }
}

#[tokio::test]
async fn requeue_does_not_restart_an_ended_transfer() {
    let server = MockServer::start().await;
    serve_aws_call(
        &server,
        "DynamoDB_20120810.GetItem",
        json_response(&json!({"Item": stored_record("completed")})),
    )
    .await;

    let args = [&["requeue", TRANSFER_ID][..], &DEPLOYMENT_ARGS].concat();
    let output = run_admin(&aws_environment(&server.uri()), &args).await;

    assert_exit_code(&output, 1);
    assert!(stderr(&output).contains("not restarted: it has ended: completed"), "{output:?}");
    assert_eq!(server.received_requests().await.unwrap().len(), 1, "no other call is made");
}

#[tokio::test]
async fn table_and_state_machine_come_from_stack_outputs() {
    let server = MockServer::start().await;
    let stack_description = format!(
        "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">\
         <DescribeStacksResult><Stacks><member><StackName>d</StackName><StackStatus>CREATE_COMPLETE\
         </StackStatus><CreationTime>2026-11-23T09:00:00Z</CreationTime><Outputs>\
         <member><OutputKey>TransfersTable</OutputKey><OutputValue>its-table</OutputValue></member>\
         <member><OutputKey>StateMachineArn</OutputKey><OutputValue>{STATE_MACHINE}</OutputValue></member>\
         </Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
    );
    Mock::given(body_string_contains("Action=DescribeStacks"))
        .and(body_string_contains("StackName=docferry-prod"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(stack_description, "text/xml"))
        .mount(&server)
        .await;
    Mock::given(header("x-amz-target", "DynamoDB_20120810.Query"))
        .and(body_string_contains("\"its-table\""))
        .respond_with(json_response(&json!({"Items": [], "Count": 0})))
        .expect(1)
        .mount(&server)
        .await;

    let args = ["inspect", TRANSFER_ID, "--stack", "docferry-prod"];
    let output = run_admin(&aws_environment(&server.uri()), &args).await;

    assert_stderr_contains(&output, "was not found");
}

#[tokio::test]
async fn missing_permissions_exit_4_and_unreachable_aws_exits_5() {
    let server = MockServer::start().await;
    serve_aws_call(&server, "DynamoDB_20120810.Query", aws_error(400, "AccessDeniedException"))
        .await;
    serve_aws_call(&server, "DynamoDB_20120810.GetItem", aws_error(400, "AccessDeniedException"))
        .await;
    for command in ["inspect", "requeue"] {
        let args = [&[command, TRANSFER_ID][..], &DEPLOYMENT_ARGS].concat();
        let output = run_admin(&aws_environment(&server.uri()), &args).await;
        let shown = stderr(&output);
        assert_eq!(output.status.code(), Some(4), "{shown}");
        assert!(shown.contains("AccessDeniedException") && !shown.contains("ada@"), "{shown}");
        assert!(!shown.contains("operator-secret-5"), "{shown}");

        let output = run_admin(&aws_environment(&unreachable_address()), &args).await;
        assert_exit_code(&output, 5);
    }
}

#[tokio::test]
async fn missing_settings_and_an_invalid_id_are_reported() {
    let inspect = ["inspect", TRANSFER_ID];
    let inspect_in_deployment = [&inspect[..], &DEPLOYMENT_ARGS].concat();
    let region = [("AWS_REGION", "ca-central-1")];
    let empty_variables = [("DOCFERRY_STACK_NAME", ""), ("DOCFERRY_TABLE", "")];
    for (environment, args, exit_code, expected_text) in [
        (&[][..], &inspect[..], 1, "DOCFERRY_STACK_NAME"),
        (&empty_variables, &inspect, 1, "no deployment is selected"),
        (&[], &inspect_in_deployment, 1, "AWS_REGION"),
        (&region, &inspect_in_deployment, 4, "aws configure export-credentials"),
        (&region, &["inspect", "no-id"], 1, "32 hex digits"),
    ] {
        let output = run_admin(environment, args).await;
        assert_exit_code(&output, exit_code);
        assert_stderr_contains(&output, expected_text);
    }
}

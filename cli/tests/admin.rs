//! Tests of `docferry admin` against a mock of DynamoDB, Step Functions and CloudFormation.
//! The system tests run the command against the emulator.
#![cfg(feature = "admin")]
#![allow(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use support::{json_lines, stderr, stdout, unreachable_address};
use wiremock::matchers::{body_string_contains, header, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

const ID: &str = "0193567890abcdef0123456789abcdef";
const MACHINE: &str = "arn:aws:states:ca-central-1:123456789012:stateMachine:d-transfer";
const PLACE: [&str; 4] = ["--table", "transfers", "--state-machine", MACHINE];

/// Runs the real binary without the AWS configuration of this machine.
async fn admin(environment: &[(&str, &str)], args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_docferry"));
    command.arg("admin").args(args).stdin(Stdio::null()).env_clear();
    command.env("AWS_EC2_METADATA_DISABLED", "true").envs(environment.iter().copied());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn with_credentials(endpoint: &str) -> [(&'static str, &str); 4] {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", "ca-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIAOPERATOR"),
        ("AWS_SECRET_ACCESS_KEY", "operator-secret-5"),
    ]
}

async fn answer(server: &MockServer, target: &str, answer: ResponseTemplate) {
    Mock::given(method("POST"))
        .and(header("x-amz-target", target))
        .respond_with(answer)
        .mount(server)
        .await;
}

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn refused(status: u16, code: &str) -> ResponseTemplate {
    let kind = format!("com.amazonaws#{code}");
    ResponseTemplate::new(status)
        .set_body_json(json!({"__type": kind, "message": "ada@court.example may not"}))
}

/// A record of a transfer as stored in DynamoDB, written by hand.
fn record(phase: &str) -> Value {
    json!({
        "pk": {"S": format!("T#{ID}")}, "sk": {"S": "META"},
        "schemaVersion": {"N": "1"}, "transferId": {"S": ID}, "owner": {"S": "scv"},
        "objectGuid": {"S": "AAECAwQFBgcICQoLDA0ODw=="},
        "recipient": {"S": "ada@court.example"},
        "filePath": {"S": "Sealed matters"}, "folder": {"S": "Sealed matters"},
        "createdAt": {"S": "2026-11-23T09:00:00Z"}, "deadline": {"S": "2026-11-23T13:00:00Z"},
        "startedAt": {"S": "2026-11-23T09:00:01Z"},
        "attempt": {"N": "2"}, "epoch": {"N": "3"}, "phase": {"S": phase},
        "turn": {"S": "holding"}, "fromTheFuture": {"S": "never shown"},
        "source": {"M": {
            "key": {"S": "verdict.pdf"}, "name": {"S": "verdict.pdf"}, "size": {"N": "5000000"},
            "requestedAt": {"S": "2026-11-23T09:00:01Z"}, "pushedAt": {"S": "2026-11-23T09:00:02Z"},
        }},
        "checkpoint": {"M": {
            "offset": {"N": "2621440"}, "fragmentBytes": {"N": "327680"}, "sessions": {"N": "1"},
            "hash": {"M": {"register": {"S": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}, "len": {"N": "2621440"}}},
        }},
        "bytesDone": {"N": "2621440"}, "sweepShard": {"S": "U1"}, "dueAt": {"N": "1795424490000"},
    })
}

/// Serves a transfer that is uploading and whose second execution has died.
async fn dead_in_the_middle() -> MockServer {
    let server = MockServer::start().await;
    let items = json!([
        record("uploading"),
        {"pk": {"S": format!("T#{ID}")}, "sk": {"S": "SESSION#0"}, "epoch": {"N": "3"},
         "sealedUrl": {"B": "c2VhbGVk"}, "sessionExpiresAt": {"S": "2026-11-30T09:00:00Z"}},
        {"pk": {"S": format!("T#{ID}")}, "sk": {"S": "OUTBOX#1"}, "body": {"S": "never shown"}},
    ]);
    answer(&server, "DynamoDB_20120810.Query", ok(&json!({"Items": items, "Count": 3}))).await;
    let references = json!({"Item": {
        "pk": {"S": "K#verdict.pdf"}, "sk": {"S": "REFS"}, "refs": {"SS": [ID, "other"]},
    }});
    answer(&server, "DynamoDB_20120810.GetItem", ok(&references)).await;
    let execution = |attempt: u32, status: &str| {
        ok(&json!({
            "executionArn": "x", "stateMachineArn": MACHINE, "name": format!("{ID}-{attempt}"),
            "status": status, "startDate": 1_795_424_400.0, "stopDate": 1_795_424_460.0,
            "error": "NotFinalized", "cause": "never shown",
        }))
    };
    for (attempt, status) in [(1, "TIMED_OUT"), (2, "FAILED")] {
        Mock::given(header("x-amz-target", "AWSStepFunctions.DescribeExecution"))
            .and(body_string_contains(format!(":execution:d-transfer:{ID}-{attempt}")))
            .respond_with(execution(attempt, status))
            .mount(&server)
            .await;
    }
    server
}

#[tokio::test]
async fn inspect_shows_the_state_and_remaining_data_of_a_transfer() {
    let server = dead_in_the_middle().await;
    let args = [&["inspect", ID][..], &PLACE].concat();
    let output = admin(&with_credentials(&server.uri()), &args).await;
    let shown = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for part in [
        "phase         uploading, slot: holding\n",
        "attempt       2, upload epoch 3\n",
        "bytes         2621440 B (2.62 MB) of 5000000 B (5.00 MB)\n",
        "deadline      2026-11-23T13:00:00Z",
        "session       stored encrypted, epoch 3",
        "references    2 to its exchange key, including this transfer\n",
        "other items   OUTBOX#1\n",
        &format!("execution     {ID}-1  timed_out with NotFinalized, stopped 2026-11-23T"),
        &format!("execution     {ID}-2  failed"),
        "docferry admin requeue",
    ] {
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
}

#[tokio::test]
async fn inspect_shows_no_secrets_and_names_only_on_request() {
    let server = dead_in_the_middle().await;
    for format in [&[][..], &["--json"]] {
        let args = [&["inspect", ID][..], &PLACE, format].concat();
        let shown = stdout(&admin(&with_credentials(&server.uri()), &args).await);
        for secret in ["ada@", "verdict", "Sealed matters", "never shown", "c2VhbGVk"] {
            assert!(!shown.contains(secret), "{secret} is in\n{shown}");
        }
        let args = [&args[..], &["--show-names"]].concat();
        let shown = stdout(&admin(&with_credentials(&server.uri()), &args).await);
        for name in ["ada@court.example", "verdict.pdf", "Sealed matters"] {
            assert!(shown.contains(name), "{name} is missing in\n{shown}");
        }
        assert!(!shown.contains("never shown") && !shown.contains("c2VhbGVk"), "{shown}");
    }
}

/// All documents of a batch are stored under the batch's id.
#[tokio::test]
async fn inspect_shows_only_the_requested_document_of_a_batch() {
    let server = MockServer::start().await;
    let item = |sort: &str| json!({"pk": {"S": format!("T#{ID}")}, "sk": {"S": sort}});
    let mut document = record("accepted");
    document["sk"]["S"] = json!("DOC#0002");
    document["transferId"]["S"] = json!(format!("{ID}_0002"));
    document["turn"]["S"] = json!("queued");
    let others = ["BUNDLE", "COUNTS", "DOC#0001", "SESSION#0001", "OUTBOX#0001#1"].map(item);
    let items: Vec<Value> = others.into_iter().chain([document]).collect();
    answer(&server, "DynamoDB_20120810.Query", ok(&json!({"Items": items}))).await;
    answer(&server, "DynamoDB_20120810.GetItem", ok(&json!({}))).await;
    answer(&server, "AWSStepFunctions.DescribeExecution", refused(400, "ExecutionDoesNotExist"))
        .await;
    let id = format!("{ID}_0002");
    let args = [&["inspect", id.as_str(), "--json"][..], &PLACE].concat();
    let parsed = &json_lines(&admin(&with_credentials(&server.uri()), &args).await)[0];
    assert_eq!(parsed["record"]["turn"], "queued");
    assert_eq!(parsed["otherItems"], json!(["BUNDLE", "COUNTS"]));
    assert_eq!(parsed["session"], Value::Null);
    assert_eq!(parsed["executions"][0]["state"], "missing");
    assert_eq!(parsed["advice"], "The transfer is waiting for a slot.");

    let args = [&["inspect", ID][..], &PLACE].concat();
    let shown = stdout(&admin(&with_credentials(&server.uri()), &args).await);
    assert!(shown.contains("This is a batch") && shown.contains("DOC#0002"), "{shown}");
}

#[tokio::test]
async fn inspect_prints_json() {
    let server = dead_in_the_middle().await;
    let args = [&["inspect", ID, "--json"][..], &PLACE].concat();
    let lines = json_lines(&admin(&with_credentials(&server.uri()), &args).await);
    assert_eq!(lines.len(), 1);
    let parsed = &lines[0];
    assert_eq!(parsed["transferId"], ID);
    assert_eq!(parsed["record"]["phase"], "uploading");
    assert_eq!(parsed["record"]["checkpoint"]["offset"], 2_621_440);
    assert_eq!(parsed["session"]["epoch"], 3);
    assert_eq!(parsed["references"]["count"], 2);
    assert_eq!(parsed["executions"][1]["state"], "failed");
}

#[tokio::test]
async fn admin_commands_exit_1_for_an_unknown_transfer() {
    let server = MockServer::start().await;
    answer(&server, "DynamoDB_20120810.Query", ok(&json!({"Items": [], "Count": 0}))).await;
    answer(&server, "DynamoDB_20120810.GetItem", ok(&json!({}))).await;
    for command in ["inspect", "requeue"] {
        let args = [&[command, ID][..], &PLACE].concat();
        let output = admin(&with_credentials(&server.uri()), &args).await;
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("the transfer was not found"));
    }
}

#[tokio::test]
async fn requeue_refuses_an_ended_transfer() {
    let server = MockServer::start().await;
    answer(&server, "DynamoDB_20120810.GetItem", ok(&json!({"Item": record("completed")}))).await;
    let args = [&["requeue", ID][..], &PLACE].concat();
    let output = admin(&with_credentials(&server.uri()), &args).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("not restarted: it has ended: completed"), "{output:?}");
    assert_eq!(server.received_requests().await.unwrap().len(), 1, "no other call is made");
}

#[tokio::test]
async fn table_and_state_machine_come_from_stack_outputs() {
    let server = MockServer::start().await;
    let outputs = format!(
        "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">\
         <DescribeStacksResult><Stacks><member><StackName>d</StackName><StackStatus>CREATE_COMPLETE\
         </StackStatus><CreationTime>2026-11-23T09:00:00Z</CreationTime><Outputs>\
         <member><OutputKey>TransfersTable</OutputKey><OutputValue>its-table</OutputValue></member>\
         <member><OutputKey>StateMachineArn</OutputKey><OutputValue>{MACHINE}</OutputValue></member>\
         </Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
    );
    Mock::given(body_string_contains("Action=DescribeStacks"))
        .and(body_string_contains("StackName=docferry-prod"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(outputs, "text/xml"))
        .mount(&server)
        .await;
    Mock::given(header("x-amz-target", "DynamoDB_20120810.Query"))
        .and(body_string_contains("\"its-table\""))
        .respond_with(ok(&json!({"Items": [], "Count": 0})))
        .expect(1)
        .mount(&server)
        .await;
    let args = ["inspect", ID, "--stack", "docferry-prod"];
    let output = admin(&with_credentials(&server.uri()), &args).await;
    assert!(stderr(&output).contains("was not found"), "{}", stderr(&output));
}

#[tokio::test]
async fn missing_permissions_exit_4_and_unreachable_aws_exits_5() {
    let server = MockServer::start().await;
    answer(&server, "DynamoDB_20120810.Query", refused(400, "AccessDeniedException")).await;
    answer(&server, "DynamoDB_20120810.GetItem", refused(400, "AccessDeniedException")).await;
    for command in ["inspect", "requeue"] {
        let args = [&[command, ID][..], &PLACE].concat();
        let output = admin(&with_credentials(&server.uri()), &args).await;
        let shown = stderr(&output);
        assert_eq!(output.status.code(), Some(4), "{shown}");
        assert!(shown.contains("AccessDeniedException") && !shown.contains("ada@"), "{shown}");
        assert!(!shown.contains("operator-secret-5"), "{shown}");
        let output = admin(&with_credentials(&unreachable_address()), &args).await;
        assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    }
}

#[tokio::test]
async fn missing_settings_are_reported_by_name() {
    let inspect = ["inspect", ID];
    let with_place = [&inspect[..], &PLACE].concat();
    let region = [("AWS_REGION", "ca-central-1")];
    for (environment, args, code, text) in [
        (&[][..], &inspect[..], 1, "DOCFERRY_STACK_NAME"),
        (&[], &with_place, 1, "AWS_REGION"),
        (&region, &with_place, 4, "aws configure export-credentials"),
        (&region, &["inspect", "no-id"], 1, "32 hex digits"),
    ] {
        let output = admin(environment, args).await;
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(stderr(&output).contains(text), "{}", stderr(&output));
    }
}

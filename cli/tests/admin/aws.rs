//! Mock of DynamoDB, Step Functions and CloudFormation, and runs of the command against it.

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use wiremock::matchers::{body_string_contains, header, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::jobs::json_response;

/// Id of the transfer in the mock.
pub(crate) const TRANSFER_ID: &str = "0193567890abcdef0123456789abcdef";

/// ARN of the state machine that runs transfers.
pub(crate) const STATE_MACHINE: &str =
    "arn:aws:states:ca-central-1:123456789012:stateMachine:d-transfer";

/// Arguments that name the table and the state machine.
pub(crate) const DEPLOYMENT_ARGS: [&str; 4] =
    ["--table", "transfers", "--state-machine", STATE_MACHINE];

/// Runs the real binary without the AWS configuration of this machine.
pub(crate) async fn run_admin(environment: &[(&str, &str)], args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_docferry"));
    command.arg("admin").args(args).stdin(Stdio::null()).env_clear();
    command.env("AWS_EC2_METADATA_DISABLED", "true").envs(environment.iter().copied());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// Environment with the credentials of an operator, and the address of the mock.
pub(crate) fn aws_environment(endpoint: &str) -> [(&'static str, &str); 4] {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", "ca-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIAOPERATOR"),
        ("AWS_SECRET_ACCESS_KEY", "operator-secret-5"),
    ]
}

/// Serves the AWS operation that the `x-amz-target` header names.
pub(crate) async fn serve_aws_call(server: &MockServer, target: &str, response: ResponseTemplate) {
    Mock::given(method("POST"))
        .and(header("x-amz-target", target))
        .respond_with(response)
        .mount(server)
        .await;
}

/// Error response of AWS. Its message contains an email address, which must not be printed.
pub(crate) fn aws_error(status: u16, code: &str) -> ResponseTemplate {
    let error_type = format!("com.amazonaws#{code}");
    ResponseTemplate::new(status)
        .set_body_json(json!({"__type": error_type, "message": "ada@court.example may not"}))
}

/// Sealed URL of the upload session: base64 of `sealed`. It must not be printed.
pub(crate) const SEALED_URL: &str = "c2VhbGVk";

/// Returns the record of a transfer as stored in DynamoDB, written by hand.
pub(crate) fn stored_record(phase: &str) -> Value {
    json!({
        "pk": {"S": format!("T#{TRANSFER_ID}")}, "sk": {"S": "META"},
        "schemaVersion": {"N": "1"}, "transferId": {"S": TRANSFER_ID}, "owner": {"S": "scv"},
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
pub(crate) async fn start_aws_with_dead_transfer() -> MockServer {
    let server = MockServer::start().await;
    let items = json!([
        stored_record("uploading"),
        {"pk": {"S": format!("T#{TRANSFER_ID}")}, "sk": {"S": "SESSION#0"}, "epoch": {"N": "3"},
         "sealedUrl": {"B": SEALED_URL}, "sessionExpiresAt": {"S": "2026-11-30T09:00:00Z"}},
        {"pk": {"S": format!("T#{TRANSFER_ID}")}, "sk": {"S": "OUTBOX#1"}, "body": {"S": "never shown"}},
    ]);
    serve_aws_call(
        &server,
        "DynamoDB_20120810.Query",
        json_response(&json!({"Items": items, "Count": 3})),
    )
    .await;
    let references = json!({"Item": {
        "pk": {"S": "K#verdict.pdf"}, "sk": {"S": "REFS"}, "refs": {"SS": [TRANSFER_ID, "other"]},
    }});
    serve_aws_call(&server, "DynamoDB_20120810.GetItem", json_response(&references)).await;
    // The start is 2026-11-23T09:00:00Z, and the end is one minute later.
    let execution = |execution_number: u32, status: &str| {
        json_response(&json!({
            "executionArn": "x", "stateMachineArn": STATE_MACHINE, "name": format!("{TRANSFER_ID}-{execution_number}"),
            "status": status, "startDate": 1_795_424_400.0, "stopDate": 1_795_424_460.0,
            "error": "NotFinalized", "cause": "never shown",
        }))
    };
    for (execution_number, status) in [(1, "TIMED_OUT"), (2, "FAILED")] {
        Mock::given(header("x-amz-target", "AWSStepFunctions.DescribeExecution"))
            .and(body_string_contains(format!(
                ":execution:d-transfer:{TRANSFER_ID}-{execution_number}"
            )))
            .respond_with(execution(execution_number, status))
            .mount(&server)
            .await;
    }
    server
}

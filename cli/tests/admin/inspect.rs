//! Tests of the output of `docferry admin inspect`, which shows the stored state of a transfer.

use serde_json::{Value, json};
use wiremock::MockServer;

use crate::aws::{
    DEPLOYMENT_ARGS, SEALED_URL, TRANSFER_ID, aws_environment, aws_error, run_admin,
    serve_aws_call, start_aws_with_dead_transfer, stored_record,
};
use crate::support::jobs::json_response;
use crate::support::{assert_exit_code, json_lines, stdout};

#[tokio::test]
async fn inspect_shows_the_state_and_remaining_data_of_a_transfer() {
    let server = start_aws_with_dead_transfer().await;
    let args = [&["inspect", TRANSFER_ID][..], &DEPLOYMENT_ARGS].concat();
    let output = run_admin(&aws_environment(&server.uri()), &args).await;
    let shown = stdout(&output);
    assert_exit_code(&output, 0);
    for part in [
        "phase         uploading, slot: holding\n",
        "attempt       2, upload epoch 3\n",
        "bytes         2621440 B (2.62 MB) of 5000000 B (5.00 MB)\n",
        "deadline      2026-11-23T13:00:00Z",
        "session       stored encrypted, epoch 3",
        "references    2 to its exchange key, including this transfer\n",
        "other items   OUTBOX#1\n",
        &format!("execution     {TRANSFER_ID}-1  timed_out with NotFinalized, stopped 2026-11-23T"),
        &format!("execution     {TRANSFER_ID}-2  failed"),
        "docferry admin requeue",
    ] {
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
}

#[tokio::test]
async fn inspect_shows_no_secrets_and_names_only_on_request() {
    let server = start_aws_with_dead_transfer().await;
    for format in [&[][..], &["--json"]] {
        let args = [&["inspect", TRANSFER_ID][..], &DEPLOYMENT_ARGS, format].concat();
        let shown = stdout(&run_admin(&aws_environment(&server.uri()), &args).await);
        for secret in ["ada@", "verdict", "Sealed matters", "never shown", SEALED_URL] {
            assert!(!shown.contains(secret), "{secret} is in\n{shown}");
        }

        let args = [&args[..], &["--show-names"]].concat();
        let shown = stdout(&run_admin(&aws_environment(&server.uri()), &args).await);
        for name in ["ada@court.example", "verdict.pdf", "Sealed matters"] {
            assert!(shown.contains(name), "{name} is missing in\n{shown}");
        }
        assert!(!shown.contains("never shown") && !shown.contains(SEALED_URL), "{shown}");
    }
}

/// All documents of a batch are stored under the batch's id.
#[tokio::test]
async fn inspect_shows_only_the_requested_document_of_a_batch() {
    let server = MockServer::start().await;
    let item =
        |sort_key: &str| json!({"pk": {"S": format!("T#{TRANSFER_ID}")}, "sk": {"S": sort_key}});
    let mut document = stored_record("accepted");
    document["sk"]["S"] = json!("DOC#0002");
    document["transferId"]["S"] = json!(format!("{TRANSFER_ID}_0002"));
    document["turn"]["S"] = json!("queued");
    let other_items = ["BUNDLE", "COUNTS", "DOC#0001", "SESSION#0001", "OUTBOX#0001#1"].map(item);
    let items: Vec<Value> = other_items.into_iter().chain([document]).collect();
    serve_aws_call(&server, "DynamoDB_20120810.Query", json_response(&json!({"Items": items})))
        .await;
    serve_aws_call(&server, "DynamoDB_20120810.GetItem", json_response(&json!({}))).await;
    serve_aws_call(
        &server,
        "AWSStepFunctions.DescribeExecution",
        aws_error(400, "ExecutionDoesNotExist"),
    )
    .await;

    let document_id = format!("{TRANSFER_ID}_0002");
    let args = [&["inspect", document_id.as_str(), "--json"][..], &DEPLOYMENT_ARGS].concat();
    let inspection = &json_lines(&run_admin(&aws_environment(&server.uri()), &args).await)[0];
    assert_eq!(inspection["record"]["turn"], "queued");
    assert_eq!(inspection["otherItems"], json!(["BUNDLE", "COUNTS"]));
    assert_eq!(inspection["session"], Value::Null);
    assert_eq!(inspection["executions"][0]["state"], "missing");
    assert_eq!(inspection["advice"], "The transfer is waiting for a slot.");

    let args = [&["inspect", TRANSFER_ID][..], &DEPLOYMENT_ARGS].concat();
    let shown = stdout(&run_admin(&aws_environment(&server.uri()), &args).await);
    assert!(shown.contains("This is a batch") && shown.contains("DOC#0002"), "{shown}");
}

#[tokio::test]
async fn inspect_with_json_prints_one_document() {
    let server = start_aws_with_dead_transfer().await;
    let args = [&["inspect", TRANSFER_ID, "--json"][..], &DEPLOYMENT_ARGS].concat();
    let lines = json_lines(&run_admin(&aws_environment(&server.uri()), &args).await);
    assert_eq!(lines.len(), 1);
    let inspection = &lines[0];
    assert_eq!(inspection["transferId"], TRANSFER_ID);
    assert_eq!(inspection["record"]["phase"], "uploading");
    assert_eq!(inspection["record"]["checkpoint"]["offset"], 2_621_440);
    assert_eq!(inspection["session"]["epoch"], 3);
    assert_eq!(inspection["references"]["count"], 2);
    assert_eq!(inspection["executions"][1]["state"], "failed");
}

//! Tests of the command-line program `docferry` with the deployed system: it cancels, inspects,
//! restarts and downloads.

use docferry_system_tests::{
    MIB, SHORT_TIMEOUT, Sandbox, docferry, eventually, json_of_success, stdout_of_success,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Arguments that name the stack that is deployed for tests.
const STACK_ARGUMENTS: [&str; 2] = ["--stack", "docferry-local"];

/// Returns the JSON output of `docferry admin inspect`.
async fn inspect(sandbox: &Sandbox, id: &str) -> Value {
    let args = [&["--json", "admin", "inspect", id][..], &STACK_ARGUMENTS].concat();
    json_of_success(&docferry(&sandbox.stack, &args).await)
}

/// Starts a transfer with low bandwidth and waits until the first bytes are acknowledged. The
/// arrival of the document counts 10 percent, so a higher value shows acknowledged bytes.
async fn start_slow_upload(sandbox: &Sandbox) -> String {
    sandbox.limit_bandwidth(2 * MIB).await;
    let id = sandbox.send().await;
    eventually("bytes are acknowledged", SHORT_TIMEOUT, async || {
        Some(sandbox.api.status(&id).await).filter(|status| status.percent_transfered > 10)
    })
    .await;
    id
}

#[tokio::test]
async fn cancel_command_stops_an_upload_and_leaves_no_temporary_data() {
    let sandbox = Sandbox::new().await;
    sandbox.document(40 * MIB).await;
    let id = start_slow_upload(&sandbox).await;
    let printed_text =
        stdout_of_success(&docferry(&sandbox.stack, &["cancel", &id, "--watch"]).await);
    assert!(printed_text.contains("cancel requested"), "{printed_text}");
    assert!(printed_text.contains("stopped on request"), "{printed_text}");
    assert!(sandbox.graph.files(&sandbox.email).await.is_empty());
    sandbox.assert_no_leftovers(&id).await;
}

#[tokio::test]
async fn cancel_command_keeps_a_completed_document() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(MIB).await;
    let (id, _) = sandbox.deliver(&document).await;
    let printed_text = stdout_of_success(&docferry(&sandbox.stack, &["cancel", &id]).await);
    assert!(printed_text.contains("already completed; the document stays"), "{printed_text}");
    assert_eq!(sandbox.only_file_of(&sandbox.email).await.size, document.size);
}

#[tokio::test]
async fn inspect_hides_names_without_show_names() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(MIB).await;
    let (id, _) = sandbox.deliver(&document).await;
    let inspection = inspect(&sandbox, &id).await;
    assert_eq!(inspection["record"]["phase"], "completed");
    assert_eq!(inspection["record"]["bytesDone"], document.size);

    assert_eq!(inspection["session"], Value::Null);
    assert_eq!(inspection["references"]["count"], 0);
    assert_eq!(inspection["executions"][0]["state"], "succeeded");

    let args = [&["admin", "inspect", &id][..], &STACK_ARGUMENTS].concat();
    let text = stdout_of_success(&docferry(&sandbox.stack, &args).await);
    for output in [&text, &inspection.to_string()] {
        assert!(!output.contains(&sandbox.tag), "an address or a name is in {output}");
    }

    let args = [&args[..], &["--show-names"]].concat();
    let text = stdout_of_success(&docferry(&sandbox.stack, &args).await);
    for name in [&sandbox.email, &sandbox.file_name, &sandbox.folder] {
        assert!(text.contains(name.as_str()), "{name} is missing in {text}");
    }
}

#[tokio::test]
async fn requeue_restarts_a_dead_transfer_and_refuses_a_running_one() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(60 * MIB).await;
    let id = start_slow_upload(&sandbox).await;
    let inspection = inspect(&sandbox, &id).await;
    assert_eq!(inspection["executions"][0]["state"], "running");
    assert!(inspection["session"].is_object(), "{inspection}");
    assert_eq!(inspection["references"]["thisTransfer"], true, "{inspection}");

    let requeue_arguments = [&["--json", "admin", "requeue", &id][..], &STACK_ARGUMENTS].concat();
    let refused = docferry(&sandbox.stack, &requeue_arguments).await;
    let reason = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1));
    assert!(reason.contains("not restarted: its execution of attempt 1 runs"), "{reason}");

    assert!(sandbox.cloud.stop_execution(&id, 1).await.is_some());
    assert_eq!(sandbox.cloud.wait_for_execution(&id).await, "ABORTED");
    let requeued = json_of_success(&docferry(&sandbox.stack, &requeue_arguments).await);
    assert_eq!(requeued["execution"], format!("{id}-2"));
    assert_eq!(requeued["nextAttempt"], true);

    sandbox.limit_bandwidth(64 * MIB).await;
    let status = sandbox.wait_for_end(SHORT_TIMEOUT, &id).await;
    assert_eq!((status.error, status.percent_transfered), (false, 100), "{status:?}");

    let file = sandbox.only_file_of(&sandbox.email).await;
    assert_eq!((file.size, &file.sha256), (document.size, &document.sha256));
    eventually("the new execution ends", SHORT_TIMEOUT, async || {
        let inspection = inspect(&sandbox, &id).await;
        (inspection["executions"][1]["state"] == "succeeded").then_some(())
    })
    .await;
    assert!(sandbox.open_sessions().await.is_empty());
    assert_eq!(sandbox.cloud.exchange_object_size(&sandbox.file_name).await, None);

    let refused = docferry(&sandbox.stack, &requeue_arguments).await;
    let reason = String::from_utf8_lossy(&refused.stderr);
    assert!(reason.contains("not restarted: it has ended: completed"), "{reason}");
}

#[tokio::test]
async fn command_cancels_lists_retries_and_downloads_jobs() {
    let sandbox = Sandbox::new().await;
    let (file_id, document) = sandbox.indexed_document(1000, &[("moverDelayMs", "8000")]).await;
    let stack = &sandbox.stack;
    let id = sandbox.api.create_job(&json!({ "file_id": file_id })).await;

    let printed_text = stdout_of_success(&docferry(stack, &["cancel", &id, "--watch"]).await);
    assert!(printed_text.contains(&id), "{printed_text}");
    let list_arguments = ["list", "--status", "canceled", "--limit", "100", "--json"];
    assert!(stdout_of_success(&docferry(stack, &list_arguments).await).contains(&id));

    // The command itself waits until the first run is cleaned up.
    let retried = stdout_of_success(&docferry(stack, &["retry", &id, "--watch"]).await);
    assert!(retried.contains("completed"), "{retried}");

    let output_file = std::env::temp_dir().join(&sandbox.file_name);
    let get_arguments = ["get", &file_id.to_string(), "--output", output_file.to_str().unwrap()];
    assert!(docferry(stack, &get_arguments).await.status.success());

    let bytes = std::fs::read(&output_file).unwrap();
    let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, document.sha256);
    // An existing file is not replaced without --force.
    assert!(!docferry(stack, &get_arguments).await.status.success());
    std::fs::remove_file(&output_file).unwrap();
}

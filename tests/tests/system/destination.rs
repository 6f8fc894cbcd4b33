//! Tests of transfers for which Microsoft Graph, the destination, reports an error: the failure that
//! the caller sees, and the retries and pauses before.

use docferry_system_tests::{FailureCode, LONG_TIMEOUT, MIB, SHORT_TIMEOUT, Sandbox};
use serde_json::json;

/// Value of `count` in a fault rule that fires without limit.
const UNLIMITED: u32 = 0;

#[tokio::test]
async fn unknown_recipient_fails_with_recipient_not_found() {
    let mut sandbox = Sandbox::new().await;
    sandbox.email = format!("unknown-{}@docferry.example", sandbox.tag);
    sandbox.document(1000).await;
    sandbox.assert_fails_cleanly(FailureCode::RecipientNotFound, SHORT_TIMEOUT).await;
}

#[tokio::test]
async fn recipient_without_onedrive_fails_with_drive_not_provisioned() {
    let sandbox = Sandbox::new().await;
    sandbox.graph.put_user(&sandbox.email, &[("drive", "false")]).await;
    sandbox.document(1000).await;
    sandbox.assert_fails_cleanly(FailureCode::DriveNotProvisioned, SHORT_TIMEOUT).await;
}

#[tokio::test]
async fn empty_document_without_onedrive_fails_with_drive_not_provisioned() {
    let sandbox = Sandbox::new().await;
    sandbox.graph.put_user(&sandbox.email, &[("drive", "false")]).await;
    sandbox.document(0).await;
    sandbox.assert_fails_cleanly(FailureCode::DriveNotProvisioned, SHORT_TIMEOUT).await;
}

#[tokio::test]
async fn full_onedrive_fails_immediately_with_quota_exceeded() {
    let sandbox = Sandbox::new().await;
    sandbox.graph.put_user(&sandbox.email, &[("quota", "999")]).await;
    sandbox.document(1000).await;
    let (id, _) = sandbox.assert_fails_cleanly(FailureCode::QuotaExceeded, SHORT_TIMEOUT).await;
    assert_eq!(sandbox.cloud.history(&id).await.entered("Upload"), 1);
}

/// Returns a rule by which `count` requests get the error that a user has locked the file.
fn locked_file_fault(count: u32) -> serde_json::Value {
    json!({
        "operation": "simplePut", "status": 423, "code": "resourceLocked", "count": count,
    })
}

#[tokio::test]
async fn upload_to_a_locked_file_is_retried() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(1000).await;
    sandbox.graph_faults([locked_file_fault(1)]).await;

    let (id, _) = sandbox.deliver(&document).await;

    assert_eq!(sandbox.cloud.history(&id).await.entered("Upload"), 1, "retried within the state");
}

#[tokio::test]
async fn upload_to_a_permanently_locked_file_fails_with_destination_locked() {
    let sandbox = Sandbox::new().await;
    sandbox.document(1000).await;
    sandbox.graph_faults([locked_file_fault(UNLIMITED)]).await;
    sandbox.assert_fails_cleanly(FailureCode::DestinationLocked, LONG_TIMEOUT).await;
}

#[tokio::test]
async fn file_with_wrong_hash_fails_verification() {
    let sandbox = Sandbox::new().await;
    sandbox.document(1000).await;
    sandbox.graph_faults([json!({ "operation": "simplePut", "corruptHash": true })]).await;
    let (_, status) =
        sandbox.assert_fails_cleanly(FailureCode::VerificationFailed, SHORT_TIMEOUT).await;
    assert!(status.percent_transfered < 100);
}

/// The URL of the first session is lost with the response. docferry cannot use that session,
/// so it expires in Graph.
#[tokio::test]
async fn lost_session_response_opens_another_session() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(5 * MIB).await;
    sandbox.graph_faults([json!({ "operation": "createSession", "dropResponse": true })]).await;
    let id = sandbox.send().await;
    let status = sandbox.wait_for_end(SHORT_TIMEOUT, &id).await;
    assert_eq!((status.error, status.percent_transfered), (false, 100), "{status:?}");
    sandbox.assert_faults_fired().await;
    let file = sandbox.only_file_of(&sandbox.email).await;
    assert_eq!((file.sha256, file.sessions, file.versions), (document.sha256, 2, 1));
    sandbox.assert_no_leftovers(&id).await;
}

/// Lifetime of upload sessions in the test stack, in seconds.
const SESSION_SECONDS: u64 = 30;

/// Value of `Retry-After` in seconds that is longer than one wait of the workflow.
const LONG_RETRY_AFTER: u32 = 62;

#[tokio::test]
async fn short_retry_after_pauses_within_the_invocation() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(12 * MIB).await;
    sandbox.graph_faults([throttled_fault(2)]).await;
    let (id, file) = sandbox.deliver(&document).await;
    assert_eq!(file.sessions, 1);
    assert_eq!(sandbox.cloud.history(&id).await.entered("Pause"), 0);
    assert!(seconds_after_throttling(&sandbox).await >= 2);
}

/// The test stack shortens the pauses of the workflow. But the transfer's record contains the time at
/// which Graph's `Retry-After` ends, and docferry sends nothing before it. So this test takes longer
/// than a minute.
#[tokio::test]
async fn long_retry_after_pauses_the_workflow() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(25 * MIB).await;
    sandbox.graph_faults([throttled_fault(LONG_RETRY_AFTER)]).await;
    // Real upload sessions live longer than this pause, but sessions of the test stack do not.
    sandbox.graph.set_session_lifetime(900).await;
    let id = sandbox.send().await;
    let file = sandbox.wait_for_delivery(LONG_TIMEOUT, &id, &document).await;
    sandbox.graph.set_session_lifetime(SESSION_SECONDS).await;
    assert_eq!(file.sessions, 1, "the session is reused after the pause");

    let history = sandbox.cloud.history(&id).await;
    let wait_seconds: Vec<_> = history
        .outputs("Upload")
        .iter()
        .map(|output| output["waitSeconds"].as_u64().unwrap())
        .collect();
    // The workflow waits at most 60 s at a time, and zero means that the upload is complete.
    assert_eq!(wait_seconds.first(), Some(&60), "{wait_seconds:?}");
    assert_eq!(wait_seconds.last(), Some(&0), "{wait_seconds:?}");
    let pause_count = wait_seconds.iter().filter(|seconds| **seconds > 0).count();
    assert_eq!(history.entered("Pause"), pause_count);
    assert!(seconds_after_throttling(&sandbox).await >= i64::from(LONG_RETRY_AFTER));
}

/// Returns a rule by which the second fragment of an upload gets status 429 with `Retry-After`.
fn throttled_fault(retry_after: u32) -> serde_json::Value {
    json!({
        "operation": "fragment", "position": 2, "status": 429, "retryAfter": retry_after,
        "code": "activityLimitReached",
    })
}

/// Returns the time from Graph's 429 to the next request, in seconds by Graph's clock.
async fn seconds_after_throttling(sandbox: &Sandbox) -> i64 {
    let requests = sandbox.graph.simulator.requests(&sandbox.tag).await;
    let throttled = requests.iter().position(|request| request.status == Some(429)).unwrap();
    let next = &requests[throttled + 1];
    // The time of a request is the time of its end. The next request takes almost no time.
    next.at.duration_since(requests[throttled].at).as_secs()
}

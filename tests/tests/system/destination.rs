//! Tests of errors of Microsoft Graph and the failures that are reported for them.

use docferry_system_tests::{FailureCode, LONG_TIMEOUT, MIB, SHORT_TIMEOUT, Sandbox};
use serde_json::json;

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

#[tokio::test]
async fn locked_file_is_retried_and_fails_with_destination_locked() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(1000).await;
    let locked = |count: u32| json!({ "operation": "simplePut", "status": 423, "code": "resourceLocked", "count": count });
    sandbox.graph_faults([locked(1)]).await;
    let (id, _) = sandbox.deliver(&document).await;
    assert_eq!(sandbox.cloud.history(&id).await.entered("Upload"), 1, "retried within the state");

    let sandbox = Sandbox::new().await;
    sandbox.document(1000).await;
    sandbox.graph_faults([locked(0)]).await;
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

/// The URL of the first session is lost with the response, so that session expires in Graph.
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

/// Lifetime of upload sessions in the test stack.
const SESSION_SECONDS: u64 = 30;

#[tokio::test]
async fn short_retry_after_is_waited_within_the_invocation() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(12 * MIB).await;
    sandbox.graph_faults([throttled(2)]).await;
    let (id, file) = sandbox.deliver(&document).await;
    assert_eq!(file.sessions, 1);
    assert_eq!(sandbox.cloud.history(&id).await.entered("Pause"), 0);
    assert!(waited_seconds(&sandbox).await >= 2);
}

/// The pauses of the workflow are shortened in the test stack. But the end of Graph's
/// `Retry-After` is in the record and is respected, so this test takes at least that long.
#[tokio::test]
async fn workflow_waits_a_long_retry_after_in_minutes() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(25 * MIB).await;
    sandbox.graph_faults([throttled(62)]).await;
    // Sessions of OneDrive outlive such a pause; those of the test stack do not.
    sandbox.graph.set_session_lifetime(900).await;
    let id = sandbox.send().await;
    let file = sandbox.wait_for_delivery(LONG_TIMEOUT, &id, &document).await;
    sandbox.graph.set_session_lifetime(SESSION_SECONDS).await;
    assert_eq!(file.sessions, 1, "the session is reused after the pause");

    let history = sandbox.cloud.history(&id).await;
    let waits: Vec<_> = history
        .outputs("Upload")
        .iter()
        .map(|output| output["waitSeconds"].as_u64().unwrap())
        .collect();
    assert_eq!((waits.first(), waits.last()), (Some(&60), Some(&0)), "{waits:?}");
    assert_eq!(history.entered("Pause"), waits.iter().filter(|wait| **wait > 0).count());
    assert!(waited_seconds(&sandbox).await >= 62);
}

fn throttled(retry_after: u32) -> serde_json::Value {
    json!({
        "operation": "fragment", "position": 2, "status": 429, "retryAfter": retry_after,
        "code": "activityLimitReached",
    })
}

/// Returns the time from Graph's 429 to the next request, in seconds by Graph's clock.
async fn waited_seconds(sandbox: &Sandbox) -> i64 {
    let requests = sandbox.graph.0.requests(&sandbox.tag).await;
    let throttled = requests.iter().position(|request| request.status == Some(429)).unwrap();
    let next = &requests[throttled + 1];
    // A request is logged when it ends; the next request takes almost no time.
    next.at.duration_since(requests[throttled].at).as_secs()
}

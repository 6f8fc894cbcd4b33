//! Tests of the progress of a transfer, as a client sees it that polls the status.

use docferry_system_tests::{MIB, SHORT_TIMEOUT, Sandbox, eventually};
use jiff::Timestamp;
use serde_json::json;

/// Regression: the progress of the old service stayed at 10 for documents above 29 MB, and its
/// delivery time depended on a value of exactly 100.
#[tokio::test]
async fn progress_never_decreases_and_matches_stored_bytes() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document_with(40 * MIB, &[("moverDelayMs", "1500")]).await;
    sandbox.source_faults([json!({ "operation": "push", "delayMs": 800 })]).await;
    sandbox.limit_bandwidth(12 * MIB).await;
    let id = sandbox.send().await;

    let mut seen_percents = Vec::new();
    let last_status = eventually("the transfer ends", SHORT_TIMEOUT, async || {
        let status = sandbox.api.status(&id).await;
        let percent = status.percent_transfered;
        assert!(seen_percents.last() <= Some(&percent), "{percent} after {seen_percents:?}");
        assert!(!status.error);
        if percent > 0 {
            assert_eq!(sandbox.ords.document(&sandbox.guid).await.pushes, 1);
            assert_eq!(status.file_size, document.size);
        }
        if percent > 10 {
            // The sessions are read after the status, so they must have at least the bytes that
            // the status reports.
            let sessions = sandbox.graph.sessions(&sandbox.email).await;
            let stored_bytes = sessions.iter().map(|session| session.next_offset).max().unwrap();
            assert!(
                u64::from(percent) <= 10 + 90 * stored_bytes / document.size,
                "{percent} {stored_bytes}"
            );
        }
        if percent == 100 {
            assert_eq!(sandbox.only_file_of(&sandbox.email).await.sha256, document.sha256);
        }
        assert_eq!(status.has_ended(), percent == 100);
        seen_percents.push(percent);
        status.has_ended().then_some(status)
    })
    .await;

    seen_percents.dedup();
    assert!(seen_percents.len() >= 4, "{seen_percents:?}");
    assert!(seen_percents.starts_with(&[0, 10]), "{seen_percents:?}");
    assert_eq!(seen_percents.last(), Some(&100), "{seen_percents:?}");

    let start: Timestamp = last_status.start_delivery_dtm.unwrap().parse().unwrap();
    let end: Timestamp = last_status.end_delivery_dtm.unwrap().parse().unwrap();
    assert!(start < end);
    sandbox.assert_no_leftovers(&id).await;
}

#[tokio::test]
async fn status_times_have_a_numeric_utc_offset() {
    let sandbox = Sandbox::new().await;
    let document = sandbox.document(10).await;
    let (id, _) = sandbox.deliver(&document).await;
    let status = sandbox.api.status(&id).await;
    for time in [status.start_delivery_dtm, status.end_delivery_dtm] {
        let time = time.unwrap();
        let offset = &time[time.len() - "+00:00".len()..];
        assert!(matches!(offset.as_bytes(), [b'+' | b'-', _, _, b':', _, _]), "{time}");
        time.parse::<Timestamp>().unwrap();
    }
}

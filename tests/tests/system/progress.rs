//! Tests of the progress that a polling client sees.

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

    let mut seen = Vec::new();
    let last = eventually("the transfer ends", SHORT_TIMEOUT, async || {
        let status = sandbox.api.status(&id).await;
        let percent = status.percent_transfered;
        assert!(seen.last() <= Some(&percent), "{percent} after {seen:?}");
        assert!(!status.error);
        if percent > 0 {
            assert_eq!(sandbox.ords.document(&sandbox.guid).await.pushes, 1);
            assert_eq!(status.file_size, document.size);
        }
        if percent > 10 {
            // The sessions are read after the status, so they have at least the bytes that the
            // status claims.
            let sessions = sandbox.graph.sessions(&sandbox.email).await;
            let stored = sessions.iter().map(|session| session.next_offset).max().unwrap();
            assert!(u64::from(percent) <= 10 + 90 * stored / document.size, "{percent} {stored}");
        }
        if percent == 100 {
            assert_eq!(sandbox.only_file_of(&sandbox.email).await.sha256, document.sha256);
        }
        assert_eq!(status.has_ended(), percent == 100);
        seen.push(percent);
        status.has_ended().then_some(status)
    })
    .await;

    seen.dedup();
    assert!(seen.len() >= 4, "{seen:?}");
    assert_eq!((seen[0], seen[1], seen.last()), (0, 10, Some(&100)), "{seen:?}");

    let start: Timestamp = last.start_delivery_dtm.unwrap().parse().unwrap();
    let end: Timestamp = last.end_delivery_dtm.unwrap().parse().unwrap();
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
        let offset = &time[time.len() - 6..];
        assert!(matches!(offset.as_bytes(), [b'+' | b'-', _, _, b':', _, _]), "{time}");
        time.parse::<Timestamp>().unwrap();
    }
}

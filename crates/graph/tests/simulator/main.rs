//! Tests of the client of Microsoft Graph against a simulator. The simulator was written from the
//! contract of Graph alone, without knowledge of the client, and rejects requests that violate it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod bench;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use bench::{FRAGMENT_SIZE, SimulatedGraph, USER_WITHOUT_DRIVE, assert_is_document, destination};
use docferry_app::ports::{ConflictPolicy, Destination, Drive as _, DriveError, FragmentResult};
use docferry_domain::upload::ExpectedRange;
use serde_json::{Value, json};
use support::{range, stream_failing_after};

/// Returns the destination that most tests use.
fn ordinary_destination() -> Destination {
    destination("ada@court.example", "", "a.pdf")
}

#[tokio::test]
async fn documents_and_recipients_with_special_names_are_delivered() {
    let graph = SimulatedGraph::start().await;
    let size = 2 * FRAGMENT_SIZE + 17;
    for (recipient, folder, name) in [
        ("ada@court.example", "", "plain.pdf"),
        ("ADA@court.example", "A/B & C", "l'été 50% #3 + 1.pdf"),
        ("ben#EXT#@court.example", "法廷/Строка", "emoji 😀 ~ (1).pdf"),
        ("$cas@court.example", "x=1;y", "a&b=c@d,e!$.pdf"),
    ] {
        let dest = destination(recipient, folder, name);
        assert_eq!(graph.drive.find(&dest).await.unwrap(), None, "{name}");
        let session = graph.create_session(&dest, size).await;
        assert!(session.url.expose().contains('\''), "the simulator's URLs contain a quote");
        assert!(session.expires_at.is_some());
        assert_eq!(graph.next_offset(&session).await, Some(0));

        let result = graph.put_range(&session, 0, FRAGMENT_SIZE, size).await.unwrap();
        assert_eq!(
            result,
            FragmentResult::Accepted { next: Some(ExpectedRange::open(FRAGMENT_SIZE)) }
        );
        assert_eq!(graph.next_offset(&session).await, Some(FRAGMENT_SIZE));

        graph.put_range(&session, FRAGMENT_SIZE, 2 * FRAGMENT_SIZE, size).await.unwrap();
        let result = graph.put_range(&session, 2 * FRAGMENT_SIZE, size, size).await.unwrap();
        let FragmentResult::Completed(item) = result else { panic!("{result:?}") };
        assert_is_document(&item, size);
        assert_eq!(graph.drive.find(&dest).await.unwrap(), Some(item), "{name}");
    }
}

#[tokio::test]
async fn small_and_empty_documents_are_put_whole_and_found() {
    let graph = SimulatedGraph::start().await;
    for size in [0, 1, 4_000_000] {
        let dest = destination("ada@court.example", "l'été", &format!("small #{size}.txt"));
        let item = graph.put_whole(&dest, size, ConflictPolicy::Replace).await.unwrap();
        assert_is_document(&item, size);
        assert_eq!(graph.drive.find(&dest).await.unwrap(), Some(item));
        let repeated = graph.put_whole(&dest, size, ConflictPolicy::Fail).await;
        assert!(matches!(repeated, Err(DriveError::Conflict)), "{repeated:?}");
    }
}

#[tokio::test]
async fn missing_account_and_missing_drive_are_distinguished() {
    let graph = SimulatedGraph::start().await;
    let unknown_user = destination("unknown@court.example", "", "a.pdf");
    let policy = ConflictPolicy::Replace;
    let result = graph.drive.create_session(&unknown_user, 5, policy).await;
    assert!(matches!(result, Err(DriveError::RecipientNotFound)), "{result:?}");

    let without_drive = destination(USER_WITHOUT_DRIVE, "", "a.pdf");
    let result = graph.drive.create_session(&without_drive, 5, policy).await;
    assert!(matches!(result, Err(DriveError::DriveNotProvisioned)), "{result:?}");

    let result = graph.drive.find(&without_drive).await;
    assert!(matches!(result, Err(DriveError::DriveNotProvisioned)), "{result:?}");

    let result = graph.put_whole(&without_drive, 0, policy).await;
    assert!(matches!(result, Err(DriveError::DriveNotProvisioned)), "{result:?}");
}

#[tokio::test]
async fn misplaced_fragment_is_an_offset_mismatch() {
    let graph = SimulatedGraph::start().await;
    let size = 3 * FRAGMENT_SIZE;
    let session = graph.create_session(&ordinary_destination(), size).await;
    graph.put_range(&session, 0, FRAGMENT_SIZE, size).await.unwrap();
    for start in [0, 2 * FRAGMENT_SIZE] {
        let result = graph.put_range(&session, start, start + FRAGMENT_SIZE, size).await;
        assert!(matches!(result, Err(DriveError::OffsetMismatch)), "{result:?}");
    }
    assert_eq!(graph.next_offset(&session).await, Some(FRAGMENT_SIZE));
}

#[tokio::test]
async fn ambiguous_fragment_is_resumed_from_the_session_offset() {
    let graph = SimulatedGraph::start().await;
    let size = 3 * FRAGMENT_SIZE;
    let dest = ordinary_destination();
    let session = graph.create_session(&dest, size).await;
    graph.inject_fault(json!({"operation": "fragment", "dropResponse": true})).await;
    let result = graph.put_range(&session, 0, FRAGMENT_SIZE, size).await;
    assert!(matches!(result, Err(DriveError::Ambiguous(_))), "{result:?}");
    assert_eq!(graph.next_offset(&session).await, Some(FRAGMENT_SIZE));

    let store_half = json!({"operation": "fragment", "status": 500, "storeFraction": 0.5});
    graph.inject_fault(store_half).await;
    let result = graph.put_range(&session, FRAGMENT_SIZE, 2 * FRAGMENT_SIZE, size).await;
    assert!(matches!(result, Err(DriveError::Ambiguous(_))), "{result:?}");
    assert_eq!(graph.next_offset(&session).await, Some(FRAGMENT_SIZE + FRAGMENT_SIZE / 2));

    // A fragment may start at any offset. Only its length has to be a multiple of 320 KiB.
    let unaligned_start = FRAGMENT_SIZE + FRAGMENT_SIZE / 2;
    let unaligned_end = unaligned_start + FRAGMENT_SIZE;
    let result = graph.put_range(&session, unaligned_start, unaligned_end, size).await.unwrap();
    let next = Some(ExpectedRange::open(unaligned_end));
    assert_eq!(result, FragmentResult::Accepted { next });

    graph.inject_fault(json!({"operation": "lastFragment", "dropResponse": true})).await;
    let result = graph.put_range(&session, unaligned_end, size, size).await;
    assert!(matches!(result, Err(DriveError::Ambiguous(_))), "{result:?}");

    let status = graph.drive.session_status(&session.url).await;
    assert!(matches!(status, Err(DriveError::SessionGone)), "{status:?}");
    assert_is_document(&graph.drive.find(&dest).await.unwrap().unwrap(), size);
}

#[tokio::test]
async fn failing_source_leaves_the_session_offset_unchanged() {
    let graph = SimulatedGraph::start().await;
    let session = graph.create_session(&ordinary_destination(), 2 * FRAGMENT_SIZE).await;
    let stream = stream_failing_after(100_000);
    let result = graph
        .drive
        .put_fragment(&session.url, range(0, FRAGMENT_SIZE, 2 * FRAGMENT_SIZE), stream)
        .await;
    assert!(matches!(result, Err(DriveError::Body)), "{result:?}");
    assert_eq!(graph.next_offset(&session).await, Some(0));
    graph.put_range(&session, 0, FRAGMENT_SIZE, 2 * FRAGMENT_SIZE).await.unwrap();
}

#[tokio::test]
async fn throttling_returns_retry_after_if_present() {
    let graph = SimulatedGraph::start().await;
    let session = graph.create_session(&ordinary_destination(), FRAGMENT_SIZE).await;
    for (status, retry_after_header, expected) in [
        (429, json!(322), Some(Duration::from_secs(322))),
        (503, json!(0), Some(Duration::ZERO)),
        (509, Value::Null, None),
    ] {
        let mut rule = json!({"operation": "fragment", "status": status});
        if !retry_after_header.is_null() {
            rule["retryAfter"] = retry_after_header;
        }
        graph.inject_fault(rule).await;

        let result = graph.put_range(&session, 0, FRAGMENT_SIZE, FRAGMENT_SIZE).await;

        let Err(DriveError::Throttled { retry_after }) = result else { panic!("{result:?}") };
        assert_eq!(retry_after, expected, "{status}");
    }
    graph.put_range(&session, 0, FRAGMENT_SIZE, FRAGMENT_SIZE).await.unwrap();
}

#[tokio::test]
async fn permanent_fragment_errors_have_specific_texts() {
    let graph = SimulatedGraph::start().await;
    let dest = ordinary_destination();
    let session = graph.create_session(&dest, 2 * FRAGMENT_SIZE).await;
    for (status, expected) in [
        (507, "the drive is full"),
        (423, "the file is locked"),
        (409, "the item at the path is in the way"),
        (412, "the item at the path is in the way"),
        (403, "the upload session is gone"),
    ] {
        graph.inject_fault(json!({"operation": "fragment", "status": status})).await;
        let error =
            graph.put_range(&session, 0, FRAGMENT_SIZE, 2 * FRAGMENT_SIZE).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    // The length of a fragment that is not the last has to be a multiple of 320 KiB.
    let result = graph.put_range(&session, 0, FRAGMENT_SIZE - 1, 2 * FRAGMENT_SIZE).await;
    assert!(matches!(result, Err(DriveError::Refused { .. })), "{result:?}");
}

#[tokio::test]
async fn response_may_omit_ranges_but_must_contain_the_completed_item() {
    let graph = SimulatedGraph::start().await;
    let dest = ordinary_destination();
    let session = graph.create_session(&dest, 2 * FRAGMENT_SIZE).await;
    graph.inject_fault(json!({"operation": "fragment", "emptyRanges": true})).await;
    let result = graph.put_range(&session, 0, FRAGMENT_SIZE, 2 * FRAGMENT_SIZE).await.unwrap();
    assert_eq!(result, FragmentResult::Accepted { next: None });

    graph.inject_fault(json!({"operation": "lastFragment", "noItem": true})).await;
    let result =
        graph.put_range(&session, FRAGMENT_SIZE, 2 * FRAGMENT_SIZE, 2 * FRAGMENT_SIZE).await;
    assert!(matches!(result, Err(DriveError::Ambiguous(_))), "{result:?}");
    assert_is_document(&graph.drive.find(&dest).await.unwrap().unwrap(), 2 * FRAGMENT_SIZE);
}

#[tokio::test]
async fn deleted_session_is_gone_and_can_be_deleted_again() {
    let graph = SimulatedGraph::start().await;
    let session = graph.create_session(&ordinary_destination(), FRAGMENT_SIZE).await;
    graph.drive.delete_session(&session.url).await.unwrap();
    graph.drive.delete_session(&session.url).await.unwrap();
    let result = graph.put_range(&session, 0, FRAGMENT_SIZE, FRAGMENT_SIZE).await;
    assert!(matches!(result, Err(DriveError::SessionGone)), "{result:?}");
}

#[tokio::test]
async fn conflict_policy_applies_to_an_existing_file() {
    let graph = SimulatedGraph::start().await;
    let dest = destination("ada@court.example", "f", "a.pdf");
    graph.put_whole(&dest, 0, ConflictPolicy::Replace).await.unwrap();
    let rejected = graph.drive.create_session(&dest, FRAGMENT_SIZE, ConflictPolicy::Fail).await;
    assert!(matches!(rejected, Err(DriveError::Conflict)), "{rejected:?}");

    let renamed =
        graph.drive.create_session(&dest, FRAGMENT_SIZE, ConflictPolicy::Rename).await.unwrap();
    graph.put_range(&renamed, 0, FRAGMENT_SIZE, FRAGMENT_SIZE).await.unwrap();
    assert_is_document(&graph.drive.find(&dest).await.unwrap().unwrap(), 0);

    let replaced = graph.create_session(&dest, FRAGMENT_SIZE).await;
    graph.put_range(&replaced, 0, FRAGMENT_SIZE, FRAGMENT_SIZE).await.unwrap();
    assert_is_document(&graph.drive.find(&dest).await.unwrap().unwrap(), FRAGMENT_SIZE);
}

#[tokio::test]
async fn token_rejected_by_graph_is_renewed() {
    let graph = SimulatedGraph::start().await;
    let dest = ordinary_destination();
    graph.drive.find(&dest).await.unwrap();
    graph.inject_fault(json!({"operation": "getItem", "status": 401})).await;

    assert_eq!(graph.drive.find(&dest).await.unwrap(), None);
}

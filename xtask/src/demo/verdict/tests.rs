//! Tests of the comparison of the demo's results with the expected ends.

use docferry_cli::TransferStatus;

use super::*;
use crate::demo::scenario::Content;
use crate::demo::table::results_table;

/// User to whom the document is sent.
const RECIPIENT: &str = "judge";

/// Hash of the source document.
const SOURCE_HASH: &str = "abc";

fn item(content: Content, expected_end: ExpectedEnd) -> Item {
    Item {
        label: "list.pdf",
        guid: "Zw==".into(),
        filename: "list.pdf",
        mimetype: "application/pdf",
        recipient: 0,
        folder: Some("Lists"),
        content,
        expected_end,
    }
}

/// Returns a document of 3 bytes that must be delivered.
fn existing_item() -> Item {
    item(Content::Bytes(vec![1, 2, 3]), ExpectedEnd::Delivered)
}

fn status(percent: u8, error: Option<&str>) -> TransferStatus {
    serde_json::from_value(serde_json::json!({
        "transferId": "t", "percentTransfered": percent, "error": error.is_some(),
        "lastErrorMessage": error, "fileSize": 3,
    }))
    .unwrap()
}

fn completed() -> Delivery {
    let result = Ok(Outcome::Completed(status(100, None)));
    Delivery { transfer_id: Some("t".into()), result }
}

fn failed(message: &str) -> Delivery {
    let result = Ok(Outcome::Failed(status(0, Some(message))));
    Delivery { transfer_id: Some("t".into()), result }
}

/// Returns the state after the document was delivered with this hash.
fn state_with_file(delivered_hash: &str) -> ObservedState {
    let source = SourceDocument { guid: "Zw==".into(), size: 3, sha256: SOURCE_HASH.into() };
    let file = DeliveredFile {
        user: RECIPIENT.into(),
        path: "/Lists/list.pdf".into(),
        size: 3,
        sha256: delivered_hash.into(),
        received_bytes: 3,
    };
    ObservedState { sources: vec![source], files: vec![file], ..ObservedState::default() }
}

#[test]
fn delivery_with_equal_hashes_and_an_empty_bucket_has_no_violations() {
    let verdict =
        check_item(&existing_item(), RECIPIENT, &completed(), &state_with_file(SOURCE_HASH));
    assert!(verdict.violations.is_empty(), "{verdict:?}");
    assert!(results_table(&[verdict]).contains("completed"));
}

#[test]
fn every_difference_from_an_expected_delivery_is_reported() {
    let violations = |delivery: &Delivery, observed: &ObservedState| {
        check_item(&existing_item(), RECIPIENT, delivery, observed).violations.join("; ")
    };
    assert!(violations(&completed(), &state_with_file("other")).contains("not the source's"));

    let mut no_file = state_with_file(SOURCE_HASH);
    no_file.files.clear();
    assert!(violations(&completed(), &no_file).contains("delivered file is not there"));

    let mut source_copy_remains = state_with_file(SOURCE_HASH);
    source_copy_remains.remaining.insert("list.pdf".into());
    assert!(violations(&completed(), &source_copy_remains).contains("exchange bucket"));

    let mut truncated = state_with_file(SOURCE_HASH);
    truncated.files[0].size = 2;
    assert!(violations(&completed(), &truncated).contains("2 bytes were delivered of 3"));

    assert!(violations(&failed("No room."), &state_with_file(SOURCE_HASH)).contains("No room."));

    let timed_out = Delivery { transfer_id: None, result: Ok(Outcome::TimedOut(None)) };
    assert!(violations(&timed_out, &state_with_file(SOURCE_HASH)).contains("in time"));
}

#[test]
fn transfer_of_an_unknown_document_must_fail_with_a_message() {
    let unknown = item(Content::Unknown, ExpectedEnd::NotFound);
    let empty_state = ObservedState::default();
    let message = "The document is not in the object store. Check its GUID.";
    assert!(check_item(&unknown, RECIPIENT, &failed(message), &empty_state).violations.is_empty());
    assert!(!check_item(&unknown, RECIPIENT, &failed(""), &empty_state).violations.is_empty());
    assert!(!check_item(&unknown, RECIPIENT, &completed(), &empty_state).violations.is_empty());
}

fn session(state: &str, received_bytes: u64) -> Session {
    let (user, path) = (RECIPIENT.into(), "Lists/list.pdf".into());
    Session { user, path, state: state.into(), received_bytes }
}

#[test]
fn stopped_transfer_must_have_started_and_leave_no_file() {
    let stopped = item(Content::Bytes(vec![1, 2, 3]), ExpectedEnd::Terminated);
    let mut observed = state_with_file(SOURCE_HASH);
    observed.files.clear();
    observed.sessions = vec![session("deleted", 2)];
    let violations_of = |delivery: &Delivery, observed: &ObservedState| {
        check_item(&stopped, RECIPIENT, delivery, observed).violations.join("; ")
    };
    assert_eq!(violations_of(&failed(TERMINATED), &observed), "");
    assert!(violations_of(&failed("No room."), &observed).contains("was to be stopped"));
    assert!(violations_of(&completed(), &observed).contains("before it could be stopped"));
    observed.sessions = vec![session("open", 0)];
    let violations = violations_of(&failed(TERMINATED), &observed);
    assert!(violations.contains("before its bytes moved"), "{violations}");
    assert!(violations.contains("still open"), "{violations}");
    let violations = violations_of(&failed(TERMINATED), &state_with_file(SOURCE_HASH));
    assert!(violations.contains("a file at its destination"), "{violations}");
}

#[test]
fn file_in_the_onedrive_of_another_user_does_not_count() {
    let violations =
        check_item(&existing_item(), "counsel", &completed(), &state_with_file(SOURCE_HASH))
            .violations;
    assert_eq!(violations, ["completed, but the delivered file is not there"]);
}

//! Tests of the verdict about the deliveries of a demo.

use docferry_cli::TransferStatus;

use super::*;
use crate::demo::scenario::Content;
use crate::demo::table::table;

fn item(content: Content, end: End) -> Item {
    Item {
        label: "list.pdf",
        guid: "Zw==".into(),
        filename: "list.pdf",
        mimetype: "application/pdf",
        recipient: 0,
        folder: Some("Lists"),
        content,
        end,
    }
}

fn known() -> Item {
    item(Content::Bytes(vec![1, 2, 3]), End::Delivered)
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

fn findings(delivered_hash: &str) -> ObservedState {
    let source = SourceDocument { guid: "Zw==".into(), size: 3, sha256: "abc".into() };
    let file = DeliveredFile {
        user: "judge".into(),
        path: "/Lists/list.pdf".into(),
        size: 3,
        sha256: delivered_hash.into(),
        received_bytes: 3,
    };
    ObservedState { sources: vec![source], files: vec![file], ..ObservedState::default() }
}

#[test]
fn equal_hashes_and_a_clean_bucket_have_no_violations() {
    let verdict = judge(&known(), "judge", &completed(), &findings("abc"));
    assert!(verdict.violations.is_empty(), "{verdict:?}");
    assert!(table(&[verdict]).contains("completed"));
}

#[test]
fn each_kind_of_problem_is_reported() {
    let violations = |delivery: &Delivery, findings: &ObservedState| {
        judge(&known(), "judge", delivery, findings).violations.join("; ")
    };
    assert!(violations(&completed(), &findings("other")).contains("not the source's"));
    let mut nothing = findings("abc");
    nothing.files.clear();
    assert!(violations(&completed(), &nothing).contains("delivered file is not there"));
    let mut dirty = findings("abc");
    dirty.remaining.insert("list.pdf".into());
    assert!(violations(&completed(), &dirty).contains("exchange bucket"));
    let mut short = findings("abc");
    short.files[0].size = 2;
    assert!(violations(&completed(), &short).contains("2 bytes were delivered of 3"));
    assert!(violations(&failed("No room."), &findings("abc")).contains("No room."));
    let slow = Delivery { transfer_id: None, result: Ok(Outcome::TimedOut(None)) };
    assert!(violations(&slow, &findings("abc")).contains("in time"));
}

#[test]
fn unknown_document_must_fail_with_a_message() {
    let unknown = item(Content::Unknown, End::NotFound);
    let nothing = ObservedState::default();
    let message = "The document is not in the object store. Check its GUID.";
    assert!(judge(&unknown, "judge", &failed(message), &nothing).violations.is_empty());
    assert!(!judge(&unknown, "judge", &failed(""), &nothing).violations.is_empty());
    assert!(!judge(&unknown, "judge", &completed(), &nothing).violations.is_empty());
}

fn session(state: &str, received_bytes: u64) -> Session {
    let (user, path) = ("judge".into(), "Lists/list.pdf".into());
    Session { user, path, state: state.into(), received_bytes }
}

#[test]
fn stopped_transfer_must_have_started_and_leave_no_file() {
    let stopped = item(Content::Bytes(vec![1, 2, 3]), End::Terminated);
    let mut seen = findings("abc");
    seen.files.clear();
    seen.sessions = vec![session("deleted", 2)];
    let violations_of = |delivery: &Delivery, seen: &ObservedState| {
        judge(&stopped, "judge", delivery, seen).violations.join("; ")
    };
    assert_eq!(violations_of(&failed(TERMINATED), &seen), "");
    assert!(violations_of(&failed("No room."), &seen).contains("was to be stopped"));
    assert!(violations_of(&completed(), &seen).contains("before it could be stopped"));
    seen.sessions = vec![session("open", 0)];
    let violations = violations_of(&failed(TERMINATED), &seen);
    assert!(violations.contains("before its bytes moved"), "{violations}");
    assert!(violations.contains("still open"), "{violations}");
    let violations = violations_of(&failed(TERMINATED), &findings("abc"));
    assert!(violations.contains("a file at its destination"), "{violations}");
}

#[test]
fn files_of_other_users_do_not_count() {
    let violations = judge(&known(), "counsel", &completed(), &findings("abc")).violations;
    assert_eq!(violations, ["completed, but the delivered file is not there"]);
}

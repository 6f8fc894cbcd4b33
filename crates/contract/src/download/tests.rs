use docferry_domain::document::DocumentKey;
use serde_json::json;

use super::*;

/// Numbers that documents may have in these tests.
const RANGE: RangeInclusive<u64> = 10_000..=100_000_000;

fn parse(body: &Value) -> Result<InitiateDownload, Vec<FieldError>> {
    InitiateDownload::parse(body, &RANGE, CallbackRule::Public)
}

/// Returns the pointers to the wrong fields of a body.
fn error_pointers(body: &Value) -> Vec<String> {
    let errors = parse(body).unwrap_err();
    errors.into_iter().map(|error| error.pointer).collect()
}

#[test]
fn request_for_one_document_has_default_settings() {
    let request = parse(&json!({ "file_id": 10_000 })).unwrap();

    assert_eq!(request.documents.keys, [DocumentKey::File(FileId::new(10_000))]);
    assert_eq!(request.documents.member, DocumentsMember::FileId);
    assert!(request.case.is_empty());
    assert_eq!(request.priority, Priority::Normal);
    assert_eq!(request.destination, Destination::Download);
    assert!(!request.zip);
}

#[test]
fn request_for_many_documents_is_parsed_with_all_its_settings() {
    let body = json!({
        "file_ids": [10_001, 10_000],
        "priority": "high",
        "onItemError": "skip",
        "options": {
            "bundle": "none",
            "destination": "onedrive",
            "email": "a@b.example",
            "filePath": "Court"
        }
    });

    let request = parse(&body).unwrap();

    let keys = [10_001, 10_000].map(|number| DocumentKey::File(FileId::new(number)));
    assert_eq!(request.documents.keys, keys);
    assert_eq!(request.documents.member, DocumentsMember::FileIds);
    assert_eq!(request.on_item_error, OnItemError::Skip);
    assert!(matches!(request.destination, Destination::Onedrive(_)));
}

#[test]
fn request_for_documents_by_guid_is_parsed_with_its_case() {
    let body = json!({ "objGuids": ["AAAA", "AAAB"], "courtFile": "S-1", "class": "criminal" });

    let request = parse(&body).unwrap();

    let keys = ["AAAA", "AAAB"].map(|guid| DocumentKey::Object(guid.parse().unwrap()));
    assert_eq!(request.documents.keys, keys);
    assert_eq!(request.documents.member, DocumentsMember::ObjGuids);
    assert_eq!(request.case.court_file.unwrap().as_str(), "S-1");
    assert_eq!(request.case.class, Some(CaseClass::Criminal));

    let longest = "A".repeat(256);
    for body in [
        json!({ "objGuids": [longest] }),
        json!({ "objGuids": ["AAAA"], "courtFile": null, "class": null, "file_ids": null }),
    ] {
        assert!(parse(&body).unwrap().case.is_empty(), "{body}");
    }
}

#[test]
fn wrong_guids_and_cases_are_reported_with_pointers() {
    for (body, expected) in [
        (json!({ "objGuids": ["AAAA"], "file_id": 10_000 }), vec!["/objGuids"]),
        (json!({ "objGuids": ["AAAA"], "file_ids": [10_000] }), vec!["/objGuids"]),
        (json!({ "objGuids": ["AAAA"], "file_id": 1, "file_ids": 1 }), vec!["/objGuids"]),
        (json!({ "objGuids": [] }), vec!["/objGuids"]),
        (json!({ "objGuids": "AAAA" }), vec!["/objGuids"]),
        (json!({ "objGuids": vec!["AAAA"; 1001] }), vec!["/objGuids"]),
        (json!({ "objGuids": ["AAAA", "AAAB", "AAAA"] }), vec!["/objGuids/2"]),
        (
            json!({ "objGuids": [1, "", "no base64!", null, "A".repeat(260), "AAAA"] }),
            vec!["/objGuids/0", "/objGuids/1", "/objGuids/2", "/objGuids/3", "/objGuids/4"],
        ),
        (json!({ "objGuids": ["AAAA"], "class": "family" }), vec!["/class"]),
        (json!({ "objGuids": ["AAAA"], "class": 1 }), vec!["/class"]),
        (json!({ "objGuids": ["AAAA"], "courtFile": "a\u{7}b" }), vec!["/courtFile"]),
        (json!({ "objGuids": ["AAAA"], "courtFile": "x".repeat(201) }), vec!["/courtFile"]),
        (
            json!({ "file_id": 10_000, "courtFile": "S-1", "class": "civil" }),
            vec!["/courtFile", "/class"],
        ),
    ] {
        assert_eq!(error_pointers(&body), expected, "{body}");
    }
}

#[test]
fn guids_and_cases_are_for_services_unless_they_are_null() {
    for name in ["objGuids", "courtFile", "class"] {
        assert!(is_for_services(&json!({ name: "" })), "{name}");
        assert!(!is_for_services(&json!({ name: null, "file_id": 10_000 })), "{name}");
    }
    assert!(!is_for_services(&json!([])));
}

#[test]
fn all_wrong_fields_are_reported_at_once_with_pointers() {
    for (body, expected) in [
        (json!([]), vec![""]),
        (json!({}), vec!["/file_id"]),
        (json!({ "file_id": 1 }), vec!["/file_id"]),
        (json!({ "file_id": 10_000.5 }), vec!["/file_id"]),
        (json!({ "file_id": 10_000, "file_ids": [10_000] }), vec!["/file_ids"]),
        (json!({ "file_ids": [] }), vec!["/file_ids"]),
        (json!({ "file_ids": [10_000, 10_000] }), vec!["/file_ids/1"]),
        (json!({ "file_ids": [10_000, "x", 1] }), vec!["/file_ids/1", "/file_ids/2"]),
        (json!({ "file_ids": "x" }), vec!["/file_ids"]),
        (
            json!({ "file_id": "x", "priority": "now", "options": { "bundle": "tar" } }),
            vec!["/file_id", "/priority", "/options/bundle"],
        ),
        (
            json!({ "file_id": 10_000, "options": { "destination": "onedrive" } }),
            vec!["/options/email"],
        ),
        (json!({ "file_id": 10_000, "options": 1 }), vec!["/options"]),
        (json!({ "file_id": 10_000, "callbackUrl": 1 }), vec!["/callbackUrl"]),
        // This host is the private address 169.254.169.254 in hexadecimal.
        (json!({ "file_id": 10_000, "callbackUrl": "https://0xa9fea9fe/" }), vec!["/callbackUrl"]),
    ] {
        assert_eq!(error_pointers(&body), expected, "{body}");
    }

    let too_many: Vec<_> = (0..1001).map(|index| 10_000 + index).collect();
    assert_eq!(error_pointers(&json!({ "file_ids": too_many })), ["/file_ids"]);
}

//! The meaning of a search.

use docferry_domain::document::{DocStatus, DocumentRecord};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{any_parameters, any_record, parse, record, search};

#[test]
fn each_parameter_selects_documents() {
    let document = record(json!({}));
    for parameters in [
        "",
        "_id=doc-1",
        "_id=other,doc-1",
        "identifier=10042",
        "identifier=urn:docferry:file-id|10042",
        "identifier=7,3q2%2B7wAAAAAAAAAAAAAAAA==",
        "status=current",
        "status=superseded,current",
        "status=http://hl7.org/fhir/document-reference-status|current",
        "doc-status=final",
        "type=order",
        "type=|order",
        "category=a\\|b\\,c",
        "contenttype=application/PDF",
        "contenttype=urn:ietf:bcp:13|application/pdf",
        "date=2026-02-01",
        "date=ge2026-02&date=lt2026-03",
        "date=2020,2026",
        "date=le2026-02-01T08:00:00.000Z",
        "creation=2026-01",
        "type=order&_id=doc-1&date=2026",
    ] {
        assert!(search(parameters).matches(&document), "{parameters}");
    }
    for parameters in [
        "_id=other",
        "_id=DOC-1",
        "identifier=10043",
        "status=superseded",
        "status=urn:other|current",
        "status=|current",
        "doc-status=preliminary",
        "type=list",
        "type=Order",
        "type=urn:other|order",
        "type=order&type=list",
        "category=a",
        "contenttype=text/plain",
        "date=2025",
        "date=gt2026-02-01",
        "date=ge2026-02&date=lt2026-02-01",
        "date=lt2026-02-01T08:00:00Z",
        "creation=2026-02",
        "type=order&_id=other",
    ] {
        assert!(!search(parameters).matches(&document), "{parameters}");
    }
    let bare = record(json!({"type": null, "category": null, "fileId": null}));
    for parameters in ["type=order", "category=a", "identifier=10042"] {
        assert!(!search(parameters).matches(&bare), "{parameters}");
    }
}

#[test]
fn withdrawn_superseded_and_preliminary_documents_are_not_listed() {
    let withdrawn = record(json!({"withdrawnAt": "2026-02-02T00:00:00Z"}));
    let superseded = record(json!({"status": "superseded"}));
    let preliminary = record(json!({"docStatus": "preliminary"}));
    for parameters in ["", "_id=doc-1", "status=superseded", "doc-status=final,preliminary"] {
        assert!(!search(parameters).matches(&withdrawn), "{parameters}");
        assert!(!search(parameters).matches(&superseded), "{parameters}");
    }
    assert!(!search("").matches(&preliminary) && !search("doc-status=final").matches(&preliminary));
    assert!(search("doc-status=preliminary").matches(&preliminary));
    assert!(search("doc-status=final,preliminary").matches(&preliminary));
    assert!(!search("doc-status=preliminary&doc-status=final").matches(&preliminary));
}

#[test]
fn document_of_another_subject_is_not_found() {
    let document = record(json!({}));
    assert!(parse("_id=doc-1").unwrap().matches(&document));
    for form in ["_id=doc-1&subject.identifier=S-2", "patient.identifier=S-11"] {
        assert!(!parse(form).unwrap().matches(&document), "{form}");
    }
}

proptest! {
    #[test]
    fn matching_documents_lie_between_the_sort_keys(
        parameters in any_parameters(), documents in proptest::collection::vec(any_record(), 1..9),
    ) {
        let query = search(&parameters);
        let (first, end) = query.sort_key_range();
        let is_listed = |document: &DocumentRecord| {
            document.is_listed()
                && document.doc_status == DocStatus::Final
                && Some(&document.subject) == query.subject()
        };
        for document in &documents {
            let key = document.position().sort_key();
            let is_between = first.as_ref().is_none_or(|first| *first <= key)
                && end.as_ref().is_none_or(|end| key < *end);
            prop_assert!(is_between || !query.matches(document), "{parameters} {key}");
            if query.is_only_range() {
                prop_assert_eq!(query.matches(document), is_between && is_listed(document));
            }
        }
    }
}

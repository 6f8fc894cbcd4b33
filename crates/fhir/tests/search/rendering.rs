//! Resources and bundles.

use docferry_domain::document::DocumentRecord;
use docferry_fhir::{BaseUrl, Bundle, DocumentReference};
use serde_json::{Value, json};

use crate::support::{COURT, parse, record, search};

fn base() -> BaseUrl {
    "https://docs.example/v1".parse().unwrap()
}

fn page(parameters: &str, documents: &[DocumentRecord], next: Option<&str>) -> Value {
    serde_json::to_value(Bundle::page(&base(), &search(parameters), documents, next)).unwrap()
}

#[test]
fn document_reference_has_every_element_of_the_contract() {
    let rendered = DocumentReference::new(&base(), &record(json!({})));
    let expected = json!({
        "resourceType": "DocumentReference",
        "id": "doc-1",
        "identifier": [
            {"system": "urn:docferry:file-id", "value": "10042"},
            {"system": "urn:docferry:object-guid", "value": "3q2+7wAAAAAAAAAAAAAAAA=="},
        ],
        "status": "current",
        "docStatus": "final",
        "type": {"coding": [{"code": "order"}]},
        "category": [{"coding": [{"code": "a|b,c"}]}],
        "subject": {"identifier": {"system": COURT, "value": "S-1"}},
        "date": "2026-02-01T08:00:00Z",
        "description": "order.pdf",
        "content": [{"attachment": {
            "contentType": "application/pdf",
            "url": "https://docs.example/v1/DocumentReference/doc-1/$content",
            "size": 1234,
            "title": "order.pdf",
            "creation": "2026-01-30T08:00:00Z",
        }}],
    });
    assert_eq!(serde_json::to_value(rendered).unwrap(), expected);
}

#[test]
fn size_beyond_31_bits_is_omitted() {
    let size = |bytes: u64| {
        let rendered = DocumentReference::new(&base(), &record(json!({"size": bytes})));
        serde_json::to_value(rendered).unwrap()["content"][0]["attachment"]["size"].clone()
    };
    assert_eq!(size((1 << 31) - 1), json!(2_147_483_647));
    assert_eq!(size(1 << 31), Value::Null);
    let bare = record(json!({"type": null, "category": null, "fileId": null}));
    let bare = serde_json::to_value(DocumentReference::new(&base(), &bare)).unwrap();
    assert_eq!(bare["identifier"].as_array().unwrap().len(), 1);
    assert!(bare.get("type").is_none() && bare.get("category").is_none());
}

#[test]
fn links_repeat_the_understood_parameters() {
    let documents = [record(json!({}))];
    let first =
        page("date=ge2026-01-01T00:00:00+01:00&colour=red&type=a\\,b", &documents, Some("t-1"));
    let url = "https://docs.example/v1/DocumentReference?subject.identifier=S-1\
               &date=ge2026-01-01T00%3A00%3A00%2B01%3A00&type=a%5C%2Cb";
    assert_eq!(
        first["link"],
        json!([{"relation": "self", "url": url}, {"relation": "next", "url": format!("{url}&_page=t-1")}])
    );
    assert_eq!(first["entry"][0]["search"]["mode"], "match");
    assert_eq!(first["entry"][0]["fullUrl"], "https://docs.example/v1/DocumentReference/doc-1");
    let last = page("_page=t-1", &documents, None);
    let url = "https://docs.example/v1/DocumentReference?subject.identifier=S-1&_page=t-1";
    assert_eq!(last["link"], json!([{"relation": "self", "url": url}]));
}

#[test]
fn total_is_given_only_when_it_is_known() {
    let documents = [record(json!({}))];
    assert_eq!(page("", &documents, None)["total"], 1);
    assert_eq!(page("", &documents, Some("t")).get("total"), None);
    assert_eq!(page("_page=t", &documents, None).get("total"), None);
    let empty = page("", &[], None);
    assert_eq!((&empty["total"], empty.get("entry")), (&json!(0), None));
    let query = parse("subject.identifier=S-1&_summary=count").unwrap();
    let count = serde_json::to_value(Bundle::count(&base(), &query, 1_000_000)).unwrap();
    assert_eq!((&count["total"], count.get("entry")), (&json!(1_000_000), None));
}

/// A response of a Lambda function has at most 6 MB.
#[test]
fn largest_page_fits_into_a_response() {
    let longest = record(json!({
        "id": "x".repeat(64),
        "subject": {"system": format!("urn:{}", "x".repeat(252)), "value": "\"".repeat(128)},
        "objGuid": "A".repeat(256),
        "fileName": "\u{10348}".repeat(255),
        "contentType": format!("text/plain; a={}", "x".repeat(200)),
        "type": "\"".repeat(64),
        "category": "\"".repeat(64),
    }));
    let documents = vec![longest; 1000];
    let text =
        serde_json::to_string(&Bundle::page(&base(), &search(""), &documents, None)).unwrap();
    assert!(text.len() < 6_000_000, "{}", text.len());
}

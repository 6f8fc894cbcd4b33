//! Documents and searches of the tests.

use docferry_domain::document::{DocumentRecord, SubjectPatterns, SystemSetting};
use docferry_fhir::query::Handling;
use docferry_fhir::{OperationOutcome, SearchQuery};
use proptest::prelude::*;
use serde_json::{Value, json};

pub(crate) const COURT: &str = "urn:example:court-file";
pub(crate) const NHS: &str = "https://fhir.nhs.uk/Id/nhs-number";

pub(crate) fn subjects() -> SubjectPatterns {
    let setting = |system: &str, pattern: &str| SystemSetting {
        system: system.into(),
        pattern: pattern.into(),
    };
    vec![setting(COURT, "court-file"), setting(NHS, "nhs-number")].try_into().unwrap()
}

pub(crate) fn parse(form: &str) -> Result<SearchQuery, OperationOutcome> {
    SearchQuery::parse(form, &subjects(), Handling::Lenient)
}

/// Parses a search of the subject `S-1` with these parameters.
pub(crate) fn search(parameters: &str) -> SearchQuery {
    parse(&format!("subject.identifier=S-1&{parameters}")).unwrap()
}

/// Returns the code and the parameter of each error.
pub(crate) fn errors_of(outcome: &OperationOutcome) -> Vec<(String, String)> {
    let json = serde_json::to_value(outcome).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let issues = json["issue"].as_array().unwrap().iter();
    issues.map(|issue| (text(&issue["code"]), text(&issue["expression"][0]))).collect()
}

/// A document of the subject `S-1` with these changes.
pub(crate) fn record(changes: Value) -> DocumentRecord {
    let mut record = json!({
        "id": "doc-1",
        "subject": {"system": COURT, "value": "S-1"},
        "fileId": 10042,
        "objGuid": "3q2+7wAAAAAAAAAAAAAAAA==",
        "fileName": "order.pdf",
        "contentType": "application/pdf",
        "size": 1234,
        "created": "2026-01-30T08:00:00Z",
        "indexed": "2026-02-01T08:00:00Z",
        "type": "order",
        "category": "a|b,c",
        "docStatus": "final",
        "status": "current",
        "scanResult": "clean",
        "groups": ["judges"],
    });
    for (name, value) in changes.as_object().unwrap() {
        record[name] = value.clone();
    }
    serde_json::from_value(record).unwrap()
}

/// Documents of few subjects, codes and times, so that searches find some of them.
pub(crate) fn any_record() -> impl Strategy<Value = DocumentRecord> {
    let time = || {
        let second =
            prop_oneof![1_767_225_600..1_767_240_000_i64, 1_700_000_000..1_800_000_000_i64];
        second.prop_map(|second| jiff::Timestamp::from_second(second).unwrap().to_string())
    };
    let subject = prop_oneof![Just("S-1"), Just("S-2")];
    let codes = ("order|list", "final|preliminary", "current|current|superseded");
    (subject, "[ab]", time(), time(), codes, any::<bool>()).prop_map(
        |(subject, id, created, indexed, (type_code, doc_status, status), withdrawn)| {
            record(json!({
                "id": id, "subject": {"system": COURT, "value": subject}, "created": created,
                "indexed": indexed, "type": type_code, "docStatus": doc_status, "status": status,
                "withdrawnAt": withdrawn.then_some("2026-02-03T00:00:00Z"),
            }))
        },
    )
}

/// Parameters of a valid search.
pub(crate) fn any_parameters() -> impl Strategy<Value = String> {
    let date = "(eq|ge|gt|le|lt|)(202[4-7]|2026-0[1-3]|2026-01-01T0[0-3]:[0-5]0(\\.5)?)";
    let date = date.replace("(\\.5)?", "(:00(\\.[0-9]{1,5})?)?");
    let parameter = prop_oneof![
        proptest::string::string_regex(&format!("date={date}(,{date})?")).unwrap(),
        proptest::string::string_regex(&format!("creation={date}")).unwrap(),
        "type=(order|list|order,list|\\|order|other)",
        "doc-status=(final|preliminary|final,preliminary|amended)",
        "(_id|identifier=10042&_id)=[abc](,[abc])?",
        "contenttype=(application%2Fpdf|text/html)",
        "status=(current|superseded)",
        "colour=red",
    ];
    proptest::collection::vec(parameter, 0..4).prop_map(|all| all.join("&"))
}

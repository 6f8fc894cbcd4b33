//! A valid record, and the rules by which it is read.

use docferry_domain::document::{DocumentRecord, RecordRules, SubjectPatterns, SystemSetting};
use serde_json::{Value, json};

pub(crate) const SYSTEM: &str = "urn:example:court-file";
pub(crate) const NHS: &str = "https://fhir.nhs.uk/Id/nhs-number";

pub(crate) fn patterns() -> SubjectPatterns {
    let setting = |system: &str, pattern: &str| SystemSetting {
        system: system.into(),
        pattern: pattern.into(),
    };
    vec![setting(SYSTEM, "court-file"), setting(NHS, "nhs-number")].try_into().unwrap()
}

/// The rules at noon of 1 March 2026.
pub(crate) fn rules(subjects: &SubjectPatterns) -> RecordRules<'_> {
    RecordRules { subjects, now: "2026-03-01T12:00:00Z".parse().unwrap() }
}

/// Reads a record; errors are returned as texts.
pub(crate) fn read(text: &str) -> Result<DocumentRecord, Vec<String>> {
    DocumentRecord::from_json(text, &rules(&patterns()))
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// A valid record with every member.
pub(crate) fn record(id: &str, number: u64) -> Value {
    json!({
        "id": id,
        "subject": {"system": SYSTEM, "value": "S-123456"},
        "fileId": number,
        "objGuid": format!("AAAAAAAAAAAAAAA{number:05}AA=="),
        "fileName": "order.pdf",
        "contentType": "application/pdf",
        "size": 1234,
        "created": "2026-02-01T08:00:00.123456-08:00",
        "indexed": "2026-02-02T08:00:00Z",
        "type": "order",
        "category": "civil",
        "docStatus": "final",
        "status": "current",
        "scanResult": "clean",
        "withdrawnAt": "2026-02-03T08:00:00Z",
        "groups": ["judges", "registry staff"],
    })
}

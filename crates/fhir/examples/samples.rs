//! Writes samples of every response to a folder, one JSON file each, for validators that were
//! written elsewhere (`tests/fhir`).
//!
//! Usage: `cargo run -p docferry-fhir --example samples -- FOLDER`

use std::error::Error;
use std::path::Path;

use docferry_domain::document::{DocumentRecord, SubjectPatterns, SystemSetting};
use docferry_fhir::query::Handling;
use docferry_fhir::{
    BaseUrl, Bundle, CapabilityStatement, DocumentReference, IssueCode, OperationOutcome,
    SearchQuery,
};
use serde_json::{Value, json};

const SYSTEM: &str = "urn:example:court-file";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: samples FOLDER")?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let write = |name: String, resource: serde_json::Result<Value>| -> Result<(), Box<dyn Error>> {
        std::fs::write(folder.join(format!("{name}.json")), format!("{:#}\n", resource?))?;
        Ok(())
    };
    let base: BaseUrl = "https://docs.example/v1".parse()?;
    let documents = documents()?;
    for (number, document) in documents.iter().enumerate() {
        write(
            format!("document-{number}"),
            serde_json::to_value(DocumentReference::new(&base, document)),
        )?;
    }
    let pages: [(&str, &[DocumentRecord], Option<&str>); 4] = [
        ("date=ge2026-01-01T00:00:00%2B01:00&type=a%5C,b", &documents, None),
        ("_sort=date&_count=3", &documents, Some("dG9rZW4")),
        ("_page=dG9rZW4", &documents[..1], None),
        ("", &[], None),
    ];
    for (number, (parameters, documents, next)) in pages.into_iter().enumerate() {
        let query = parse(&format!("subject:identifier=S-1&{parameters}"), Handling::Lenient)?;
        let query = query.map_err(|_| "a search of the samples is faulty")?;
        write(
            format!("page-{number}"),
            serde_json::to_value(Bundle::page(&base, &query, documents, next)),
        )?;
    }
    let count = parse("subject:identifier=S-1&_summary=count", Handling::Strict)?;
    let count = count.map_err(|_| "a search of the samples is faulty")?;
    write("count".to_owned(), serde_json::to_value(Bundle::count(&base, &count, 12_345)))?;
    let faulty = [
        "",
        "date=ne2026&_count=0&type:not=a",
        "subject.identifier=urn:other|1",
        "=x&%00=y&_id=a",
        "_id=%zz",
        "_id=a&status=valid&_sort=type",
    ];
    for (number, form) in faulty.into_iter().enumerate() {
        let outcome = parse(form, Handling::Strict)?.err().ok_or("a faulty search was accepted")?;
        write(format!("outcome-{number}"), serde_json::to_value(outcome))?;
    }
    for code in IssueCode::ALL {
        write(
            format!("outcome-{code:?}"),
            serde_json::to_value(OperationOutcome::new(*code, "a description")),
        )?;
    }
    write(
        "metadata".to_owned(),
        serde_json::to_value(CapabilityStatement::new(&base, "0.1.0", "2026-03-01")),
    )
}

/// Documents with all members, with only the required ones, and with the longest and strangest
/// values.
fn documents() -> Result<Vec<DocumentRecord>, Box<dyn Error>> {
    let full = json!({
        "id": "doc-1", "subject": {"system": SYSTEM, "value": "S-1"}, "fileId": 10042,
        "objGuid": "3q2+7wAAAAAAAAAAAAAAAA==", "fileName": "order.pdf",
        "contentType": "application/pdf", "size": 1234, "created": "2026-01-30T08:00:00.123Z",
        "indexed": "2026-02-01T08:00:00Z", "type": "order", "category": "civil",
        "docStatus": "final", "status": "current", "scanResult": "clean", "groups": ["judges"],
    });
    let changes = [
        json!({}),
        json!({"type": null, "category": null, "fileId": null, "groups": null}),
        json!({"docStatus": "preliminary", "status": "superseded", "scanResult": "infected"}),
        json!({"size": 0, "created": "0001-01-01T00:00:00Z", "indexed": "1969-12-31T23:59:59.999Z"}),
        json!({"size": 250_000_000_000_u64, "contentType": "text/plain; charset=utf-8"}),
        json!({
            "id": "A.-".repeat(21), "objGuid": "A".repeat(256), "type": "a|b,c", "category": "a b",
            "fileName": "\u{10348}".repeat(255), "fileId": (1_u64 << 53) - 1,
        }),
    ];
    let documents = changes.into_iter().enumerate().map(|(number, changes)| {
        let mut record = full.clone();
        record["id"] = json!(format!("doc-{number}"));
        for (name, value) in changes.as_object().into_iter().flatten() {
            record[name] = value.clone();
        }
        Ok(serde_json::from_value::<DocumentRecord>(without_nulls(record))?)
    });
    documents.collect()
}

fn without_nulls(record: Value) -> Value {
    let members = record.as_object().cloned().into_iter().flatten();
    members.filter(|(_, value)| !value.is_null()).collect()
}

type Parsed = Result<SearchQuery, OperationOutcome>;

fn parse(form: &str, handling: Handling) -> Result<Parsed, Box<dyn Error>> {
    let setting = SystemSetting { system: SYSTEM.into(), pattern: "court-file".into() };
    let subjects: SubjectPatterns = vec![setting].try_into()?;
    Ok(SearchQuery::parse(form, &subjects, handling))
}

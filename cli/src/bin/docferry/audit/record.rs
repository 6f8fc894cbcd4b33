//! Formats a record of the audit trail as a line for people.
//!
//! Records are read as JSON values and not as typed structs, so that the commands also show records
//! that a newer version of docferry has written.

use serde_json::Value;

/// Formats a record: time, action, outcome, actor, recipient and documents.
pub(super) fn describe_record(record: &Value) -> String {
    let text = |name: &str| record.get(name).and_then(Value::as_str);
    let mut line = format!(
        "{}  {}",
        text("timestamp").unwrap_or("-"),
        text("action").unwrap_or("unreadable record")
    );
    if let Some(outcome) = text("outcome").filter(|outcome| *outcome != "completed") {
        line += &format!(" ({})", text("failure").unwrap_or(outcome));
    }
    line += &format!("  by {}", text("actor").unwrap_or("-"));
    if let Some(person) = text("onBehalfOf") {
        line += &format!(" for {person}");
    }
    if let Some(address) = record.pointer("/recipient/address").and_then(Value::as_str) {
        line += &format!(" to {address}");
    }
    if let Some(subject) = record.pointer("/subject/value").and_then(Value::as_str) {
        line += &format!("  {subject}");
    }
    if let Some(count) = record.get("count").and_then(Value::as_u64) {
        let unit = if text("action") == Some("Access denied") { "request" } else { "document" };
        let plural = if count == 1 { "" } else { "s" };
        line += &format!("  {count} {unit}{plural}");
    }
    let documents: Vec<_> = files(record).map(describe_file).chain(requested(record)).collect();
    if !documents.is_empty() {
        line += &format!("  {}", documents.join(", "));
    }
    line
}

/// Returns the files of a record.
pub(super) fn files(record: &Value) -> impl Iterator<Item = &Value> {
    record.get("files").and_then(Value::as_array).into_iter().flatten()
}

/// Returns the names that the denied requests of a record used, such as `fileId=10042`.
pub(super) fn requested(record: &Value) -> impl Iterator<Item = String> + '_ {
    let names = record.get("requested").and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned)
}

/// Formats a file: its name and GUID, as far as the record has them.
fn describe_file(file: &Value) -> String {
    let text = |name: &str| file.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    match (text("fileName"), text("id")) {
        (Some(name), Some(guid)) => format!("{name} ({guid})"),
        (name, guid) => name.or(guid).unwrap_or("-").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn line_names_action_people_and_documents() {
        let record = json!({
            "timestamp": "2026-11-30T10:00:00Z", "action": "Delivered to OneDrive",
            "outcome": "completed", "actor": "scv", "onBehalfOf": "Judge A",
            "recipient": { "userId": "u", "address": "a@b.example" },
            "subject": { "system": "s", "value": "T-1/26" },
            "files": [{ "id": "AAAA", "fileName": "order.pdf", "contentType": null }],
        });
        assert_eq!(
            describe_record(&record),
            "2026-11-30T10:00:00Z  Delivered to OneDrive  by scv for Judge A to a@b.example  \
             T-1/26  order.pdf (AAAA)"
        );
    }

    #[test]
    fn line_shows_denials_failures_and_unreadable_records() {
        let denied = json!({
            "timestamp": "t", "action": "Access denied", "outcome": "denied",
            "actor": "sub:ada", "count": 3, "requested": ["fileId=10042"], "files": [],
        });
        assert_eq!(
            describe_record(&denied),
            "t  Access denied (denied)  by sub:ada  3 requests  fileId=10042"
        );
        let counted =
            json!({ "timestamp": "t", "action": "Viewed list", "actor": "scv", "count": 12 });
        assert_eq!(describe_record(&counted), "t  Viewed list  by scv  12 documents");
        assert_eq!(describe_record(&json!({ "unreadable": "x" })), "-  unreadable record  by -");
    }
}

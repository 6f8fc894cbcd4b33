//! Conditions that a record of the audit trail has to meet.

use docferry_domain::document::{DocumentKey, DocumentRecord};
use jiff::Timestamp;
use serde_json::Value;

use super::record::{files, requested};

/// Conditions of `docferry audit find`. A record has to meet all that are set.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    /// Keys of the document, any of which may occur in the record.
    pub(super) document: Option<Vec<String>>,
    pub(super) subject: Option<String>,
    pub(super) actor: Option<String>,
    pub(super) recipient: Option<String>,
    pub(super) job: Option<String>,
    pub(super) action: Option<String>,
}

impl Filter {
    /// Returns whether a record meets all conditions.
    pub(super) fn matches(&self, record: &Value) -> bool {
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        let is_one_of = |wanted: &Option<String>, pointers: &[&str]| match wanted {
            None => true,
            Some(wanted) => pointers
                .iter()
                .filter_map(|pointer| text(pointer))
                .any(|value| value.eq_ignore_ascii_case(wanted)),
        };
        let time = text("/timestamp").and_then(|text| text.parse::<Timestamp>().ok());
        let is_in_time = self.since.is_none_or(|since| time.is_some_and(|time| since <= time))
            && self.until.is_none_or(|until| time.is_some_and(|time| time < until));
        let subject = text("/subject/system").zip(text("/subject/value"));
        let full_subject = subject.map(|(system, value)| format!("{system}|{value}"));
        let is_subject = self.subject.as_ref().is_none_or(|wanted| {
            full_subject.as_ref().is_some_and(|subject| subject.eq_ignore_ascii_case(wanted))
                || is_one_of(&self.subject, &["/subject/value", "/courtFile"])
                || requested(record).any(|named| named_value(&named) == Some(wanted))
        });
        let is_document = self
            .document
            .as_ref()
            .is_none_or(|keys| keys.iter().any(|key| has_document(record, key)));
        is_in_time
            && is_subject
            && is_document
            && is_one_of(&self.actor, &["/actor", "/onBehalfOf"])
            && is_one_of(&self.recipient, &["/recipient/address", "/recipient/userId"])
            && is_one_of(&self.job, &["/jobId", "/correlationId"])
            && is_one_of(&self.action, &["/action"])
    }
}

/// Returns whether a record names a document: among its files, or among the denied ones.
fn has_document(record: &Value, key: &str) -> bool {
    files(record).any(|file| file.get("id").and_then(Value::as_str) == Some(key))
        || requested(record).any(|named| named_value(&named) == Some(key))
}

/// Returns the value in a text such as `fileId=10042`.
fn named_value(named: &str) -> Option<&str> {
    named.split_once('=').map(|(_, value)| value)
}

/// Returns all keys of a registered document as text. Records name it by its GUID, and denials by
/// the key that the request named.
pub(super) fn keys_as_text(record: &DocumentRecord) -> Vec<String> {
    let text = |key| match key {
        DocumentKey::Id(id) => id.to_string(),
        DocumentKey::File(file) => file.to_string(),
        DocumentKey::Object(guid) => guid.as_str().to_owned(),
    };
    DocumentKey::all_of(record).into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record() -> Value {
        json!({
            "timestamp": "2026-11-30T10:00:00Z", "action": "URL issued", "actor": "sub:ada",
            "onBehalfOf": null, "recipient": { "userId": "u-1", "address": "A@b.example" },
            "subject": { "system": "urn:x", "value": "T-1/26" }, "jobId": "j-1",
            "correlationId": "c-1", "files": [{ "id": "AAAA", "fileName": "order.pdf" }],
            "requested": ["fileId=10042"],
        })
    }

    #[test]
    fn record_has_to_meet_every_condition() {
        let text = |value: &str| Some(value.to_owned());
        let at = |text: &str| text.parse().ok();
        let conditions: [(Filter, bool); 15] = [
            (Filter::default(), true),
            (Filter { document: Some(vec!["AAAA".into()]), ..Filter::default() }, true),
            (
                Filter { document: Some(vec!["x".into(), "10042".into()]), ..Filter::default() },
                true,
            ),
            (Filter { document: Some(vec!["order.pdf".into()]), ..Filter::default() }, false),
            (Filter { subject: text("t-1/26"), ..Filter::default() }, true),
            (Filter { subject: text("urn:x|T-1/26"), ..Filter::default() }, true),
            (Filter { subject: text("urn:y|T-1/26"), ..Filter::default() }, false),
            (Filter { recipient: text("a@b.example"), ..Filter::default() }, true),
            (Filter { recipient: text("u-2"), ..Filter::default() }, false),
            (Filter { actor: text("sub:ada"), job: text("c-1"), ..Filter::default() }, true),
            (Filter { actor: text("sub:ada"), job: text("c-2"), ..Filter::default() }, false),
            (Filter { action: text("url issued"), ..Filter::default() }, true),
            (Filter { since: at("2026-11-30T10:00:00Z"), ..Filter::default() }, true),
            (Filter { until: at("2026-11-30T10:00:00Z"), ..Filter::default() }, false),
            (Filter { since: at("2026-11-30T10:00:01Z"), ..Filter::default() }, false),
        ];
        for (filter, expected) in conditions {
            assert_eq!(filter.matches(&record()), expected, "{filter:?}");
        }
        let unreadable = json!({ "unreadable": "x" });
        let by_time = Filter { since: at("2026-11-30T10:00:00Z"), ..Filter::default() };
        assert!(!by_time.matches(&unreadable) && Filter::default().matches(&unreadable));
    }
}

//! Conditions that a record of the audit trail has to meet.

use docferry_app::audit::denied_document;
use docferry_domain::document::{DocumentKey, DocumentRecord};
use jiff::Timestamp;
use serde_json::Value;

use super::record::{files, requested};

/// Conditions of `docferry audit find`. A record has to meet all that are set.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// Time from which on the action happened.
    pub(super) since: Option<Timestamp>,
    /// Time before which the action happened.
    pub(super) until: Option<Timestamp>,
    /// Document that the record names.
    pub(super) document: Option<NamedDocument>,
    /// Value of the subject, or `system|value`.
    pub(super) subject: Option<String>,
    /// Caller, or person on whose behalf it called.
    pub(super) actor: Option<String>,
    /// Address or user id of the recipient.
    pub(super) recipient: Option<String>,
    /// Id of the job or transfer.
    pub(super) job: Option<String>,
    /// Name of the action.
    pub(super) action: Option<String>,
}

/// A document as records name it.
#[derive(Debug)]
pub(super) struct NamedDocument {
    /// GUID, by which the files of a record are named.
    guid: String,
    /// Texts by which denials name the document, such as `fileId=10042`.
    denied: Vec<String>,
}

impl NamedDocument {
    /// Returns the names of a registered document.
    pub(super) fn registered(record: &DocumentRecord) -> Self {
        let denied = DocumentKey::all_of(record).iter().map(denied_document).collect();
        Self { guid: record.obj_guid.as_str().to_owned(), denied }
    }

    /// Returns the possible names of a document of which only this key is known.
    pub(super) fn unregistered(key: &str) -> Self {
        let denied = ["id", "fileId", "objGuid"].map(|kind| format!("{kind}={key}"));
        Self { guid: key.to_owned(), denied: denied.into() }
    }

    /// Returns whether a record names the document: among its files, or among the denied ones.
    fn is_in(&self, record: &Value) -> bool {
        files(record).any(|file| file.get("id").and_then(Value::as_str) == Some(&self.guid))
            || requested(record).any(|named| self.denied.contains(&named))
    }
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
                || requested(record).any(|named| is_denied_subject(&named, wanted))
        });
        let is_document = self.document.as_ref().is_none_or(|document| document.is_in(record));
        // Without a job, the correlation id is the id of the request, which a client can choose.
        let is_of_job = text("/jobId").is_some() || self.job.is_none();
        is_in_time
            && is_of_job
            && is_subject
            && is_document
            && is_one_of(&self.actor, &["/actor", "/onBehalfOf"])
            && is_one_of(&self.recipient, &["/recipient/address", "/recipient/userId"])
            && is_one_of(&self.job, &["/jobId", "/correlationId"])
            && is_one_of(&self.action, &["/action"])
    }
}

/// Returns whether a denied text such as `subject=urn:x|T-1/26` names the subject.
fn is_denied_subject(named: &str, wanted: &str) -> bool {
    let Some(subject) = named.strip_prefix("subject=") else { return false };
    let value = subject.split_once('|').map_or(subject, |(_, value)| value);
    subject.eq_ignore_ascii_case(wanted) || value.eq_ignore_ascii_case(wanted)
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
            "requested": ["fileId=10042", "subject=urn:x|s-7"],
        })
    }

    #[test]
    fn record_has_to_meet_every_condition() {
        let text = |value: &str| Some(value.to_owned());
        let at = |text: &str| text.parse().ok();
        let document = |key| Some(NamedDocument::unregistered(key));
        let conditions: [(Filter, bool); 17] = [
            (Filter::default(), true),
            (Filter { document: document("AAAA"), ..Filter::default() }, true),
            (Filter { document: document("10042"), ..Filter::default() }, true),
            (Filter { document: document("order.pdf"), ..Filter::default() }, false),
            (Filter { subject: text("S-7"), ..Filter::default() }, true),
            (Filter { subject: text("10042"), ..Filter::default() }, false),
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
        let foreign = json!({ "jobId": null, "correlationId": "c-1" });
        assert!(!Filter { job: text("c-1"), ..Filter::default() }.matches(&foreign));
        let unreadable = json!({ "unreadable": "x" });
        let by_time = Filter { since: at("2026-11-30T10:00:00Z"), ..Filter::default() };
        assert!(!by_time.matches(&unreadable) && Filter::default().matches(&unreadable));
    }
}

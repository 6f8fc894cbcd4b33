//! Conditions of `docferry audit find`, which a record of the audit trail has to meet.
//!
//! A record about a delivery or an issued URL has the member `files`, which names documents by
//! their GUIDs. A denial has the member `requested`: the names that the denied request used, such
//! as `fileId=10042`.

use docferry_app::audit::denied_document;
use docferry_domain::document::{DocumentKey, DocumentRecord};
use jiff::Timestamp;
use serde_json::Value;

use super::record::{files, requested};

/// Conditions of `docferry audit find`. A record has to meet each condition that is not `None`.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// Earliest time of the action.
    pub(super) since: Option<Timestamp>,
    /// Time before which the action must have happened.
    pub(super) until: Option<Timestamp>,
    /// Document that the record names.
    pub(super) document: Option<NamedDocument>,
    /// Value of the subject, or `system|value`.
    pub(super) subject: Option<String>,
    /// Caller, or person on whose behalf the caller sent the request.
    pub(super) actor: Option<String>,
    /// Address or user id of the recipient.
    pub(super) recipient: Option<String>,
    /// Id of the job or transfer.
    pub(super) job: Option<String>,
    /// Name of the action.
    pub(super) action: Option<String>,
}

/// The names by which records may name a document.
#[derive(Debug)]
pub(super) struct NamedDocument {
    /// GUID, by which a record names its files.
    guid: String,
    /// Names of the document in denials, such as `fileId=10042`.
    denial_names: Vec<String>,
}

impl NamedDocument {
    /// Returns the names of a registered document.
    pub(super) fn registered(record: &DocumentRecord) -> Self {
        let denial_names = DocumentKey::all_of(record).iter().map(denied_document).collect();
        Self { guid: record.obj_guid.as_str().to_owned(), denial_names }
    }

    /// Returns the possible names of a document of which only one key is known. The kind of the key
    /// is not known.
    pub(super) fn unregistered(key: &str) -> Self {
        let denial_names = ["id", "fileId", "objGuid"].map(|kind| format!("{kind}={key}"));
        Self { guid: key.to_owned(), denial_names: denial_names.into() }
    }

    /// Returns whether a record names the document among its files or among the denied documents.
    fn is_in(&self, record: &Value) -> bool {
        files(record).any(|file| file.get("id").and_then(Value::as_str) == Some(&self.guid))
            || requested(record).any(|name| self.denial_names.contains(&name))
    }
}

impl Filter {
    /// Returns whether a record meets all conditions.
    pub(super) fn matches(&self, record: &Value) -> bool {
        self.is_in_time(record)
            && self.is_about_subject(record)
            && self.is_of_job(record)
            && self.document.as_ref().is_none_or(|document| document.is_in(record))
            && has_value(record, &["/actor", "/onBehalfOf"], self.actor.as_deref())
            && has_value(
                record,
                &["/recipient/address", "/recipient/userId"],
                self.recipient.as_deref(),
            )
            && has_value(record, &["/action"], self.action.as_deref())
    }

    fn is_in_time(&self, record: &Value) -> bool {
        let time = text_at(record, "/timestamp").and_then(|text| text.parse::<Timestamp>().ok());
        self.since.is_none_or(|since| time.is_some_and(|time| since <= time))
            && self.until.is_none_or(|until| time.is_some_and(|time| time < until))
    }

    fn is_about_subject(&self, record: &Value) -> bool {
        let Some(wanted) = self.subject.as_deref() else { return true };
        let system_and_value =
            text_at(record, "/subject/system").zip(text_at(record, "/subject/value"));
        let full_subject = system_and_value.map(|(system, value)| format!("{system}|{value}"));
        full_subject.is_some_and(|subject| subject.eq_ignore_ascii_case(wanted))
            || has_value(record, &["/subject/value", "/courtFile"], Some(wanted))
            || requested(record).any(|name| is_denied_subject(&name, wanted))
    }

    fn is_of_job(&self, record: &Value) -> bool {
        let Some(wanted) = self.job.as_deref() else { return true };
        // In a record without a job, the correlation id is the id of the request, which a client
        // can choose. Such a record does not belong to a job.
        text_at(record, "/jobId").is_some()
            && has_value(record, &["/jobId", "/correlationId"], Some(wanted))
    }
}

/// Returns the text at a JSON pointer.
fn text_at<'a>(record: &'a Value, pointer: &str) -> Option<&'a str> {
    record.pointer(pointer).and_then(Value::as_str)
}

/// Returns whether one of the members has the wanted value, in upper or lower case. Without a
/// wanted value, the condition is met.
fn has_value(record: &Value, pointers: &[&str], wanted: Option<&str>) -> bool {
    let Some(wanted) = wanted else { return true };
    let mut values = pointers.iter().filter_map(|pointer| text_at(record, pointer));
    values.any(|value| value.eq_ignore_ascii_case(wanted))
}

/// Returns whether the name in a denial, such as `subject=urn:x|T-1/26`, stands for the subject.
fn is_denied_subject(denial_name: &str, wanted: &str) -> bool {
    let Some(subject) = denial_name.strip_prefix("subject=") else { return false };
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

//! Events of the audit trail about a request: which documents its response disclosed, or which ones
//! were denied.

use std::collections::BTreeSet;

use docferry_domain::audit::{
    AuditAction, AuditEvent, Denial, MAX_DENIED_OF_REQUEST, MAX_FILES_PER_EVENT, RequestOrigin,
    object_key_hash,
};
use docferry_domain::document::{DocumentKey, DocumentRecord, Subject};
use docferry_domain::ids::TransferId;
use docferry_domain::transfer::{DeliveredFile, Transfer};
use jiff::Timestamp;

use crate::transfer::create::new_id;

/// Request whose disclosures and denials are recorded.
#[derive(Debug, Clone)]
pub struct AuditedRequest {
    /// Principal that makes the request.
    pub actor: String,
    /// Circumstances of the request.
    pub origin: RequestOrigin,
}

impl AuditedRequest {
    /// Returns the events for presigned URLs of delivered documents. Each document comes with the
    /// key of its object.
    #[must_use]
    pub fn urls_issued(
        &self,
        job: &TransferId,
        issued: &[(&Transfer, &str)],
        now: Timestamp,
    ) -> Vec<AuditEvent> {
        let event = |part: &[(&Transfer, &str)], event| AuditEvent {
            subject: common_subject(
                part.iter().map(|(transfer, _)| transfer.audit.subject.as_ref()),
            ),
            files: part.iter().filter_map(|(transfer, _)| DeliveredFile::of(transfer)).collect(),
            objects: part.iter().map(|(_, key)| object_key_hash(key)).collect(),
            job_id: Some(job.clone()),
            ..event
        };
        self.events(AuditAction::UrlIssued, issued, now, event)
    }

    /// Returns the events for a list of documents. `subject` is the subject of the search, if it
    /// named one; an empty list of a subject is an event as well.
    #[must_use]
    pub fn list_viewed(
        &self,
        subject: Option<&Subject>,
        documents: &[&DocumentRecord],
        now: Timestamp,
    ) -> Vec<AuditEvent> {
        let event = |part: &[&DocumentRecord], event| AuditEvent {
            subject: subject
                .cloned()
                .or_else(|| common_subject(part.iter().map(|document| Some(&document.subject)))),
            files: part.iter().map(|document| DeliveredFile::from(*document)).collect(),
            ..event
        };
        if documents.is_empty() {
            let empty = || event(&[], self.event(AuditAction::ViewedList, now));
            return subject.map(|_| empty()).into_iter().collect();
        }
        self.events(AuditAction::ViewedList, documents, now, event)
    }

    /// Returns the event for a response with the number of a subject's documents.
    #[must_use]
    pub fn list_counted(
        &self,
        subject: Option<&Subject>,
        total: u64,
        now: Timestamp,
    ) -> AuditEvent {
        AuditEvent {
            subject: subject.cloned(),
            count: Some(total),
            ..self.event(AuditAction::ViewedList, now)
        }
    }

    /// Returns the denial of what the request named; `None` if it named nothing.
    #[must_use]
    pub fn denial(
        &self,
        requested: impl IntoIterator<Item = String>,
        now: Timestamp,
    ) -> Option<Denial> {
        let requested: BTreeSet<_> = requested.into_iter().collect();
        let requested: Vec<_> = requested.into_iter().take(MAX_DENIED_OF_REQUEST).collect();
        (!requested.is_empty()).then(|| Denial {
            actor: self.actor.clone(),
            at: now,
            origin: self.origin.clone(),
            requested,
        })
    }

    /// Returns one event for each part of at most [`MAX_FILES_PER_EVENT`] documents.
    fn events<T>(
        &self,
        action: AuditAction,
        documents: &[T],
        now: Timestamp,
        fill: impl Fn(&[T], AuditEvent) -> AuditEvent,
    ) -> Vec<AuditEvent> {
        let id = new_id(now);
        let parts = documents.chunks(MAX_FILES_PER_EVENT).enumerate();
        let event = |part| self.event_with_id(format!("{id}/{part}"), action, now);
        parts.map(|(part, documents)| fill(documents, event(part))).collect()
    }

    fn event(&self, action: AuditAction, now: Timestamp) -> AuditEvent {
        self.event_with_id(format!("{}/0", new_id(now)), action, now)
    }

    fn event_with_id(&self, id: String, action: AuditAction, now: Timestamp) -> AuditEvent {
        let event = AuditEvent::new(id, action, self.actor.clone(), now);
        AuditEvent { origin: Some(self.origin.clone()), ..event }
    }
}

/// Returns a denied document as text: the name of the field and the value that the request named.
#[must_use]
pub fn denied_document(key: &DocumentKey) -> String {
    match key {
        DocumentKey::Id(id) => format!("id={id}"),
        DocumentKey::File(file) => format!("fileId={file}"),
        DocumentKey::Object(guid) => format!("objGuid={}", guid.as_str()),
    }
}

/// Returns a denied subject as text.
#[must_use]
pub fn denied_subject(subject: &Subject) -> String {
    format!("subject={}", subject.key())
}

/// Returns the subject that all documents have; `None` if they differ or one is unknown.
fn common_subject<'a>(subjects: impl IntoIterator<Item = Option<&'a Subject>>) -> Option<Subject> {
    let mut subjects = subjects.into_iter();
    let first = subjects.next()??;
    subjects.all(|subject| subject == Some(first)).then(|| first.clone())
}

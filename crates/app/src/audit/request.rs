//! Events of the audit trail about a request. They record which documents the response disclosed,
//! or which documents were denied. The HTTP routes store the events before they send the response.
//!
//! A response with many documents needs several events, because an event names at most
//! [`MAX_FILES_PER_EVENT`] files. The *subject* of a document is the court file or patient that it
//! concerns.

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
    /// Returns the events for presigned URLs that the response contains. `issued` holds each
    /// delivered document with the key of its object.
    #[must_use]
    pub fn urls_issued(
        &self,
        job: &TransferId,
        issued: &[(&Transfer, &str)],
        now: Timestamp,
    ) -> Vec<AuditEvent> {
        let add_details = |chunk: &[(&Transfer, &str)], event| AuditEvent {
            subject: common_subject(
                chunk.iter().map(|(transfer, _)| transfer.audit.subject.as_ref()),
            ),
            files: chunk.iter().filter_map(|(transfer, _)| DeliveredFile::of(transfer)).collect(),
            objects: chunk.iter().map(|(_, key)| object_key_hash(key)).collect(),
            job_id: Some(job.clone()),
            ..event
        };
        self.events_of_chunks(AuditAction::UrlIssued, issued, now, add_details)
    }

    /// Returns the events for a list of documents. `subject` is the subject of the search, if the
    /// search named one. For such a search, an empty list is an event as well, because the response
    /// discloses that the subject has no documents.
    #[must_use]
    pub fn list_viewed(
        &self,
        subject: Option<&Subject>,
        documents: &[&DocumentRecord],
        now: Timestamp,
    ) -> Vec<AuditEvent> {
        let add_details = |chunk: &[&DocumentRecord], event| AuditEvent {
            subject: subject
                .cloned()
                .or_else(|| common_subject(chunk.iter().map(|document| Some(&document.subject)))),
            files: chunk.iter().map(|document| DeliveredFile::from(*document)).collect(),
            ..event
        };
        if documents.is_empty() {
            let empty_list = || add_details(&[], self.new_event(AuditAction::ViewedList, now));
            return subject.map(|_| empty_list()).into_iter().collect();
        }
        self.events_of_chunks(AuditAction::ViewedList, documents, now, add_details)
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
            ..self.new_event(AuditAction::ViewedList, now)
        }
    }

    /// Returns the denial of the documents and subjects in `requested`, which are texts of
    /// [`denied_document`] and [`denied_subject`]; `None` if `requested` is empty.
    #[must_use]
    pub fn denial(
        &self,
        requested: impl IntoIterator<Item = String>,
        now: Timestamp,
    ) -> Option<Denial> {
        let distinct: BTreeSet<_> = requested.into_iter().collect();
        let requested: Vec<_> = distinct.into_iter().take(MAX_DENIED_OF_REQUEST).collect();
        (!requested.is_empty()).then(|| Denial {
            actor: self.actor.clone(),
            at: now,
            origin: self.origin.clone(),
            requested,
        })
    }

    /// Returns one event for each chunk of at most [`MAX_FILES_PER_EVENT`] documents. `add_details`
    /// adds the data of a chunk to its event.
    fn events_of_chunks<T>(
        &self,
        action: AuditAction,
        documents: &[T],
        now: Timestamp,
        add_details: impl Fn(&[T], AuditEvent) -> AuditEvent,
    ) -> Vec<AuditEvent> {
        let id = new_id(now);
        let chunks = documents.chunks(MAX_FILES_PER_EVENT).enumerate();
        let new_event = |index| self.new_event_with_id(format!("{id}/{index}"), action, now);
        chunks.map(|(index, chunk)| add_details(chunk, new_event(index))).collect()
    }

    fn new_event(&self, action: AuditAction, now: Timestamp) -> AuditEvent {
        self.new_event_with_id(format!("{}/0", new_id(now)), action, now)
    }

    fn new_event_with_id(&self, id: String, action: AuditAction, now: Timestamp) -> AuditEvent {
        let event = AuditEvent::new(id, action, self.actor.clone(), now);
        AuditEvent { origin: Some(self.origin.clone()), ..event }
    }
}

/// Returns a denied document as text: the field of the request and its value, such as `fileId=7`.
#[must_use]
pub fn denied_document(key: &DocumentKey) -> String {
    match key {
        DocumentKey::Id(id) => format!("id={id}"),
        DocumentKey::File(file) => format!("fileId={file}"),
        DocumentKey::Object(guid) => format!("objGuid={}", guid.as_str()),
    }
}

/// Returns a denied subject as text, in the same form as [`denied_document`].
#[must_use]
pub fn denied_subject(subject: &Subject) -> String {
    format!("subject={}", subject.key())
}

/// Returns the subject that all documents share. Returns `None` if the subjects differ, or if the
/// subject of a document is unknown.
fn common_subject<'a>(subjects: impl IntoIterator<Item = Option<&'a Subject>>) -> Option<Subject> {
    let mut subjects = subjects.into_iter();
    let first = subjects.next()??;
    subjects.all(|subject| subject == Some(first)).then(|| first.clone())
}

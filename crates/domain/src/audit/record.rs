//! Records of the audit trail in the form in which docferry sends them to the queues of the trail.

use super::AuditEvent;
use crate::transfer::OutcomeRecord;

/// Record of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditRecord {
    /// Outcome of a transfer.
    Outcome(Box<OutcomeRecord>),
    /// A request to the API, or the withdrawal of a document.
    Event(Box<AuditEvent>),
}

impl AuditRecord {
    /// Returns the id of the message. It is the same for each repetition, so that a consumer can
    /// discard duplicates.
    #[must_use]
    pub fn message_id(&self) -> String {
        match self {
            Self::Outcome(record) => record.message_id(),
            Self::Event(event) => event.id.clone(),
        }
    }
}

impl From<OutcomeRecord> for AuditRecord {
    fn from(record: OutcomeRecord) -> Self {
        Self::Outcome(Box::new(record))
    }
}

impl From<AuditEvent> for AuditRecord {
    fn from(event: AuditEvent) -> Self {
        Self::Event(Box::new(event))
    }
}

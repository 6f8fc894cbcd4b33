//! Audit trail: the circumstances of requests, and records of the disclosures of documents.
//!
//! Each record describes one action. Records about transfers are
//! [`OutcomeRecord`](crate::transfer::OutcomeRecord)s. Records about requests and withdrawals are
//! [`AuditEvent`]s. Both contain names of documents and people, so they are stored in encrypted
//! tables, sent through encrypted queues, and never logged.

mod denial;
mod event;
mod object_key;
mod origin;
mod record;

pub use denial::{Denial, DenialKey, MAX_DENIED_OF_RECORD, MAX_DENIED_OF_REQUEST};
pub use event::{AuditAction, AuditEvent, MAX_FILES_PER_EVENT};
pub use object_key::object_key_hash;
pub use origin::{AuditContext, EndUser, InvalidEndUser, RequestOrigin, RequestSource};
pub use record::AuditRecord;

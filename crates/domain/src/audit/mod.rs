//! Audit trail: the circumstances of requests, and records of the disclosures of documents.
//!
//! A record names one action that has happened. Records about transfers are
//! [`OutcomeRecord`](crate::transfer::OutcomeRecord)s; records about requests are [`AuditEvent`]s.
//! Both contain names of documents and people, so they are stored in encrypted tables, sent
//! through encrypted queues, and never logged.

mod denial;
mod event;
mod origin;
mod record;

pub use denial::{Denial, DenialKey, MAX_DENIED_DOCUMENTS};
pub use event::{AuditAction, AuditEvent, MAX_FILES_PER_EVENT};
pub use origin::{AuditContext, EndUser, InvalidEndUser, RequestOrigin, RequestSource};
pub use record::AuditRecord;

use sha2::{Digest as _, Sha256};

/// Returns the SHA-256 of an object's key in hexadecimal. The trail names delivered objects by it,
/// because the key itself would allow a reader of the trail to look for the object.
#[must_use]
pub fn object_key_hash(key: &str) -> String {
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}

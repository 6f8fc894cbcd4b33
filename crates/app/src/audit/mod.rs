//! Audit trail: events about requests, and the archive of all records.

mod archive;
mod request;

pub use archive::{ARCHIVE_PREFIX, archive_day, archive_key, archive_messages, archive_time};
pub use request::{AuditedRequest, denied_document, denied_subject};

//! Audit trail: events about requests, and the archive of all records.

mod archive;
mod request;

pub use archive::{archive, archive_day, archive_key};
pub use request::{AuditedRequest, denied_document, denied_subject};

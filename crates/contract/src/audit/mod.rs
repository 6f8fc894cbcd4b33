//! Messages of the audit queues: one for each record of the audit trail.

mod conversion;
mod message;

pub use message::{
    AuditMessage, AuditOutcome, AuditRecipient, AuditSource, AuditedDestination, AuditedFile,
};

//! Port of the registry's feed: the dead-letter queue of rejected records.
//!
//! The *feed* is the queue by which the system of record sends records of documents to the document
//! registry. If the registry does not accept a record, the function `feed` puts its message into
//! the *dead-letter queue*, from which operators read.

use std::future::Future;

use super::QueueError;

/// A message of the feed that the registry does not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRecord {
    /// The message, as the system of record sent it.
    pub message: String,
    /// Name of the first faulty field; `record` if the error concerns the whole record.
    pub field: &'static str,
    /// The rules that the record breaks, one per line. The text is never empty and has less than 16
    /// KiB. It contains no value of the record, but it may contain the names of unknown fields.
    pub reason: String,
}

/// The dead-letter queue of the registry's feed.
pub trait RegistryDeadLetters: Send + Sync {
    /// Adds a rejected message with its field and its reason. A repeated call adds the message
    /// again.
    fn add_rejected(
        &self,
        rejected: &RejectedRecord,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;
}

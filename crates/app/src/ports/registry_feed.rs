//! Port of the registry's feed: the dead-letter queue of records that the registry does not accept.

use std::future::Future;

use super::QueueError;

/// A message of the feed that the registry does not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRecord {
    /// The message, as the system of record sent it.
    pub message: String,
    /// Name of the first faulty member; `record` if the error concerns the whole record.
    pub field: &'static str,
    /// The rules that the record breaks, one in each line. The text is never empty and has less
    /// than 16 KiB. It contains no value of the record, but it may contain names of unknown members.
    pub reason: String,
}

/// The dead-letter queue of the registry's feed, from which operators read.
pub trait RegistryDeadLetters: Send + Sync {
    /// Adds a rejected message with its field and its reason. The call can be repeated, and then
    /// adds the message again.
    fn add_rejected(
        &self,
        rejected: &RejectedRecord,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;
}

//! Port of the archive of the audit trail: the log of deliveries, issued URLs and denied requests.
//! The function `archive` writes all records of the audit trail to a bucket, and operators read
//! them there.

use std::future::Future;

use bytes::Bytes;

use super::Cause;

/// Error of the archive. The call can be repeated.
#[derive(Debug, thiserror::Error)]
#[error("the audit archive did not answer")]
pub struct ArchiveError(#[source] pub Cause);

/// Archive of the audit trail: objects that are written once and never changed.
pub trait AuditArchive: Send + Sync {
    /// Writes an object. A repeated call with the same key and content has no further effect.
    fn write(
        &self,
        key: &str,
        content: Bytes,
    ) -> impl Future<Output = Result<(), ArchiveError>> + Send;

    /// Lists the keys that begin with `prefix`, in ascending order. The list starts after the key
    /// `after` and has at most `limit` keys.
    fn list(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<String>, ArchiveError>> + Send;

    /// Reads an object.
    fn read(&self, key: &str) -> impl Future<Output = Result<Bytes, ArchiveError>> + Send;
}

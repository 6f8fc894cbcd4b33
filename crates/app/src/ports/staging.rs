use std::future::Future;
use std::ops::Range;

use bytes::Bytes;
use docferry_domain::ObjectHead;
use futures::stream::BoxStream;
use jiff::Timestamp;

use super::Cause;

/// Bytes on their way, in pieces of any size.
pub type ByteStream = BoxStream<'static, Result<Bytes, StagingError>>;

/// Why the exchange bucket did not do it, by what to do next.
#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    /// No answer or a server error: read again.
    #[error("the exchange bucket did not answer")]
    Unavailable(#[source] Cause),
    /// The object has another tag than the one that arrived (412).
    #[error("the exchange object was replaced")]
    Changed,
    /// The object is gone (404), or shorter than it was.
    #[error("the exchange object is gone")]
    Gone,
    /// Our key pair is refused (403).
    #[error("the exchange bucket refuses our key pair")]
    Unauthorized,
}

/// The exchange bucket, where the mover leaves documents for us.
pub trait Staging: Send + Sync {
    /// The store's own time, to the second. What it writes later carries a
    /// `last_modified` that is not before it.
    fn store_time(&self) -> impl Future<Output = Result<Timestamp, StagingError>> + Send;

    /// Size, tag and time of an object; `None` when there is none.
    fn head(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<Option<ObjectHead>, StagingError>> + Send;

    /// Reads `range` (not empty) of exactly the object with this tag. The stream
    /// yields exactly the range or ends with an error.
    fn read(
        &self,
        key: &str,
        etag: &str,
        range: Range<u64>,
    ) -> impl Future<Output = Result<ByteStream, StagingError>> + Send;

    /// Deletes an object; one that is gone counts as deleted.
    fn delete(&self, key: &str) -> impl Future<Output = Result<(), StagingError>> + Send;
}

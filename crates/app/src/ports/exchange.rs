//! Port of the exchange bucket, through which documents come from their source.
//!
//! The *mover*, a process outside docferry, writes each document into this bucket. docferry waits
//! for the object, reads it, and deletes it when no transfer needs it any more.

use std::future::Future;
use std::ops::Range;

use bytes::Bytes;
use docferry_domain::transfer::ObjectHead;
use futures::stream::BoxStream;
use jiff::Timestamp;

use super::Cause;

/// A stream of bytes in pieces of any size.
pub type ByteStream = BoxStream<'static, Result<Bytes, ExchangeError>>;

/// Failure of a call to the exchange bucket. Variants differ in how the caller has to react.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The bucket did not respond or reported a server error. Repeat the call.
    #[error("the exchange bucket did not answer")]
    Unavailable(#[source] Cause),
    /// The object was written again: its `ETag` is not the requested one (412).
    #[error("the exchange object was replaced")]
    Changed,
    /// The object is gone (404) or shorter than expected.
    #[error("the exchange object is gone")]
    Gone,
    /// The bucket rejected docferry's key pair (403).
    #[error("the exchange bucket refuses our key pair")]
    Unauthorized,
}

/// The exchange bucket. It belongs to the operators of the document source.
pub trait ExchangeStore: Send + Sync {
    /// Returns the current time by the clock of the bucket, to the second. An object that is
    /// written after the call has the same or a later `last_modified`.
    fn store_time(&self) -> impl Future<Output = Result<Timestamp, ExchangeError>> + Send;

    /// Returns size, `ETag` and time of an object; `None` when the object does not exist.
    fn head(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<Option<ObjectHead>, ExchangeError>> + Send;

    /// Reads `range` (not empty) of the object. The stream yields exactly the range or ends with an
    /// error. Fails with [`ExchangeError::Changed`] if the object has another `etag`.
    fn read(
        &self,
        key: &str,
        etag: &str,
        range: Range<u64>,
    ) -> impl Future<Output = Result<ByteStream, ExchangeError>> + Send;

    /// Deletes an object. Succeeds also if the object does not exist.
    fn delete(&self, key: &str) -> impl Future<Output = Result<(), ExchangeError>> + Send;
}

//! Errors of the store.

use super::cause::Cause;

/// Failure of a read or write.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No answer, or throttled. A write may have been applied; all writes of these ports can be
    /// repeated safely.
    #[error("the state store did not answer")]
    Unavailable(#[source] Cause),
    /// This version cannot read a stored item.
    #[error("a stored item cannot be read")]
    Corrupt(#[source] Cause),
}

/// Failure of a conditional write.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The transfer has ended or a newer execution has begun: stop without recording a failure.
    #[error("the transfer has ended or a newer attempt has begun")]
    Ended,
    /// A newer invocation has claimed the upload: stop at once.
    #[error("a newer invocation holds the upload")]
    Superseded,
    /// There is no such transfer.
    #[error("no such transfer")]
    NotFound,
    /// See [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
}

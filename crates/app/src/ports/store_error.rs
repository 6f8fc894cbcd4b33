//! Errors of the store, which holds all records of docferry.
//!
//! An *execution* is one run of the workflow for a transfer. An *invocation* is one call of a
//! function within an execution.

use super::cause::Cause;

/// Failure of a read or write.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store did not respond, or throttled the call. A write may have been applied. All writes
    /// of these ports can be repeated safely.
    #[error("the state store did not answer")]
    Unavailable(#[source] Cause),
    /// This version of docferry cannot read a stored item.
    #[error("a stored item cannot be read")]
    Corrupt(#[source] Cause),
}

/// Failure of a conditional write.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The transfer has ended or a newer execution has begun. Stop without recording a failure.
    #[error("the transfer has ended or a newer attempt has begun")]
    Ended,
    /// A newer invocation has claimed the upload. Stop at once.
    #[error("a newer invocation holds the upload")]
    Superseded,
    /// There is no such transfer.
    #[error("no such transfer")]
    NotFound,
    /// See [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
}

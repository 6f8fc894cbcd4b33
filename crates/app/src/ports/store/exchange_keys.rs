//! Port of the store for exchange keys. An *exchange key* is the name of an object in the exchange
//! bucket, where documents arrive from their source.
//!
//! Several transfers of the same document can use one key. The life of a key:
//!
//! 1. The source names the key in its response to a *push*, the request to write the document to
//!    the bucket. The transfer becomes a user of the key. The push is *outstanding* until its
//!    object is identified.
//! 2. Each transfer *releases* the key when it ends.
//! 3. The last user gets the *deletion lease*: the right to delete the object. Until the lease
//!    ends, no transfer can use the key.

use std::future::Future;

use docferry_domain::ids::{ObjectGuid, TransferId};
use docferry_domain::transfer::{ExchangeKey, OutstandingPush};
use jiff::Timestamp;

use crate::ports::{StoreError, WriteError};

/// Result of releasing a reference to an exchange key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Other transfers still use the key. Do not delete the object.
    StillReferenced,
    /// The transfer was the last user of the key, and has the deletion lease. Delete the object,
    /// then call [`ExchangeKeyStore::mark_released`].
    Last,
}

/// Exchange keys with their users and deletion leases.
///
/// Every write is conditional and can be repeated, as in [`TransferStore`](super::TransferStore).
pub trait ExchangeKeyStore: Send + Sync {
    /// Returns the state of an exchange key. An unknown key has no users and no outstanding pushes.
    fn exchange_key(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<ExchangeKey, StoreError>> + Send;

    /// Makes the transfer a user of a key that an earlier push named. A transfer calls this before
    /// it pushes its document again.
    ///
    /// Returns `false` while transfers of another document use the key, or while a deletion lease
    /// is held. The call can be repeated.
    fn acquire_key(
        &self,
        id: &TransferId,
        execution_number: u32,
        document: &ObjectGuid,
        key: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, WriteError>> + Send;

    /// Removes a push from the outstanding pushes of the key. Call this after its object was
    /// identified.
    fn remove_outstanding_push(
        &self,
        key: &str,
        push: &OutstandingPush,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes the transfer from the users of an exchange key. If it was the last user, it gets the
    /// deletion lease until `until`, and the call returns [`Release::Last`].
    ///
    /// The caller can end the lease earlier with [`ExchangeKeyStore::mark_released`]. If the call
    /// is repeated during the lease, two processes share the lease. Neither process knows whether
    /// the other one has deleted the object, so only the time `until` ends a shared lease.
    ///
    /// Returns [`Release::StillReferenced`] in these cases:
    ///
    /// - Other transfers use the key.
    /// - The transfer does not use the key, and does not hold the lease.
    /// - The transfer is in another execution than `execution_number`.
    fn release_key(
        &self,
        id: &TransferId,
        execution_number: u32,
        key: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Release, StoreError>> + Send;

    /// Takes the deletion lease of a key that no transfer uses, in order to delete an object that
    /// arrived late. The lease ends as after [`ExchangeKeyStore::release_key`].
    ///
    /// Returns `false` if a transfer uses the key, or if another transfer holds the lease.
    fn acquire_unused_key(
        &self,
        id: &TransferId,
        key: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Ends the deletion lease. Call this after the object was deleted. `released_at` is a time
    /// after the deletion, by the clock of the exchange bucket.
    ///
    /// Does nothing if the transfer does not hold the lease, or shares it with another process.
    fn mark_released(
        &self,
        id: &TransferId,
        key: &str,
        released_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

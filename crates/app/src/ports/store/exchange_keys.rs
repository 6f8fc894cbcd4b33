//! Port of the store for exchange keys. An exchange key is the name of a document's object in the
//! exchange bucket, which several transfers of the document can use.

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
    /// The transfer was the last user of the key. Delete the object, then call
    /// [`ExchangeKeyStore::mark_released`]. New pushes of the key wait for this call.
    Last,
}

/// Exchange keys: the transfers that use a key, and the deletion of its object.
///
/// Every write is conditional and can be repeated, as in [`TransferStore`](super::TransferStore).
pub trait ExchangeKeyStore: Send + Sync {
    /// Returns the state of an exchange key. An unknown key is free and has no outstanding
    /// pushes.
    fn exchange_key(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<ExchangeKey, StoreError>> + Send;

    /// Registers the transfer as a user of a key that an earlier push named, before the
    /// document is pushed again. Returns `false` while transfers of another document use the
    /// key or its object is being deleted. The call can be repeated.
    fn acquire_key(
        &self,
        id: &TransferId,
        execution_number: u32,
        document: &ObjectGuid,
        key: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, WriteError>> + Send;

    /// Removes a push from the outstanding pushes of the key, because its object was identified.
    fn remove_outstanding_push(
        &self,
        key: &str,
        push: &OutstandingPush,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes the transfer from the users of an exchange key.
    ///
    /// After [`Release::Last`], the caller has a lease to delete the object, and new pushes of the
    /// key wait until the lease ends at `until` or the caller ends it with
    /// [`ExchangeKeyStore::mark_released`]. If the call is repeated before that, it returns
    /// [`Release::Last`] again. Two processes may then share the lease, and neither knows whether
    /// the other process has deleted the object, so only `until` ends a shared lease.
    ///
    /// After the lease, the call returns [`Release::StillReferenced`]. It also returns that for a
    /// transfer that never registered the key or is in another execution than `execution_number`.
    fn release_key(
        &self,
        id: &TransferId,
        execution_number: u32,
        key: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Release, StoreError>> + Send;

    /// Claims a key that no transfer uses, in order to delete an object that arrived late. Returns
    /// `false` when a transfer uses the key or is deleting its object. New pushes of the key wait
    /// until [`ExchangeKeyStore::mark_released`] is called, as after [`Release::Last`].
    fn acquire_unused_key(
        &self,
        id: &TransferId,
        key: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Records that the object of the key was deleted before `released_at`, by the exchange
    /// store's clock.
    fn mark_released(
        &self,
        id: &TransferId,
        key: &str,
        released_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

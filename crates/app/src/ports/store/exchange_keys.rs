//! Store of exchange keys.

use std::future::Future;

use docferry_domain::ids::{ObjectGuid, TransferId};
use docferry_domain::transfer::{ExchangeKey, OutstandingPush};
use jiff::Timestamp;

use crate::ports::{StoreError, WriteError};

/// Result of releasing a reference to an exchange key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Other transfers still refer to the key: keep the object.
    StillReferenced,
    /// It was the last reference: delete the object, then call
    /// [`ExchangeKeyStore::mark_released`]. New pushes of the key wait until then.
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

    /// Removes a push from the outstanding ones, because its object was seen and identified.
    fn remove_outstanding_push(
        &self,
        key: &str,
        push: &OutstandingPush,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes the transfer from the users of an exchange key. `until` bounds how long others
    /// wait for the deletion if the caller dies before it completes. After [`Release::Last`],
    /// repeating the call returns `Last` once more until [`ExchangeKeyStore::mark_released`].
    /// The two callers then share the lease, which only `until` ends: they may be two
    /// processes, and neither knows when the other has deleted the object. After that, and for a transfer that never registered the key or is in another execution than
    /// `execution_number`, it returns `StillReferenced`.
    fn release_key(
        &self,
        id: &TransferId,
        execution_number: u32,
        key: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Release, StoreError>> + Send;

    /// Claims an unreferenced key in order to delete an object that arrived late. Returns
    /// `false` when a transfer uses the key or is deleting its object. As after
    /// [`Release::Last`], new pushes wait until [`ExchangeKeyStore::mark_released`].
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

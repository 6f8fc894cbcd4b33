//! Port of the store for pushes. In a push, the document source writes a document to the exchange
//! bucket, under a key (the exchange key) that only its response names.

use std::future::Future;

use docferry_domain::ids::TransferId;
use docferry_domain::transfer::{LateArrivalKey, OutstandingPush, PushedSource};

use crate::ports::{StoreError, WriteError};

/// Result of recording a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum PushRecord {
    /// The push is recorded, and the transfer uses the key.
    Recorded,
    /// The last user of the key is deleting its object, or has deleted it after the push was
    /// requested. Push again, because the object of this push may have been deleted.
    Releasing,
    /// Transfers of another document use the key. The push is recorded as outstanding at the
    /// key, and the transfer records that its object may still arrive under the key. Push again
    /// once the key is free.
    HeldByAnother,
}

/// Pushes, and the exchange keys that the source named for them.
///
/// Every write is conditional and can be repeated, as in [`TransferStore`](super::TransferStore).
pub trait PushStore: Send + Sync {
    /// Announces a push before the source is called, because the exchange key is unknown until
    /// the source has responded. Returns the stored announcement.
    ///
    /// An earlier try that left an announcement may have pushed. The stored announcement then
    /// retains the `requested_at` of the earlier try. It also retains its `pushed_at`, if that is
    /// younger than [`UNNAMED_PUSH_TIMEOUT`](docferry_domain::transfer::UNNAMED_PUSH_TIMEOUT).
    fn announce_push(
        &self,
        id: &TransferId,
        push: &OutstandingPush,
    ) -> impl Future<Output = Result<OutstandingPush, StoreError>> + Send;

    /// Withdraws the announcement of a push, once its key is recorded.
    fn withdraw_announcement(
        &self,
        id: &TransferId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns pushes that were announced and whose keys are not known yet, including pushes of
    /// transfers whose execution died.
    fn pushes_in_flight(
        &self,
    ) -> impl Future<Output = Result<Vec<OutstandingPush>, StoreError>> + Send;

    /// Records a push, moves to `AwaitingArrival`, and registers the transfer as a user of the
    /// exchange key, in one transaction.
    ///
    /// A push that is repeated after the object had arrived changes nothing and succeeds,
    /// unless the record says [`Transfer::push_again`], which it then clears.
    ///
    /// `push` is outstanding at the key until [`ExchangeKeyStore::remove_outstanding_push`](super::ExchangeKeyStore::remove_outstanding_push), also when transfers
    /// of another document use the key. If the transfer used another key before, its record
    /// retains that key, because an object may still arrive under it.
    fn record_push(
        &self,
        id: &TransferId,
        execution_number: u32,
        push: &OutstandingPush,
        source: &PushedSource,
    ) -> impl Future<Output = Result<PushRecord, WriteError>> + Send;

    /// Records a key under which an object of this transfer may still arrive. The call can be
    /// repeated.
    fn record_late_arrival_key(
        &self,
        id: &TransferId,
        execution_number: u32,
        owed: &LateArrivalKey,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;
}

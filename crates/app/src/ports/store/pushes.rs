//! Port of the store for pushes. A *push* is the request to the document source to write a document
//! to the exchange bucket. Only the response names the *exchange key*, the name of the object.
//!
//! The life of a push:
//!
//! 1. The transfer *announces* the push, and calls the source.
//! 2. The source returns the exchange key. The transfer records the push, and withdraws the
//!    announcement. The push is now *outstanding*.
//! 3. The object of the push arrives under the key and is identified.
//!
//! An object may also arrive after its transfer has begun to use another key. The transfer records
//! such a key as a *late-arrival key*, so that the object is deleted later.

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
    /// The last user of the key is deleting the object, or has deleted it after the push was
    /// requested. The deleted object may be that of this push, so the transfer has to push again.
    Releasing,
    /// Transfers of another document use the key. The transfer has to push again when the key is
    /// free. The push is recorded as outstanding, and the key as a late-arrival key.
    HeldByAnother,
}

/// Pushes and their exchange keys.
///
/// Every write is conditional and can be repeated, as in [`TransferStore`](super::TransferStore).
pub trait PushStore: Send + Sync {
    /// Announces a push. Call this before the source is called. Returns the stored announcement.
    ///
    /// If an earlier try has announced a push, that try may have pushed the document. The stored
    /// announcement then has the `requested_at` of the earlier try. It also has the `pushed_at` of
    /// the earlier try, if that time is less than
    /// [`UNNAMED_PUSH_TIMEOUT`](docferry_domain::transfer::UNNAMED_PUSH_TIMEOUT) ago.
    fn announce_push(
        &self,
        id: &TransferId,
        push: &OutstandingPush,
    ) -> impl Future<Output = Result<OutstandingPush, StoreError>> + Send;

    /// Withdraws the announcement of a push. Call this after its exchange key was recorded.
    fn withdraw_announcement(
        &self,
        id: &TransferId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns all announced pushes. Their exchange keys are not known yet. The list includes
    /// pushes whose process died.
    fn pushes_in_flight(
        &self,
    ) -> impl Future<Output = Result<Vec<OutstandingPush>, StoreError>> + Send;

    /// Records the response to a push. In one transaction, the transfer moves to `AwaitingArrival`
    /// and becomes a user of the exchange key, and the push becomes outstanding.
    ///
    /// - If the transfer used another key before, that key becomes a late-arrival key.
    /// - If the object has already arrived, the call changes nothing and succeeds, unless the flag
    ///   [`push_again`](docferry_domain::transfer::Transfer::push_again) of the transfer is set.
    ///   With this flag, the call records the push and clears the flag.
    /// - The push stays outstanding until
    ///   [`remove_outstanding_push`](super::ExchangeKeyStore::remove_outstanding_push).
    fn record_push(
        &self,
        id: &TransferId,
        execution_number: u32,
        push: &OutstandingPush,
        source: &PushedSource,
    ) -> impl Future<Output = Result<PushRecord, WriteError>> + Send;

    /// Records a late-arrival key of the transfer. The call can be repeated.
    fn record_late_arrival_key(
        &self,
        id: &TransferId,
        execution_number: u32,
        late_key: &LateArrivalKey,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;
}

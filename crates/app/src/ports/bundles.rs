use std::future::Future;

use docferry_domain::{Bundle, BundleCounts, Outcome, Transfer, TransferId};
use jiff::Timestamp;

use super::StoreError;

/// Bundles and their documents, each of which is a transfer that
/// [`TransferStore`](super::TransferStore) knows as well.
///
/// The counts are kept by the transactions that end the documents: each document
/// counts once.
pub trait BundleStore: Send + Sync {
    /// Adds a bundle that does not exist yet, not promised yet. Repeating it is fine.
    fn create_bundle(&self, bundle: &Bundle)
    -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Adds documents of a bundle, which nobody works on yet: they hold no slot and
    /// stand in no queue. Those that exist stay as they are. The store may forget
    /// them after `purge_at` if nothing ever becomes of them.
    fn add_documents(
        &self,
        documents: &[Transfer],
        purge_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// All documents are written down: from now on the bundle is promised. Nothing
    /// changes for one that has ended.
    fn open_bundle(&self, id: &TransferId) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The bundle and how far it is; `None` when there is none.
    fn bundle(
        &self,
        id: &TransferId,
    ) -> impl Future<Output = Result<Option<(Bundle, BundleCounts)>, StoreError>> + Send;

    /// Its documents in the order of their numbers, from `from` on, at most `limit`.
    fn documents(
        &self,
        id: &TransferId,
        from: u16,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Transfer>, StoreError>> + Send;

    /// Notes that the bundle's owner wants it to stop; `sweep` looks at it from
    /// `due` on. Returns it, or `None` when there is none that runs.
    fn cancel_bundle(
        &self,
        id: &TransferId,
        owner: &str,
        due: Timestamp,
    ) -> impl Future<Output = Result<Option<Bundle>, StoreError>> + Send;

    /// All of its documents that had not ended were asked to stop.
    fn documents_stopped(
        &self,
        id: &TransferId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends the bundle, unless it has ended; the store may forget it after
    /// `purge_at`.
    fn end_bundle(
        &self,
        id: &TransferId,
        outcome: Outcome,
        ended_at: Timestamp,
        purge_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

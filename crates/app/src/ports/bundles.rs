use std::future::Future;

use docferry_domain::{
    Bundle, BundleCounts, DocumentName, NamedRequest, Outcome, Transfer, TransferId,
};
use jiff::Timestamp;

use super::{Entered, StoreError};

/// Bundles and their documents, each of which is a transfer that
/// [`TransferStore`](super::TransferStore) knows as well.
///
/// The counts are kept by the transactions that end the documents: each document
/// counts once.
pub trait BundleStore: Send + Sync {
    /// Adds a bundle that does not exist yet, not promised yet. Repeating it is fine.
    fn enter_bundle(
        &self,
        bundle: &Bundle,
        request: Option<&NamedRequest>,
    ) -> impl Future<Output = Result<Entered, StoreError>> + Send;

    /// The same for a request without a name.
    fn create_bundle(
        &self,
        bundle: &Bundle,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        async move { self.enter_bundle(bundle, None).await.map(drop) }
    }

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

    /// The same with its documents in the order of their numbers, at most `limit`, in
    /// one paged query.
    fn whole_bundle(
        &self,
        id: &TransferId,
        limit: usize,
    ) -> impl Future<Output = Result<Option<(Bundle, BundleCounts, Vec<Transfer>)>, StoreError>> + Send;

    /// Its documents in the order of their numbers, from `from` on, at most `limit`.
    fn documents(
        &self,
        id: &TransferId,
        from: u16,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Transfer>, StoreError>> + Send;

    /// Reserves a file name for a document among those of its bundle; names that differ
    /// in case only are the same. Returns whether the name is the document's now: `false`
    /// when another document has it. Repeating it is fine. The store may forget the name
    /// after `purge_at`.
    fn claim_name(
        &self,
        document: &TransferId,
        name: &DocumentName,
        purge_at: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Notes that the bundle's owner wants it to stop; `sweep` looks at it from
    /// `due` on. Returns it, or `None` when there is none that runs.
    fn cancel_bundle(
        &self,
        id: &TransferId,
        owner: &str,
        due: Timestamp,
    ) -> impl Future<Output = Result<Option<Bundle>, StoreError>> + Send;

    /// All of its documents that had not ended were asked to stop. Only for the run with
    /// this number of retries.
    fn documents_stopped(
        &self,
        id: &TransferId,
        retries: u32,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends the bundle, unless it has ended or runs again since it was `read`; the store
    /// may forget it after `purge_at`. `counts` says how many of its documents were not
    /// delivered, which is recorded and notified with the end.
    fn end_bundle(
        &self,
        read: &Bundle,
        counts: &BundleCounts,
        outcome: Outcome,
        ended_at: Timestamp,
        purge_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

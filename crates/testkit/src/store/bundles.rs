//! Bundles, in memory.

use docferry_app::ports::{BundleStore, Due, FIRST_LOOK, StoreError};
use docferry_domain::{Bundle, BundleCounts, Failure, Outcome, Phase, Transfer, TransferId};
use jiff::Timestamp;

use super::{InMemoryTransferStore, Tables};

impl Tables {
    /// Counts a document that has ended, if it is one of a bundle.
    pub(super) fn count(&mut self, ended: &Transfer) {
        let Some((bundle, _)) = ended.transfer_id.in_bundle() else { return };
        let Some((_, counts)) = self.bundles.get_mut(&bundle) else { return };
        counts.ended += 1;
        match &ended.failure {
            None => {
                counts.completed += 1;
                counts.bytes += ended.source.as_ref().map_or(0, |source| source.size);
            }
            Some(failure) => {
                counts.first_failure.get_or_insert(failure.code);
            }
        }
    }
}

impl InMemoryTransferStore {
    fn change_bundle(&self, id: &TransferId, change: impl FnOnce(&mut Bundle)) {
        if let Some((bundle, _)) = self.tables().bundles.get_mut(id) {
            change(bundle);
        }
    }
}

impl BundleStore for InMemoryTransferStore {
    async fn create_bundle(&self, bundle: &Bundle) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let id = &bundle.bundle_id;
        if !tables.bundles.contains_key(id) {
            tables.bundles.insert(id.clone(), (bundle.clone(), BundleCounts::default()));
            tables.due.insert(Due::Bundle(id.clone()), bundle.created_at + FIRST_LOOK);
        }
        Ok(())
    }

    async fn add_documents(
        &self,
        documents: &[Transfer],
        _purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        for document in documents {
            let id = document.transfer_id.clone();
            tables.transfers.entry(id).or_insert_with(|| document.clone());
        }
        Ok(())
    }

    async fn open_bundle(&self, id: &TransferId) -> Result<(), StoreError> {
        self.change_bundle(id, |bundle| bundle.phase = bundle.phase.max(Phase::Uploading));
        Ok(())
    }

    async fn bundle(&self, id: &TransferId) -> Result<Option<(Bundle, BundleCounts)>, StoreError> {
        Ok(self.tables().bundles.get(id).cloned())
    }

    async fn documents(
        &self,
        id: &TransferId,
        from: u16,
        limit: usize,
    ) -> Result<Vec<Transfer>, StoreError> {
        let tables = self.tables();
        let behind = tables.transfers.range(id.document(from)..=id.document(9999));
        Ok(behind.take(limit).map(|(_, document)| document.clone()).collect())
    }

    async fn cancel_bundle(
        &self,
        id: &TransferId,
        owner: &str,
        due: Timestamp,
    ) -> Result<Option<Bundle>, StoreError> {
        let mut tables = self.tables();
        let Some((bundle, _)) = tables.bundles.get_mut(id) else { return Ok(None) };
        if bundle.owner != owner || bundle.phase.is_terminal() {
            return Ok(None);
        }
        bundle.cancel_requested = true;
        let canceled = bundle.clone();
        tables.due.insert(Due::Bundle(id.clone()), due);
        Ok(Some(canceled))
    }

    async fn documents_stopped(&self, id: &TransferId) -> Result<(), StoreError> {
        self.change_bundle(id, |bundle| bundle.documents_stopped = true);
        Ok(())
    }

    async fn end_bundle(
        &self,
        id: &TransferId,
        outcome: Outcome,
        ended_at: Timestamp,
        _purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.change_bundle(id, |bundle| {
            if !bundle.phase.is_terminal() {
                bundle.phase = outcome.phase();
                bundle.failure = outcome.failure().map(|code| Failure { code });
                bundle.ended_at = Some(ended_at);
            }
        });
        self.tables().due.remove(&Due::Bundle(id.clone()));
        Ok(())
    }
}

//! Batches, in memory.

use docferry_app::ports::{BatchStore, CreateResult, FIRST_CHECK_DELAY, StoreError, WorkItem};
use docferry_domain::document::DocumentName;
use docferry_domain::ids::TransferId;
use docferry_domain::job::{Batch, BatchCounts, IdempotencyRecord, WebhookNotification};
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Failure, Outcome, Transfer};
use jiff::Timestamp;

use super::{InMemoryTransferStore, Tables};

impl Tables {
    /// Adds an ended document to the counts of its batch; transfers outside a batch are ignored.
    pub(super) fn count(&mut self, ended: &Transfer) {
        let Some((bundle, _)) = ended.transfer_id.batch_and_number() else { return };
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
    /// Changes the record of a batch, if it exists.
    pub(super) fn change_batch(&self, id: &TransferId, change: impl FnOnce(&mut Batch)) {
        if let Some((bundle, _)) = self.tables().bundles.get_mut(id) {
            change(bundle);
        }
    }
}

impl BatchStore for InMemoryTransferStore {
    async fn record_batch(
        &self,
        bundle: &Batch,
        request: Option<&IdempotencyRecord>,
    ) -> Result<CreateResult, StoreError> {
        let mut tables = self.tables();
        let id = &bundle.bundle_id;
        if let Some(before) = tables.before(request, bundle.created_at) {
            return Ok(CreateResult::Before(before));
        }
        if !tables.bundles.contains_key(id) {
            tables.remember(request);
            tables.bundles.insert(id.clone(), (bundle.clone(), BatchCounts::default()));
            tables.due.insert(WorkItem::Batch(id.clone()), bundle.created_at + FIRST_CHECK_DELAY);
        }
        Ok(CreateResult::Done)
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

    async fn commit_batch(&self, id: &TransferId) -> Result<(), StoreError> {
        self.change_batch(id, |bundle| bundle.phase = bundle.phase.max(Phase::Uploading));
        Ok(())
    }

    async fn bundle(&self, id: &TransferId) -> Result<Option<(Batch, BatchCounts)>, StoreError> {
        Ok(self.tables().bundles.get(id).cloned())
    }

    async fn batch_with_documents(
        &self,
        id: &TransferId,
        limit: usize,
    ) -> Result<Option<(Batch, BatchCounts, Vec<Transfer>)>, StoreError> {
        let documents = self.documents(id, 0, limit).await?;
        Ok(self.bundle(id).await?.map(|(bundle, counts)| (bundle, counts, documents)))
    }

    async fn documents(
        &self,
        id: &TransferId,
        from: u16,
        limit: usize,
    ) -> Result<Vec<Transfer>, StoreError> {
        let tables = self.tables();
        let found = tables.transfers.range(id.document(from)..=id.document(9999));
        Ok(found.take(limit).map(|(_, document)| document.clone()).collect())
    }

    async fn cancel_batch(
        &self,
        id: &TransferId,
        owner: &str,
        due: Timestamp,
    ) -> Result<Option<Batch>, StoreError> {
        let mut tables = self.tables();
        let Some((bundle, _)) = tables.bundles.get_mut(id) else { return Ok(None) };
        if bundle.owner != owner || bundle.phase.is_terminal() {
            return Ok(None);
        }
        bundle.cancel_requested = true;
        let canceled = bundle.clone();
        tables.due.insert(WorkItem::Batch(id.clone()), due);
        Ok(Some(canceled))
    }

    async fn claim_name(
        &self,
        document: &TransferId,
        name: &DocumentName,
        _purge_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some((bundle, _)) = document.batch_and_number() else { return Ok(true) };
        let mut tables = self.tables();
        let owner = tables.names.entry((bundle, name.folded())).or_insert(document.clone());
        Ok(owner == document)
    }

    async fn documents_stopped(&self, id: &TransferId, retries: u32) -> Result<(), StoreError> {
        self.change_batch(id, |bundle| bundle.documents_stopped |= bundle.retries == retries);
        Ok(())
    }

    async fn end_batch(
        &self,
        read: &Batch,
        counts: &BatchCounts,
        outcome: Outcome,
        ended_at: Timestamp,
        _purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        let id = &read.bundle_id;
        let mut tables = self.tables();
        let Some((bundle, _)) = tables.bundles.get_mut(id) else { return Ok(()) };
        if bundle.phase.is_terminal() || bundle.retries != read.retries || bundle.resuming {
            return Ok(());
        }
        let notice = WebhookNotification::of_bundle(bundle, counts, outcome, ended_at);
        bundle.phase = outcome.phase();
        bundle.failure = outcome.failure().map(|code| Failure { code });
        bundle.ended_at = Some(ended_at);
        bundle.failed_documents = counts.failed();
        tables.due.remove(&WorkItem::Batch(id.clone()));
        tables.store_notification(notice);
        Ok(())
    }
}

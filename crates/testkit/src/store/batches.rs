//! In-memory implementation of the port [`BatchStore`]: batches and their documents.

use docferry_app::ports::{BatchStore, CreateResult, FIRST_CHECK_DELAY, StoreError, WorkItem};
use docferry_domain::document::DocumentName;
use docferry_domain::ids::TransferId;
use docferry_domain::job::{Batch, BatchCounts, IdempotencyRecord, WebhookNotification};
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Failure, Outcome, Transfer};
use jiff::Timestamp;

use super::{InMemoryTransferStore, Tables};

/// Highest possible document number in a batch.
const LAST_DOCUMENT: u16 = 9999;

impl Tables {
    /// Adds an ended document to the counts of its batch. Ignores a transfer outside a batch.
    pub(super) fn count_ended_document(&mut self, ended: &Transfer) {
        let Some((batch, _)) = ended.transfer_id.batch_and_number() else { return };
        let Some((_, counts)) = self.batches.get_mut(&batch) else { return };
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
        if let Some((batch, _)) = self.tables().batches.get_mut(id) {
            change(batch);
        }
    }
}

impl BatchStore for InMemoryTransferStore {
    async fn record_batch(
        &self,
        batch: &Batch,
        request: Option<&IdempotencyRecord>,
    ) -> Result<CreateResult, StoreError> {
        let mut tables = self.tables();
        let id = &batch.batch_id;
        if let Some(existing) = tables.other_job_with_key(request, batch.created_at) {
            return Ok(CreateResult::AlreadyExists(existing));
        }
        if !tables.batches.contains_key(id) {
            tables.insert_idempotency_record(request);
            tables.batches.insert(id.clone(), (batch.clone(), BatchCounts::default()));
            tables.due.insert(WorkItem::Batch(id.clone()), batch.created_at + FIRST_CHECK_DELAY);
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
        self.change_batch(id, |batch| batch.phase = batch.phase.max(Phase::Uploading));
        Ok(())
    }

    async fn batch(&self, id: &TransferId) -> Result<Option<(Batch, BatchCounts)>, StoreError> {
        Ok(self.tables().batches.get(id).cloned())
    }

    async fn batch_with_documents(
        &self,
        id: &TransferId,
        limit: usize,
    ) -> Result<Option<(Batch, BatchCounts, Vec<Transfer>)>, StoreError> {
        let documents = self.documents(id, 0, limit).await?;
        Ok(self.batch(id).await?.map(|(batch, counts)| (batch, counts, documents)))
    }

    async fn documents(
        &self,
        id: &TransferId,
        from: u16,
        limit: usize,
    ) -> Result<Vec<Transfer>, StoreError> {
        let tables = self.tables();
        let found = tables.transfers.range(id.document(from)..=id.document(LAST_DOCUMENT));
        Ok(found.take(limit).map(|(_, document)| document.clone()).collect())
    }

    async fn cancel_batch(
        &self,
        id: &TransferId,
        owner: &str,
        due: Timestamp,
    ) -> Result<Option<Batch>, StoreError> {
        let mut tables = self.tables();
        let Some((batch, _)) = tables.batches.get_mut(id) else { return Ok(None) };
        if batch.spec.owner != owner || batch.phase.is_terminal() {
            return Ok(None);
        }
        batch.cancel_requested = true;
        let canceled = batch.clone();
        tables.due.insert(WorkItem::Batch(id.clone()), due);
        Ok(Some(canceled))
    }

    async fn claim_name(
        &self,
        document: &TransferId,
        name: &DocumentName,
        _purge_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some((batch, _)) = document.batch_and_number() else { return Ok(true) };
        let mut tables = self.tables();
        let owner = tables.names.entry((batch, name.folded())).or_insert(document.clone());
        Ok(owner == document)
    }

    async fn documents_stopped(&self, id: &TransferId, retries: u32) -> Result<(), StoreError> {
        self.change_batch(id, |batch| batch.documents_stopped |= batch.retries == retries);
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
        let id = &read.batch_id;
        let mut tables = self.tables();
        let Some((batch, _)) = tables.batches.get_mut(id) else { return Ok(()) };
        if batch.phase.is_terminal() || batch.retries != read.retries || batch.resuming {
            return Ok(());
        }
        let notification = WebhookNotification::of_batch(batch, counts, outcome, ended_at);
        batch.phase = outcome.phase();
        batch.failure = outcome.failure().map(|code| Failure { code });
        batch.ended_at = Some(ended_at);
        batch.failed_documents = counts.failed();
        tables.due.remove(&WorkItem::Batch(id.clone()));
        tables.store_notification(notification);
        Ok(())
    }
}

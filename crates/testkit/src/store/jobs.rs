//! In-memory implementation of the ports [`JobStore`] and [`History`]: idempotency records, retries
//! and the list of jobs.

use docferry_app::ports::{
    BatchRetry, History, HistoryEntry, JobPosition, JobStore, StoreError, WorkItem,
};
use docferry_domain::ids::TransferId;
use docferry_domain::job::{Batch, IdempotencyRecord};
use docferry_domain::phase::Phase;
use docferry_domain::transfer::Transfer;
use jiff::Timestamp;

use super::{InMemoryTransferStore, Tables, queue_key};

impl Tables {
    /// Returns the unexpired idempotency record with the key of this request, if it belongs to
    /// a different job.
    pub(super) fn other_job_with_key(
        &self,
        request: Option<&IdempotencyRecord>,
        now: Timestamp,
    ) -> Option<IdempotencyRecord> {
        let request = request?;
        self.unexpired_request(&request.key, now).filter(|record| record.job_id != request.job_id)
    }

    /// Returns the idempotency record with this key, unless it has expired.
    fn unexpired_request(&self, key: &str, now: Timestamp) -> Option<IdempotencyRecord> {
        self.requests.get(key).filter(|record| record.retain_until > now).cloned()
    }

    /// Stores an idempotency record, if there is one.
    pub(super) fn insert_idempotency_record(&mut self, request: Option<&IdempotencyRecord>) {
        if let Some(request) = request {
            self.requests.insert(request.key.clone(), request.clone());
        }
    }

    /// Marks a transfer as closed if it has ended in this execution. Returns whether it was marked.
    pub(super) fn close(&mut self, id: &TransferId, execution_number: u32) -> bool {
        let ended = self.transfers.get_mut(id);
        let ended = ended.filter(|transfer| {
            transfer.phase.is_terminal() && transfer.execution_number == execution_number
        });
        ended.map(|transfer| transfer.closed = true).is_some()
    }

    /// Subtracts a document from the counts of ended documents of its batch.
    fn subtract_ended_document(&mut self, read: &Transfer) {
        let Some((batch, _)) = read.transfer_id.batch_and_number() else { return };
        let Some((_, counts)) = self.batches.get_mut(&batch) else { return };
        counts.ended -= 1;
        if read.phase == Phase::Completed {
            counts.completed -= 1;
            counts.bytes -= read.source.as_ref().map_or(0, |source| source.size);
        }
    }
}

impl JobStore for InMemoryTransferStore {
    async fn restart_transfer(
        &self,
        read: &Transfer,
        next_run: &Transfer,
        due: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let id = &read.transfer_id;
        let Some(stored) = tables.transfers.get(id) else { return Ok(false) };
        if stored.execution_number != read.execution_number
            || stored.phase != read.phase
            || !stored.closed
        {
            return Ok(stored.retries == next_run.retries
                && stored.execution_number == next_run.execution_number);
        }
        if let Some((batch, _)) = id.batch_and_number() {
            let batch = tables.batches.get(&batch).map(|(batch, _)| batch);
            if batch.is_none_or(|batch| !batch.resuming || batch.retries != next_run.retries) {
                return Ok(false);
            }
        }
        tables.transfers.insert(id.clone(), next_run.clone());
        tables.due.insert(WorkItem::Transfer(id.clone()), due);
        if id.batch_and_number().is_none() {
            tables.queue.insert(queue_key(next_run), next_run.queue_entry());
        } else {
            tables.subtract_ended_document(read);
        }
        Ok(true)
    }

    async fn resume_batch(&self, read: &Batch, retry: &BatchRetry) -> Result<bool, StoreError> {
        let BatchRetry { retain_until, deadline, due, origin } = retry.clone();
        let mut tables = self.tables();
        let id = &read.batch_id;
        let Some((batch, counts)) = tables.batches.get_mut(id) else { return Ok(false) };
        if batch.phase != read.phase || batch.retries != read.retries {
            return Ok(
                batch.retries == read.retries + 1 && batch.spec.retain_until == Some(retain_until)
            );
        }
        batch.phase = Phase::Uploading;
        batch.retries += 1;
        batch.retry_origin = origin;
        batch.resuming = true;
        batch.documents_stopped = false;
        batch.cancel_requested = false;
        batch.spec.retain_until = Some(retain_until);
        batch.deadline = Some(deadline);
        batch.ended_at = None;
        batch.failure = None;
        batch.failed_documents = 0;
        counts.first_failure = None;
        tables.due.insert(WorkItem::Batch(id.clone()), due);
        Ok(true)
    }

    async fn mark_documents_resumed(
        &self,
        id: &TransferId,
        retries: u32,
    ) -> Result<(), StoreError> {
        self.change_batch(id, |batch| batch.resuming &= batch.retries != retries);
        Ok(())
    }

    async fn extend_retention(
        &self,
        id: &TransferId,
        retain_until: Timestamp,
        _purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        if let Some(ended) =
            tables.transfers.get_mut(id).filter(|transfer| transfer.phase.is_terminal())
        {
            ended.spec.retain_until = Some(retain_until);
        }
        Ok(())
    }

    async fn request(
        &self,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        Ok(self.tables().unexpired_request(key, now))
    }

    async fn delete_idempotency_record(
        &self,
        request: &IdempotencyRecord,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        if tables.requests.get(&request.key).is_some_and(|record| record.job_id == request.job_id) {
            tables.requests.remove(&request.key);
        }
        Ok(())
    }
}

impl History for InMemoryTransferStore {
    async fn jobs(
        &self,
        owner: &str,
        before: Option<&JobPosition>,
        limit: usize,
    ) -> Result<(Vec<HistoryEntry>, Option<JobPosition>), StoreError> {
        let tables = self.tables();
        let singles = tables.transfers.values().filter(|transfer| {
            transfer.transfer_id.batch_and_number().is_none() && transfer.spec.owner == owner
        });
        let batches = tables.batches.values().map(|(batch, _)| batch);
        let batches =
            batches.filter(|batch| batch.spec.retain_until.is_some() && batch.spec.owner == owner);
        let mut found: Vec<HistoryEntry> = singles
            .map(|transfer| HistoryEntry::One(Box::new(transfer.clone())))
            .chain(batches.map(|batch| HistoryEntry::Many(Box::new(batch.clone()))))
            .filter(|job| before.is_none_or(|before| job.place() < *before))
            .collect();
        found.sort_by_key(|job| std::cmp::Reverse(job.place()));
        found.truncate(limit);
        let next = found.last().filter(|_| found.len() == limit).map(HistoryEntry::place);
        Ok((found, next))
    }
}

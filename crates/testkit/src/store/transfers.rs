//! In-memory implementation of the port [`TransferStore`]: the records of transfers.

use docferry_app::ports::{
    CreateOptions, CreateResult, FIRST_CHECK_DELAY, StoreError, TransferStore, WorkItem, WriteError,
};
use docferry_domain::document::Artifact;
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::job::WebhookNotification;
use docferry_domain::phase::Phase;
use docferry_domain::slots::SlotState;
use docferry_domain::transfer::{
    ArrivedObject, Failure, Outcome, OutcomeRecord, PushedSource, Step, Transfer, TransientError,
};
use jiff::Timestamp;

use super::guards::{not_ending, same_epoch, same_execution};
use super::{InMemoryTransferStore, queue_key};

impl TransferStore for InMemoryTransferStore {
    async fn create_with(
        &self,
        transfer: &Transfer,
        options: CreateOptions<'_>,
    ) -> Result<CreateResult, StoreError> {
        let mut tables = self.tables();
        let id = &transfer.transfer_id;
        if let Some(existing) = tables.other_job_with_key(options.request, transfer.created_at) {
            return Ok(CreateResult::AlreadyExists(existing));
        }
        if tables.transfers.contains_key(id) {
            return Ok(CreateResult::Done);
        }
        match options.slot {
            Some(version) => {
                let slots = tables.slots.entry(transfer.pool).or_default();
                if slots.version != version {
                    return Ok(CreateResult::SlotsChanged);
                }
                slots.version += 1;
                slots.holders.insert(id.clone(), transfer.target.person());
            }
            None => {
                tables.queue.insert(queue_key(transfer), transfer.queue_entry());
            }
        }
        tables.insert_idempotency_record(options.request);
        tables.transfers.insert(id.clone(), transfer.clone());
        let due = match options.slot {
            Some(_) => transfer.created_at + FIRST_CHECK_DELAY,
            None => transfer.must_end_by(),
        };
        tables.due.insert(WorkItem::Transfer(id.clone()), due);
        Ok(CreateResult::Done)
    }

    async fn get(&self, id: &TransferId) -> Result<Option<Transfer>, StoreError> {
        Ok(self.tables().transfers.get(id).cloned())
    }

    async fn begin_push(
        &self,
        id: &TransferId,
        execution_number: u32,
        now: Timestamp,
    ) -> Result<Transfer, WriteError> {
        self.edit(id, same_execution(execution_number), |transfer| {
            transfer.started_at.get_or_insert(now);
            if transfer.needs_push() {
                transfer.phase = transfer.phase.max(Phase::Pushing);
                transfer.pushes += 1;
            }
            transfer.clone()
        })
    }

    async fn record_reuse(
        &self,
        id: &TransferId,
        execution_number: u32,
        source: &PushedSource,
        artifact: &Artifact,
    ) -> Result<(), WriteError> {
        self.edit(id, same_execution(execution_number), |transfer| {
            if transfer.phase < Phase::Uploading {
                transfer.source = Some(source.clone());
                transfer.delivery = Some(artifact.clone().into());
                transfer.bytes_done = source.size;
                transfer.phase = Phase::Uploading;
                transfer.pushes -= 1;
            }
        })
    }

    async fn record_arrival(
        &self,
        id: &TransferId,
        execution_number: u32,
        object: &ArrivedObject,
    ) -> Result<(), WriteError> {
        self.edit(id, same_execution(execution_number), |transfer| {
            if transfer.needs_source() && !transfer.push_again {
                transfer.object = Some(object.clone());
                transfer.phase = Phase::Uploading;
            }
        })
    }

    async fn discard_object(
        &self,
        id: &TransferId,
        epoch: u64,
        push_again: bool,
    ) -> Result<(), WriteError> {
        self.edit(id, not_ending(same_epoch(epoch)), |transfer| {
            transfer.object = None;
            transfer.push_again = push_again;
        })
    }

    async fn record_failed_try(
        &self,
        id: &TransferId,
        execution_number: u32,
        step: Step,
        error: &TransientError,
    ) -> Result<(), WriteError> {
        self.edit(id, same_execution(execution_number), |transfer| {
            transfer.failed_tries.count(step);
            transfer.last_transient_error = Some(error.clone());
        })
    }

    async fn request_cancel(
        &self,
        id: &TransferId,
        owner: &str,
        last_run: u32,
    ) -> Result<Option<Transfer>, StoreError> {
        let mut tables = self.tables();
        let is_cancelable = |transfer: &&mut Transfer| {
            transfer.spec.owner == owner
                && !transfer.phase.is_terminal()
                && transfer.retries <= last_run
        };
        let Some(running) = tables.transfers.get_mut(id).filter(is_cancelable) else {
            return Ok(None);
        };
        running.cancel_requested = true;
        let running = running.clone();
        if let Some(due) = tables.due.get_mut(&WorkItem::Transfer(id.clone())) {
            // The transfer is due at once.
            *due = Timestamp::UNIX_EPOCH;
        }
        Ok(Some(running))
    }

    async fn begin_ending(
        &self,
        id: &TransferId,
        execution_number: u32,
        reason: FailureCode,
    ) -> Result<Transfer, WriteError> {
        self.edit(id, same_execution(execution_number), |transfer| {
            transfer.ending.get_or_insert(reason);
            transfer.clone()
        })
    }

    async fn finish(
        &self,
        read: &Transfer,
        outcome: Outcome,
        ended_at: Timestamp,
    ) -> Result<Transfer, WriteError> {
        let mut tables = self.tables();
        let transfer = tables.transfers.get_mut(&read.transfer_id).ok_or(WriteError::NotFound)?;
        if transfer.execution_number != read.execution_number {
            return Err(WriteError::Ended);
        }
        let overtaken = outcome != Outcome::Completed && transfer.delivery.is_some();
        let changed = transfer.phase != read.phase || transfer.slot_state != read.slot_state;
        if transfer.phase.is_terminal() || overtaken || changed {
            return Ok(transfer.clone());
        }
        transfer.phase = outcome.phase();
        transfer.failure = outcome.failure().map(|code| Failure { code });
        transfer.ended_at = Some(ended_at);
        transfer.slot_state = SlotState::Idle;
        let ended = transfer.clone();
        tables.remove_from_slots_and_queue(&ended);
        let key = (ended.transfer_id.clone(), ended.execution_number);
        let record = OutcomeRecord::of(&ended).unwrap();
        tables.outbox.insert(key, (record, ended_at + docferry_app::ports::OUTBOX_RESEND_DELAY));
        tables.count_ended_document(&ended);
        tables.store_notification(WebhookNotification::of_transfer(&ended));
        Ok(ended)
    }
}

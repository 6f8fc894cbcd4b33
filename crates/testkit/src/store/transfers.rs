//! In-memory `TransferStore`.

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

use super::guards::{not_ending, same_attempt, same_epoch};
use super::{InMemoryTransferStore, place};

impl TransferStore for InMemoryTransferStore {
    async fn create_with(
        &self,
        transfer: &Transfer,
        options: CreateOptions<'_>,
    ) -> Result<CreateResult, StoreError> {
        let mut tables = self.tables();
        let id = &transfer.transfer_id;
        if let Some(before) = tables.before(options.request, transfer.created_at) {
            return Ok(CreateResult::AlreadyExists(before));
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
                tables.queue.insert(place(transfer), transfer.queue_entry());
            }
        }
        tables.remember(options.request);
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
        self.edit(id, same_attempt(execution_number), |t| {
            t.started_at.get_or_insert(now);
            if t.needs_push() {
                t.phase = t.phase.max(Phase::Pushing);
                t.pushes += 1;
            }
            t.clone()
        })
    }

    async fn record_reuse(
        &self,
        id: &TransferId,
        execution_number: u32,
        source: &PushedSource,
        artifact: &Artifact,
    ) -> Result<(), WriteError> {
        self.edit(id, same_attempt(execution_number), |t| {
            if t.phase < Phase::Uploading {
                t.source = Some(source.clone());
                t.delivery = Some(artifact.clone().into());
                t.bytes_done = source.size;
                t.phase = Phase::Uploading;
                t.pushes -= 1;
            }
        })
    }

    async fn record_arrival(
        &self,
        id: &TransferId,
        execution_number: u32,
        object: &ArrivedObject,
    ) -> Result<(), WriteError> {
        self.edit(id, same_attempt(execution_number), |t| {
            if t.needs_source() && !t.push_again {
                t.object = Some(object.clone());
                t.phase = Phase::Uploading;
            }
        })
    }

    async fn discard_object(
        &self,
        id: &TransferId,
        epoch: u64,
        push_again: bool,
    ) -> Result<(), WriteError> {
        self.edit(id, not_ending(same_epoch(epoch)), |t| {
            t.object = None;
            t.push_again = push_again;
        })
    }

    async fn record_failed_try(
        &self,
        id: &TransferId,
        execution_number: u32,
        step: Step,
        error: &TransientError,
    ) -> Result<(), WriteError> {
        self.edit(id, same_attempt(execution_number), |t| {
            t.failed_tries.count(step);
            t.last_transient_error = Some(error.clone());
        })
    }

    async fn request_cancel(
        &self,
        id: &TransferId,
        owner: &str,
        last_run: u32,
    ) -> Result<Option<Transfer>, StoreError> {
        let mut tables = self.tables();
        let is_cancelable =
            |t: &&mut Transfer| t.owner == owner && !t.phase.is_terminal() && t.retries <= last_run;
        let Some(running) = tables.transfers.get_mut(id).filter(is_cancelable) else {
            return Ok(None);
        };
        running.cancel_requested = true;
        let running = running.clone();
        if let Some(due) = tables.due.get_mut(&WorkItem::Transfer(id.clone())) {
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
        self.edit(id, same_attempt(execution_number), |t| {
            t.ending.get_or_insert(reason);
            t.clone()
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
        tables.leave(&ended);
        let key = (ended.transfer_id.clone(), ended.execution_number);
        let record = OutcomeRecord::of(&ended).unwrap();
        tables.outbox.insert(key, (record, ended_at + docferry_app::ports::OUTBOX_RESEND_DELAY));
        tables.count(&ended);
        tables.store_notification(WebhookNotification::of_transfer(&ended));
        Ok(ended)
    }
}

//! Transfers, upload sessions and the release of exchange keys, in memory.

use docferry_app::ports::{
    CheckpointAck, CreateResult, Entry, FIRST_CHECK_DELAY, PushRecord, Release, SealedSession,
    SessionRecord, StoreError, TransferStore, WorkItem, WriteError,
};
use docferry_domain::document::Artifact;
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::{ObjectGuid, TransferId};
use docferry_domain::job::WebhookNotification;
use docferry_domain::phase::Phase;
use docferry_domain::slots::SlotState;
use docferry_domain::transfer::{
    ArrivedObject, Delivery, ExchangeKey, Failure, LateArrivalKey, Outcome, OutcomeRecord,
    OutstandingPush, PushedSource, Step, Transfer, TransientError,
};
use docferry_domain::upload::Checkpoint;
use jiff::Timestamp;

use super::{InMemoryTransferStore, keys, place};

impl InMemoryTransferStore {
    /// Changes a transfer that has not ended, if `allowed` permits it.
    pub(super) fn edit<T>(
        &self,
        id: &TransferId,
        allowed: impl FnOnce(&Transfer) -> Result<(), WriteError>,
        change: impl FnOnce(&mut Transfer) -> T,
    ) -> Result<T, WriteError> {
        let mut tables = self.tables();
        let transfer = tables.transfers.get_mut(id).ok_or(WriteError::NotFound)?;
        if transfer.phase.is_terminal() {
            return Err(WriteError::Ended);
        }
        allowed(transfer)?;
        Ok(change(transfer))
    }
}

/// Guard: the write belongs to the current execution.
pub(super) fn same_attempt(attempt: u32) -> impl FnOnce(&Transfer) -> Result<(), WriteError> {
    move |t| if t.attempt == attempt { Ok(()) } else { Err(WriteError::Ended) }
}

/// Guard: the write belongs to the current fencing epoch.
fn same_epoch(epoch: u64) -> impl FnOnce(&Transfer) -> Result<(), WriteError> {
    move |t| if t.epoch == epoch { Ok(()) } else { Err(WriteError::Superseded) }
}

/// Guard: no ending has been decided, and `allowed` permits the write.
fn not_ending(
    allowed: impl FnOnce(&Transfer) -> Result<(), WriteError>,
) -> impl FnOnce(&Transfer) -> Result<(), WriteError> {
    move |t| if t.ending.is_none() { allowed(t) } else { Err(WriteError::Ended) }
}

impl TransferStore for InMemoryTransferStore {
    async fn enter(
        &self,
        transfer: &Transfer,
        entry: Entry<'_>,
    ) -> Result<CreateResult, StoreError> {
        let mut tables = self.tables();
        let id = &transfer.transfer_id;
        if let Some(before) = tables.before(entry.request, transfer.created_at) {
            return Ok(CreateResult::Before(before));
        }
        if tables.transfers.contains_key(id) {
            return Ok(CreateResult::Done);
        }
        match entry.slot {
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
        tables.remember(entry.request);
        tables.transfers.insert(id.clone(), transfer.clone());
        let due = match entry.slot {
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
        attempt: u32,
        now: Timestamp,
    ) -> Result<Transfer, WriteError> {
        self.edit(id, same_attempt(attempt), |t| {
            t.started_at.get_or_insert(now);
            if t.needs_push() {
                t.phase = t.phase.max(Phase::Pushing);
                t.pushes += 1;
            }
            t.clone()
        })
    }

    async fn record_push(
        &self,
        id: &TransferId,
        attempt: u32,
        push: &OutstandingPush,
        source: &PushedSource,
    ) -> Result<PushRecord, WriteError> {
        self.tables().record_push(id, attempt, push, source)
    }

    async fn acquire_key(
        &self,
        id: &TransferId,
        attempt: u32,
        document: &ObjectGuid,
        key: &str,
        now: Timestamp,
    ) -> Result<bool, WriteError> {
        self.edit(id, same_attempt(attempt), |_| ())?;
        Ok(self.tables().acquire_key(id, document, key, now))
    }

    async fn record_owed_key(
        &self,
        id: &TransferId,
        attempt: u32,
        owed: &LateArrivalKey,
    ) -> Result<(), WriteError> {
        self.edit(id, same_attempt(attempt), |t| keys::owe(t, owed))
    }

    async fn exchange_key(&self, key: &str) -> Result<ExchangeKey, StoreError> {
        Ok(self.tables().exchange_key(key))
    }

    async fn remove_outstanding_push(
        &self,
        key: &str,
        push: &OutstandingPush,
    ) -> Result<(), StoreError> {
        if let Some(usage) = self.tables().keys.get_mut(key) {
            usage.outstanding.remove(push);
        }
        Ok(())
    }

    async fn announce_push(
        &self,
        id: &TransferId,
        push: &OutstandingPush,
    ) -> Result<OutstandingPush, StoreError> {
        Ok(self.tables().announce(id, push))
    }

    async fn withdraw_announcement(&self, id: &TransferId) -> Result<(), StoreError> {
        self.tables().announced.remove(id);
        Ok(())
    }

    async fn pushes_in_flight(&self) -> Result<Vec<OutstandingPush>, StoreError> {
        Ok(self.tables().announced.values().cloned().collect())
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

    async fn record_reuse(
        &self,
        id: &TransferId,
        attempt: u32,
        source: &PushedSource,
        artifact: &Artifact,
    ) -> Result<(), WriteError> {
        self.edit(id, same_attempt(attempt), |t| {
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
        attempt: u32,
        object: &ArrivedObject,
    ) -> Result<(), WriteError> {
        self.edit(id, same_attempt(attempt), |t| {
            if t.needs_source() && !t.push_again {
                t.object = Some(object.clone());
                t.phase = Phase::Uploading;
            }
        })
    }

    async fn claim(&self, id: &TransferId, attempt: u32) -> Result<Transfer, WriteError> {
        self.edit(id, not_ending(same_attempt(attempt)), |t| {
            t.epoch += 1;
            t.clone()
        })
    }

    async fn session(&self, id: &TransferId) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.tables().sessions.get(id).cloned())
    }

    async fn put_session(
        &self,
        id: &TransferId,
        epoch: u64,
        session: &SealedSession,
    ) -> Result<(), WriteError> {
        self.edit(id, not_ending(same_epoch(epoch)), |_| ())?;
        let record = SessionRecord { session: session.clone(), epoch };
        self.tables().sessions.insert(id.clone(), record);
        Ok(())
    }

    async fn delete_session_record(&self, id: &TransferId, epoch: u64) -> Result<(), StoreError> {
        let mut tables = self.tables();
        if tables.sessions.get(id).is_some_and(|record| record.epoch == epoch) {
            tables.sessions.remove(id);
        }
        Ok(())
    }

    async fn checkpoint(
        &self,
        id: &TransferId,
        epoch: u64,
        checkpoint: &Checkpoint,
    ) -> Result<CheckpointAck, WriteError> {
        self.edit(id, same_epoch(epoch), |t| {
            t.checkpoint = Some(checkpoint.clone());
            t.bytes_done = t.bytes_done.max(checkpoint.offset);
            CheckpointAck { stop: t.cancel_requested || t.ending.is_some() }
        })
    }

    async fn pause_until(
        &self,
        id: &TransferId,
        epoch: u64,
        resume_at: Timestamp,
    ) -> Result<(), WriteError> {
        self.edit(id, same_epoch(epoch), |t| t.resume_at = Some(resume_at))
    }

    async fn record_delivery(
        &self,
        id: &TransferId,
        epoch: u64,
        delivery: &Delivery,
    ) -> Result<(), WriteError> {
        self.edit(id, same_epoch(epoch), |_| ())?;
        if let Delivery::Download(artifact) = delivery {
            self.tables().offer(&artifact.key)?;
        }
        self.edit(id, same_epoch(epoch), |t| {
            t.delivery = Some(delivery.clone());
            t.bytes_done = t.bytes_done.max(t.source.as_ref().map_or(0, |s| s.size));
        })
    }

    async fn record_failed_try(
        &self,
        id: &TransferId,
        attempt: u32,
        step: Step,
        error: &TransientError,
    ) -> Result<(), WriteError> {
        self.edit(id, same_attempt(attempt), |t| {
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

    async fn finish(
        &self,
        read: &Transfer,
        outcome: Outcome,
        ended_at: Timestamp,
    ) -> Result<Transfer, WriteError> {
        let mut tables = self.tables();
        let transfer = tables.transfers.get_mut(&read.transfer_id).ok_or(WriteError::NotFound)?;
        if transfer.attempt != read.attempt {
            return Err(WriteError::Ended);
        }
        let overtaken = outcome != Outcome::Completed && transfer.delivery.is_some();
        let changed = transfer.phase != read.phase || transfer.turn != read.turn;
        if transfer.phase.is_terminal() || overtaken || changed {
            return Ok(transfer.clone());
        }
        transfer.phase = outcome.phase();
        transfer.failure = outcome.failure().map(|code| Failure { code });
        transfer.ended_at = Some(ended_at);
        transfer.turn = SlotState::Idle;
        let ended = transfer.clone();
        tables.leave(&ended);
        let key = (ended.transfer_id.clone(), ended.attempt);
        let record = OutcomeRecord::of(&ended).unwrap();
        tables.outbox.insert(key, (record, ended_at + docferry_app::ports::OUTBOX_RESEND_DELAY));
        tables.count(&ended);
        tables.store_notification(WebhookNotification::of_transfer(&ended));
        Ok(ended)
    }

    async fn begin_ending(
        &self,
        id: &TransferId,
        attempt: u32,
        reason: FailureCode,
    ) -> Result<Transfer, WriteError> {
        self.edit(id, same_attempt(attempt), |t| {
            t.ending.get_or_insert(reason);
            t.clone()
        })
    }

    async fn replace_object(
        &self,
        id: &TransferId,
        epoch: u64,
        object: &ArrivedObject,
    ) -> Result<(), WriteError> {
        self.edit(id, same_epoch(epoch), |t| t.object = Some(object.clone()))
    }

    async fn mark_settled(&self, id: &TransferId, attempt: u32) -> Result<(), StoreError> {
        self.tables().settle(id, attempt);
        Ok(())
    }

    async fn mark_cleaned_up(
        &self,
        id: &TransferId,
        attempt: u32,
        _purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let due = WorkItem::Transfer(id.clone());
        if tables.due.contains_key(&due) && tables.settle(id, attempt) {
            tables.due.remove(&due);
        }
        Ok(())
    }

    async fn unfinished(&self, now: Timestamp, limit: usize) -> Result<Vec<WorkItem>, StoreError> {
        let found = self.tables().due_before(now).into_iter().map(|(_, due)| due);
        Ok(found.filter(|due| !matches!(due, WorkItem::Artifact(_))).take(limit).collect())
    }

    async fn reschedule(&self, what: &WorkItem, due: Timestamp) -> Result<(), StoreError> {
        if let Some(known) = self.tables().due.get_mut(what) {
            *known = due;
        }
        Ok(())
    }

    async fn next_execution(&self, id: &TransferId, from: u32) -> Result<Transfer, WriteError> {
        self.edit(id, not_ending(same_attempt(from)), |t| {
            t.attempt += 1;
            t.clone()
        })
    }

    async fn acquire_unused_key(
        &self,
        id: &TransferId,
        key: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let usage = tables.keys.entry(key.to_owned()).or_default();
        let lease = usage.releasing.as_ref().filter(|(_, end)| *end > now);
        let ours = lease.is_some_and(|(by, _)| by.as_ref() == Some(id));
        if !usage.users.is_empty() || (lease.is_some() && !ours) {
            return Ok(false);
        }
        usage.releasing = Some(((!ours).then(|| id.clone()), until));
        Ok(true)
    }

    async fn release_key(
        &self,
        id: &TransferId,
        attempt: u32,
        key: &str,
        _now: Timestamp,
        until: Timestamp,
    ) -> Result<Release, StoreError> {
        let mut tables = self.tables();
        if tables.transfers.get(id).is_some_and(|transfer| transfer.attempt != attempt) {
            return Ok(Release::StillReferenced);
        }
        let Some(usage) = tables.keys.get_mut(key) else { return Ok(Release::StillReferenced) };
        let ours = usage.releasing.as_ref().is_some_and(|(by, _)| by.as_ref() == Some(id));
        let is_user = usage.users.remove(id);
        if !usage.users.is_empty() || !(is_user || ours) {
            return Ok(Release::StillReferenced);
        }
        // The second process of a transfer shares the lease with the first.
        usage.releasing = Some(((!ours).then(|| id.clone()), until));
        usage.holder = None;
        Ok(Release::Last)
    }

    async fn mark_released(
        &self,
        id: &TransferId,
        key: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let Some(usage) = tables.keys.get_mut(key) else { return Ok(()) };
        if usage.releasing.as_ref().is_some_and(|(by, _)| by.as_ref() == Some(id)) {
            usage.releasing = None;
            usage.released_at = Some(now);
        }
        Ok(())
    }
}

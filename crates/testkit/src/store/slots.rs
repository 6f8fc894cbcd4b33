//! In-memory implementation of the ports [`SlotStore`] and [`Outbox`]: slots, queues of transfers
//! and unsent outcomes.

use docferry_app::ports::{Outbox, SlotStore, StoreError, WorkItem, WriteError};
use docferry_domain::ids::TransferId;
use docferry_domain::slots::{Pool, QueueEntry, SlotState, Slots};
use docferry_domain::transfer::{OutcomeRecord, Transfer};
use jiff::Timestamp;

use super::guards::same_execution;
use super::{InMemoryTransferStore, queue_key};

impl SlotStore for InMemoryTransferStore {
    async fn slots(&self, pool: Pool) -> Result<Slots, StoreError> {
        Ok(self.tables().slots.get(&pool).cloned().unwrap_or_default())
    }

    async fn queue(
        &self,
        pool: Pool,
        after: Option<&QueueEntry>,
        limit: usize,
    ) -> Result<Vec<QueueEntry>, StoreError> {
        let after = after.map(|entry| (pool, entry.order, entry.transfer_id.clone()));
        let tables = self.tables();
        let found = tables
            .queue
            .iter()
            .filter(|(key, _)| key.0 == pool && after.as_ref().is_none_or(|after| *key > after));
        Ok(found.take(limit).map(|(_, entry)| entry.clone()).collect())
    }

    async fn grant(
        &self,
        pool: Pool,
        version: u64,
        admitted: &[QueueEntry],
        now: Timestamp,
        due: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let tables = &mut *tables;
        if tables.slots.entry(pool).or_default().version != version {
            return Ok(false);
        }
        let is_queued = |entry: &QueueEntry| {
            let record = tables.transfers.get(&entry.transfer_id);
            record.is_some_and(|transfer| {
                transfer.slot_state == SlotState::Queued && !transfer.phase.is_terminal()
            })
        };
        let key = |entry: &QueueEntry| (pool, entry.order, entry.transfer_id.clone());
        let (waiting, stale): (Vec<_>, Vec<_>) =
            admitted.iter().partition(|entry| is_queued(entry));
        for entry in &stale {
            tables.queue.remove(&key(entry));
        }
        // A second scheduler that has read the same queue may have granted a slot already.
        if !stale.is_empty() || waiting.iter().any(|entry| !tables.queue.contains_key(&key(entry)))
        {
            return Ok(false);
        }
        let slots = tables.slots.entry(pool).or_default();
        slots.version += 1;
        for entry in waiting {
            slots.holders.insert(entry.transfer_id.clone(), entry.person.clone());
            tables.queue.remove(&key(entry));
            tables.due.insert(WorkItem::Transfer(entry.transfer_id.clone()), due);
            if let Some(transfer) = tables.transfers.get_mut(&entry.transfer_id) {
                transfer.slot_state = SlotState::Holding;
                transfer.slot_granted_at.get_or_insert(now);
            }
        }
        Ok(true)
    }

    async fn enqueue(&self, transfer: &Transfer, due: Timestamp) -> Result<(), WriteError> {
        let id = &transfer.transfer_id;
        let execution_number = transfer.execution_number;
        let updated = self.edit(id, same_execution(execution_number), |transfer| {
            if transfer.slot_state == SlotState::Idle {
                transfer.slot_state = SlotState::Queued;
            }
            transfer.clone()
        })?;
        if updated.slot_state == SlotState::Queued {
            let mut tables = self.tables();
            tables.queue.insert(queue_key(&updated), updated.queue_entry());
            tables.due.insert(WorkItem::Transfer(id.clone()), due);
        }
        Ok(())
    }

    async fn release_slot(&self, read: &Transfer) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let Some(transfer) = tables.transfers.get_mut(&read.transfer_id) else { return Ok(()) };
        let is_unchanged = (transfer.execution_number, transfer.phase, transfer.epoch)
            == (read.execution_number, read.phase, read.epoch);
        if is_unchanged
            && transfer.slot_state == SlotState::Holding
            && !transfer.phase.is_terminal()
        {
            transfer.slot_state = SlotState::Idle;
            let released = transfer.clone();
            tables.remove_from_slots_and_queue(&released);
        }
        Ok(())
    }

    async fn reclaim(&self, pool: Pool, holder: &TransferId) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        if tables
            .transfers
            .get(holder)
            .is_some_and(|transfer| transfer.slot_state == SlotState::Holding)
        {
            return Ok(false);
        }
        let slots = tables.slots.get_mut(&pool);
        Ok(slots.is_some_and(|slots| slots.holders.remove(holder).is_some()))
    }
}

impl Outbox for InMemoryTransferStore {
    async fn outcome(
        &self,
        id: &TransferId,
        execution_number: u32,
    ) -> Result<Option<OutcomeRecord>, StoreError> {
        let found = self.tables().outbox.get(&(id.clone(), execution_number)).cloned();
        Ok(found.map(|(record, _)| record))
    }

    async fn mark_sent(&self, id: &TransferId, execution_number: u32) -> Result<(), StoreError> {
        self.tables().outbox.remove(&(id.clone(), execution_number));
        Ok(())
    }

    async fn unsent(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(TransferId, u32)>, StoreError> {
        let tables = self.tables();
        let mut found: Vec<_> = tables.outbox.iter().filter(|(_, (_, due))| *due < now).collect();
        found.sort_by_key(|(_, (_, due))| *due);
        Ok(found.into_iter().take(limit).map(|(key, _)| key.clone()).collect())
    }
}

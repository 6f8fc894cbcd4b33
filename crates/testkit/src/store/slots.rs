//! The queue and the slots, in memory.

use docferry_app::ports::{Due, Outbox, SlotStore, StoreError, WriteError};
use docferry_domain::{OutcomeRecord, Pool, Slots, Transfer, TransferId, Turn, Waiting};
use jiff::Timestamp;

use super::transfers::same_attempt;
use super::{InMemoryTransferStore, place};

impl SlotStore for InMemoryTransferStore {
    async fn slots(&self, pool: Pool) -> Result<Slots, StoreError> {
        Ok(self.tables().slots.get(&pool).cloned().unwrap_or_default())
    }

    async fn queue(
        &self,
        pool: Pool,
        after: Option<&Waiting>,
        limit: usize,
    ) -> Result<Vec<Waiting>, StoreError> {
        let after = after.map(|w| (pool, w.order, w.transfer_id.clone()));
        let tables = self.tables();
        let behind = tables
            .queue
            .iter()
            .filter(|(key, _)| key.0 == pool && after.as_ref().is_none_or(|after| *key > after));
        Ok(behind.take(limit).map(|(_, waiting)| waiting.clone()).collect())
    }

    async fn grant(
        &self,
        pool: Pool,
        version: u64,
        admitted: &[Waiting],
        now: Timestamp,
        due: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let tables = &mut *tables;
        if tables.slots.entry(pool).or_default().version != version {
            return Ok(false);
        }
        let waits = |w: &Waiting| {
            let record = tables.transfers.get(&w.transfer_id);
            record.is_some_and(|t| t.turn == Turn::Queued && !t.phase.is_terminal())
        };
        let key = |w: &Waiting| (pool, w.order, w.transfer_id.clone());
        let (waiting, stale): (Vec<_>, Vec<_>) = admitted.iter().partition(|w| waits(w));
        for one in &stale {
            tables.queue.remove(&key(one));
        }
        // Two grants from one reading of the queue may name the same transfer.
        if !stale.is_empty() || waiting.iter().any(|w| !tables.queue.contains_key(&key(w))) {
            return Ok(false);
        }
        let slots = tables.slots.entry(pool).or_default();
        slots.version += 1;
        for one in waiting {
            slots.holders.insert(one.transfer_id.clone(), one.person.clone());
            tables.queue.remove(&key(one));
            tables.due.insert(Due::Transfer(one.transfer_id.clone()), due);
            if let Some(transfer) = tables.transfers.get_mut(&one.transfer_id) {
                transfer.turn = Turn::Holding;
                transfer.admitted_at.get_or_insert(now);
            }
        }
        Ok(true)
    }

    async fn enqueue(&self, transfer: &Transfer, due: Timestamp) -> Result<(), WriteError> {
        let id = &transfer.transfer_id;
        let attempt = transfer.attempt;
        let now = self.edit(id, same_attempt(attempt), |t| {
            if t.turn == Turn::Idle {
                t.turn = Turn::Queued;
            }
            t.clone()
        })?;
        if now.turn == Turn::Queued {
            let mut tables = self.tables();
            tables.queue.insert(place(&now), now.waiting());
            tables.due.insert(Due::Transfer(id.clone()), due);
        }
        Ok(())
    }

    async fn step_aside(&self, read: &Transfer) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let Some(transfer) = tables.transfers.get_mut(&read.transfer_id) else { return Ok(()) };
        let same = (transfer.attempt, transfer.phase, transfer.epoch)
            == (read.attempt, read.phase, read.epoch);
        if same && transfer.turn == Turn::Holding && !transfer.phase.is_terminal() {
            transfer.turn = Turn::Idle;
            let aside = transfer.clone();
            tables.leave(&aside);
        }
        Ok(())
    }

    async fn reclaim(&self, pool: Pool, holder: &TransferId) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        if tables.transfers.get(holder).is_some_and(|t| t.turn == Turn::Holding) {
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
        attempt: u32,
    ) -> Result<Option<OutcomeRecord>, StoreError> {
        let found = self.tables().outbox.get(&(id.clone(), attempt)).cloned();
        Ok(found.map(|(record, _)| record))
    }

    async fn told(&self, id: &TransferId, attempt: u32) -> Result<(), StoreError> {
        self.tables().outbox.remove(&(id.clone(), attempt));
        Ok(())
    }

    async fn untold(
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

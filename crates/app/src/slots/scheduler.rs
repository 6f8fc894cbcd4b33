//! Slot scheduler: grants free slots to queued transfers, in the order of the queue.
//!
//! A *slot* is the right of a transfer to move bytes. Each *pool* (one for OneDrive deliveries, one
//! for downloads) has a limited number of slots and its own queue. A *queue entry* is the place of
//! a transfer in a queue.
//!
//! The *sweeper* is the background repair, whose function `sweep` runs every minute. It grants
//! slots and starts workflows if another process died before it could do so.

use std::time::Duration;

use docferry_domain::ids::TransferId;
use docferry_domain::job::IdempotencyRecord;
use docferry_domain::phase::Phase;
use docferry_domain::slots::{Pool, PoolLimits, QueueEntry, SlotAllocator, SlotLimits, SlotState};
use docferry_domain::transfer::Transfer;
use jiff::SignedDuration;

use crate::TaskError;
use crate::ports::{
    Clock, CreateOptions, CreateResult, MAX_GRANTS, SlotAdapters, SlotStore, Start, TransferStore,
    Workflow,
};
use crate::time::saturating_add;

/// Maximum number of conflicts with other processes in one call of [`SlotScheduler::fill_slots`].
/// The sweeper fills free slots every minute anyway.
const MAX_CONFLICTS: u32 = 8;

/// Base of the random delay after a conflict, in milliseconds. The longest delay doubles with each
/// conflict.
const CONFLICT_DELAY_MS: u64 = 10;

/// Number of queue entries that are read at once.
const QUEUE_PAGE: usize = 100;

/// Delay after which the sweeper checks a transfer that was granted a slot. The process that
/// granted the slot may have died before it started the workflow.
const GRANT_CHECK_DELAY: SignedDuration = SignedDuration::from_secs(60);

/// Grants slots and starts workflows. Use the scheduler after a transfer has joined the queue and
/// after a slot was released.
#[derive(Debug)]
pub struct SlotScheduler<'a, P: SlotAdapters> {
    /// Slots, queue and transfer records.
    pub store: &'a P::Store,
    /// Starts the workflows of transfers that were granted a slot.
    pub workflow: &'a P::Workflow,
    /// Source of the current time.
    pub clock: &'a P::Clock,
    /// Limits on the number of slots.
    pub limits: SlotLimits,
}

impl<P: SlotAdapters> SlotScheduler<'_, P> {
    /// Records a new transfer. If the queue is empty and a slot is free, the same transaction
    /// grants the slot, and the workflow starts at once. If not, the transfer is queued.
    ///
    /// # Errors
    /// The errors of the store. The caller must not accept the transfer then. If only the response
    /// of the store was lost, the transfer runs nevertheless.
    pub(crate) async fn create_transfer(
        &self,
        transfer: &Transfer,
        request: Option<&IdempotencyRecord>,
    ) -> Result<CreateResult, TaskError> {
        let pool = transfer.pool;
        let slots = self.store.slots(pool).await?;
        let has_free_slot =
            SlotAllocator::new(self.limits.of(pool), &slots).admits(&transfer.queue_entry());
        if has_free_slot && self.store.queue(pool, None, 1).await?.is_empty() {
            let holding = Transfer {
                slot_state: SlotState::Holding,
                slot_granted_at: Some(self.clock.now()),
                ..transfer.clone()
            };
            let options = CreateOptions { request, slot: Some(slots.version) };
            match self.store.create_with(&holding, options).await? {
                CreateResult::SlotsChanged => {}
                CreateResult::Done => {
                    self.start_workflow(&holding).await;
                    return Ok(CreateResult::Done);
                }
                already_exists => return Ok(already_exists),
            }
        }
        let created =
            self.store.create_with(transfer, CreateOptions { request, slot: None }).await?;
        if created == CreateResult::Done {
            self.fill_slots_best_effort(pool).await;
        }
        Ok(created)
    }

    /// Grants the free slots of a pool and starts the workflows of transfers that have not
    /// begun. Returns the number of grants.
    ///
    /// Calls may run concurrently, because the store rejects a grant if another grant has changed
    /// the slots since they were read.
    ///
    /// # Errors
    /// The errors of the store. Grants before the error stay valid. The sweeper starts the
    /// workflows that were not started.
    pub async fn fill_slots(&self, pool: Pool) -> Result<usize, TaskError> {
        if self.limits.of(pool).active == 0 {
            return Ok(0);
        }
        let mut granted = 0;
        let mut conflicts = 0;
        while conflicts < MAX_CONFLICTS {
            let slots = self.store.slots(pool).await?;
            let chosen =
                self.choose_entries(pool, SlotAllocator::new(self.limits.of(pool), &slots)).await?;
            if chosen.is_empty() {
                break;
            }
            let now = self.clock.now();
            let next_check = saturating_add(now, GRANT_CHECK_DELAY);
            if !self.store.grant(pool, slots.version, &chosen, now, next_check).await? {
                // Another process changed the slots first. Retry after a random delay.
                conflicts += 1;
                let delay_ms = fastrand::u64(1..CONFLICT_DELAY_MS << conflicts);
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                continue;
            }
            granted += chosen.len();
            for entry in &chosen {
                self.start_if_accepted(&entry.transfer_id).await;
            }
            if chosen.len() < MAX_GRANTS {
                break;
            }
        }
        Ok(granted)
    }

    /// Returns a scheduler that grants no slots. Freed slots stay free until the original scheduler
    /// grants them.
    pub(crate) fn deferred(&self) -> Self {
        let Self { store, workflow, clock, .. } = *self;
        Self { store, workflow, clock, limits: PoolLimits::new(0, 0).into() }
    }

    /// Calls [`SlotScheduler::fill_slots`]. If that fails, only logs the failure, because the
    /// sweeper grants the slots later.
    pub async fn fill_slots_best_effort(&self, pool: Pool) {
        if let Err(error) = self.fill_slots(pool).await {
            let code = error.code.as_str();
            tracing::warn!(pool = pool.as_str(), error.code = code, "slots not granted");
        }
    }

    /// Chooses the queue entries whose transfers get a slot now, at most [`MAX_GRANTS`].
    async fn choose_entries(
        &self,
        pool: Pool,
        mut allocator: SlotAllocator,
    ) -> Result<Vec<QueueEntry>, TaskError> {
        let mut chosen = Vec::new();
        let mut last_read: Option<QueueEntry> = None;
        while !allocator.is_full() && chosen.len() < MAX_GRANTS {
            let page = self.store.queue(pool, last_read.as_ref(), QUEUE_PAGE).await?;
            let is_last_page = page.len() < QUEUE_PAGE;
            last_read = page.last().cloned();
            for entry in page {
                if chosen.len() < MAX_GRANTS && allocator.admits(&entry) {
                    chosen.push(entry);
                }
            }
            if is_last_page {
                break;
            }
        }
        Ok(chosen)
    }

    /// Starts the workflow of a transfer that has not begun. Does nothing for a transfer that has
    /// begun: its workflow is running, and its next step finds the slot.
    async fn start_if_accepted(&self, id: &TransferId) {
        match self.store.get(id).await {
            Ok(Some(transfer))
                if transfer.phase == Phase::Accepted
                    && transfer.slot_state == SlotState::Holding =>
            {
                self.start_workflow(&transfer).await;
            }
            Ok(_) => {}
            Err(error) => log_not_started(id, &error.into()),
        }
    }

    /// Starts the workflow of a transfer. If that fails, the failure is only logged, and the
    /// sweeper starts the workflow later.
    async fn start_workflow(&self, transfer: &Transfer) {
        let id = &transfer.transfer_id;
        match self.workflow.start(id, transfer.execution_number).await {
            Ok(Start::Running) => {}
            Ok(Start::Closed) => {
                tracing::warn!(transfer.id = id.as_str(), "workflow has already ended");
            }
            Err(error) => log_not_started(id, &error.into()),
        }
    }
}

fn log_not_started(id: &TransferId, error: &TaskError) {
    let code = error.code.as_str();
    tracing::warn!(transfer.id = id.as_str(), error.code = code, "workflow not started");
}

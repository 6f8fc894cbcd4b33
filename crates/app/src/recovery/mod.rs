//! Sweeper: the background repair of docferry. The function `sweep` runs it once a minute. Each run
//! is a *sweep*, which does this work in this order:
//!
//! 1. Remove the copies of withdrawn documents.
//! 2. Free *slots* (rights to move bytes) without a holder, and grant free slots.
//! 3. Send outcomes, audit events and webhook notifications that were not sent.
//! 4. Recover transfers: restart or end each transfer whose *execution* died. An execution is one
//!    run of the Step Functions workflow for a transfer.
//! 5. Advance batches.
//! 6. Clean up after ended transfers.
//! 7. Remove expired downloads.
//!
//! Each kind of work has its own limits in number and time, so that a backlog of one kind cannot
//! block another kind. A *work item* is a transfer, batch or download that the sweeper has to check
//! when it is *due*.

mod outbox;
pub mod requeue;
mod slots;
mod transfer;
mod types;
mod withdrawal;

pub use types::{OutboxQueues, SweepSettings, Swept};

use docferry_domain::ids::TransferId;
use docferry_domain::slots::Pool;
use docferry_domain::transfer::Transfer;
use jiff::{SignedDuration, Timestamp};

use crate::batch::recover_batch;
use crate::delivery::artifact::remove;
use crate::finish::FinishPorts;
use crate::ports::{
    ArtifactStore as _, AuditQueue, Clock, EventOutbox, FinishAdapters, RecoveryStore as _,
    RegistryWork, TransferStore as _, WebhookQueue, WorkItem,
};
use crate::slots::scheduler::SlotScheduler;
use crate::time::saturating_add;
use crate::{StepOutcome, TaskError};

use outbox::{send_unsent_events, send_unsent_notifications, send_unsent_outcomes};
use slots::reclaim_slots;
use types::ItemResult;
use withdrawal::remove_withdrawn_copies;

/// Number of listed work items for each transfer that may be recovered. The list also contains
/// ended transfers that only need clean-up, so it must be longer than the number of recoveries.
const LISTING_FACTOR: usize = 5;

/// Maximum number of batches advanced in one sweep. To advance a batch may mean to read all of its
/// documents.
const MAX_BATCHES: usize = 20;

/// Delay until the next sweep: a little less than the schedule's minute.
const NEXT_SWEEP: SignedDuration = SignedDuration::from_secs(50);

/// Delay until a work item that failed is checked again.
const DELAY_AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(100);

/// Does the work of one sweep until `stop_at`. Reschedules each work item, so an item that keeps
/// failing does not block other items.
///
/// Concurrent sweeps are harmless, because every write checks a condition or can be repeated.
///
/// # Errors
/// The error of the store if an index cannot be read. A failure of a single item is only counted,
/// and a later sweep retries the item.
pub async fn sweep<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    scheduler: &SlotScheduler<'_, P>,
    queues: &OutboxQueues<
        '_,
        impl RegistryWork,
        impl EventOutbox,
        impl AuditQueue,
        impl WebhookQueue,
    >,
    settings: SweepSettings,
    stop_at: Timestamp,
) -> Result<Swept, TaskError> {
    let mut swept = Swept::default();
    let now = ports.clock.now();
    // Withdrawals get a fifth of the time, so that many of them do not prevent the other work.
    let withdrawals_end = saturating_add(now, stop_at.duration_since(now) / 5);
    let removal = remove_withdrawn_copies(
        ports,
        queues.withdrawals,
        queues.audit,
        settings.max_items,
        withdrawals_end,
    );
    match removal.await {
        Ok(withdrawals_swept) => {
            swept.withdrawn_copies = withdrawals_swept.removed;
            swept.failed += withdrawals_swept.failed;
        }
        Err(error) => {
            tracing::warn!(error.code = error.code.as_str(), "withdrawal sweep failed");
        }
    }
    let started_at = ports.clock.now();
    // Each kind of work has to end after a number of tenths of the sweep's time.
    let tenths =
        |count: i32| saturating_add(started_at, stop_at.duration_since(started_at) / 10 * count);
    // The ends of transfers free slots. The sweeper does not grant each of these slots at once,
    // because every grant would read the queue. The next sweep grants them at the latest.
    let mut sweeper = Sweeper { ports, scheduler: &scheduler.deferred(), settings, swept };
    // The quick work comes first, so that a backlog of slow transfers does not delay it.
    for pool in Pool::ALL {
        sweeper.swept.reclaimed +=
            reclaim_slots(ports.store, *pool, settings.max_items, started_at).await?;
        scheduler.fill_slots_best_effort(*pool).await;
    }
    sweeper.swept.sent +=
        send_unsent_outcomes(ports, queues.audit, settings.max_items, tenths(1)).await?;
    let events =
        send_unsent_events(ports.clock, queues.events, queues.audit, settings.max_items, tenths(2));
    match events.await {
        Ok(sent) => sweeper.swept.events_sent += sent,
        // A failure of the table of events must not prevent the recovery, which does not use it.
        Err(error) => {
            tracing::warn!(error.code = error.code.as_str(), "audit events cannot be read");
        }
    }
    sweeper.swept.forwarded +=
        send_unsent_notifications(ports, queues.webhook, settings.max_items, tenths(3)).await?;
    let max_listed = settings.max_items.saturating_mul(LISTING_FACTOR);
    let due = ports.store.unfinished(started_at, max_listed).await?;
    let (mut transfers, mut batches) = (Vec::new(), Vec::new());
    for item in due {
        match item {
            WorkItem::Transfer(id) => transfers.push(id),
            WorkItem::Batch(id) => batches.push(id),
            WorkItem::Artifact(_) => {}
        }
    }
    let ended = sweeper.recover(transfers, tenths(7)).await;
    sweeper.advance_batches(batches, tenths(8)).await;
    sweeper.clean_up(ended, tenths(9)).await;
    sweeper.remove_expired_downloads(stop_at).await?;
    Ok(sweeper.swept)
}

/// State of one sweep.
struct Sweeper<'a, P: FinishAdapters> {
    ports: &'a FinishPorts<'a, P>,
    scheduler: &'a SlotScheduler<'a, P>,
    settings: SweepSettings,
    swept: Swept,
}

impl<P: FinishAdapters> Sweeper<'_, P> {
    /// Returns whether the time limit `until` is reached.
    fn is_past(&self, until: Timestamp) -> bool {
        self.ports.clock.now() >= until
    }

    /// Restarts or ends the due transfers that have not ended. Returns the due transfers that have
    /// ended, which may need clean-up.
    async fn recover(&mut self, due: Vec<TransferId>, until: Timestamp) -> Vec<Transfer> {
        let (mut ended, mut recovered) = (Vec::new(), 0);
        for id in due {
            if recovered >= self.settings.max_items || self.is_past(until) {
                break;
            }
            // The index is eventually consistent, so the transfer's record decides.
            let result = match self.ports.store.get(&id).await {
                Ok(Some(transfer)) if transfer.phase.is_terminal() => {
                    ended.push(transfer);
                    continue;
                }
                Ok(Some(transfer)) => self.recover_transfer(&transfer).await,
                Ok(None) => Ok(ItemResult::Unchanged { next_check: self.regular_check() }),
                Err(error) => Err(error.into()),
            };
            recovered += 1;
            self.record_result(&WorkItem::Transfer(id), result).await;
        }
        ended
    }

    /// Advances the due batches: restarts or stops documents, and ends a batch after its last
    /// document.
    async fn advance_batches(&mut self, due: Vec<TransferId>, until: Timestamp) {
        for id in due.into_iter().take(MAX_BATCHES) {
            if self.is_past(until) {
                break;
            }
            let ttl = self.settings.finalize.record_ttl;
            let result = recover_batch(self.scheduler, ttl, &id).await.map(|outcome| {
                let next_check = match outcome {
                    StepOutcome::Done(()) => self.regular_check(),
                    StepOutcome::RetryLater { .. } => self.next_sweep(),
                };
                ItemResult::Unchanged { next_check }
            });
            self.record_result(&WorkItem::Batch(id), result).await;
        }
    }

    /// Cleans up after transfers that have ended.
    async fn clean_up(&mut self, ended: Vec<Transfer>, until: Timestamp) {
        for transfer in ended.into_iter().take(self.settings.max_items) {
            if self.is_past(until) {
                break;
            }
            let result = self.end_transfer(&transfer, None).await;
            self.record_result(&WorkItem::Transfer(transfer.transfer_id), result).await;
        }
    }

    /// Deletes objects of the delivery bucket whose retention is over.
    async fn remove_expired_downloads(&mut self, until: Timestamp) -> Result<(), TaskError> {
        let (ports, now) = (self.ports, self.ports.clock.now());
        for key in ports.store.expired_artifacts(now, self.settings.max_items).await? {
            if self.is_past(until) {
                break;
            }
            self.swept.seen += 1;
            let removed = async {
                // If the retention was extended meanwhile, this call reschedules the item.
                if ports.store.expire_artifact(&key, ports.clock.now()).await? {
                    remove(ports.store, ports.artifacts, &key).await?;
                }
                Ok::<_, TaskError>(())
            };
            if let Err(error) = removed.await {
                self.swept.failed += 1;
                tracing::warn!(error.code = error.code.as_str(), "download not removed");
                let next_check = saturating_add(ports.clock.now(), DELAY_AFTER_FAILURE);
                self.reschedule(&WorkItem::Artifact(key), next_check).await;
            }
        }
        Ok(())
    }

    /// Returns the time of the next sweep.
    fn next_sweep(&self) -> Timestamp {
        saturating_add(self.ports.clock.now(), NEXT_SWEEP)
    }

    /// Returns the time of the next check of an item that needs no repair now.
    fn regular_check(&self) -> Timestamp {
        saturating_add(self.ports.clock.now(), self.settings.check_interval)
    }

    /// Counts the result of handling a work item, and reschedules the item.
    async fn record_result(&mut self, item: &WorkItem, result: Result<ItemResult, TaskError>) {
        self.swept.seen += 1;
        let next_check = match result {
            // Queueing the transfer has also set the time of its next check.
            Ok(ItemResult::Queued) => return,
            Ok(ItemResult::Unchanged { next_check }) => next_check,
            Ok(ItemResult::Started) => {
                self.swept.started += 1;
                self.next_sweep()
            }
            Ok(ItemResult::Finalized { next_check }) => {
                self.swept.finalized += 1;
                next_check
            }
            Err(error) => {
                self.swept.failed += 1;
                let id = match item {
                    WorkItem::Transfer(id) | WorkItem::Batch(id) => id.as_str(),
                    WorkItem::Artifact(key) => key,
                };
                let code = error.code.as_str();
                tracing::warn!(transfer.id = id, error.code = code, "sweep failed");
                saturating_add(self.ports.clock.now(), DELAY_AFTER_FAILURE)
            }
        };
        self.reschedule(item, next_check).await;
    }

    /// Reschedules the item. If that fails, the item stays due, and the next sweep retries it.
    async fn reschedule(&mut self, item: &WorkItem, next_check: Timestamp) {
        if let Err(error) = self.ports.store.reschedule(item, next_check).await {
            self.swept.failed += 1;
            let error = TaskError::from(error);
            tracing::warn!(error.code = error.code.as_str(), "reschedule failed");
        }
    }
}

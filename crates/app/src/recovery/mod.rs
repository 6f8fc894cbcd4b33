//! Sweeper: background repair that runs once a minute. It restarts or ends transfers whose
//! execution died, cleans up after ended transfers, advances batches, removes expired
//! downloads, frees slots without a holder, grants free slots, and sends outcomes that were not
//! sent.
//!
//! Each kind of work has its own limits in number and time, so that a backlog of one kind
//! cannot starve the others. Recovery comes before clean-up, and clean-up before expired
//! downloads.

mod outbox;
pub mod requeue;
mod transfer;

use docferry_domain::ids::TransferId;
use docferry_domain::slots::{Pool, SlotState};
use docferry_domain::transfer::Transfer;
use jiff::{SignedDuration, Timestamp};

use crate::batch::recover_batch;
use crate::delivery::publish::remove;
use crate::finish::{FinalizeSettings, FinishPorts};
use crate::ports::{
    ArtifactStore as _, AuditQueue, Clock, FinishAdapters, RecoveryStore as _, Store, StoreError,
    TransferStore as _, WebhookQueue, WorkItem,
};
use crate::slots::scheduler::SlotScheduler;
use crate::time::saturating_add;
use crate::{StepOutcome, TaskError};

use outbox::{send_unsent_notifications, send_unsent_outcomes};

/// Number of work items that are listed, as a multiple of the transfers that are recovered, so
/// that recovery also finds transfers listed behind those that only need clean-up.
const READ_AHEAD: usize = 5;

/// Maximum number of batches advanced in one sweep. Each may read every document of its batch.
const MAX_BATCHES: usize = 20;

/// Delay until the next sweep: a little less than the schedule's minute.
const NEXT_SWEEP: SignedDuration = SignedDuration::from_secs(50);

/// Limits of a sweep.
#[derive(Debug, Clone, Copy)]
pub struct SweepSettings {
    /// Interval after which a transfer whose execution is running is checked again.
    pub look_again: SignedDuration,
    /// How long after its deadline the sweeper ends a transfer; its own steps notice the
    /// deadline earlier.
    pub overtime: SignedDuration,
    /// Maximum number of executions in one run of a transfer.
    pub max_attempts: u32,
    /// Maximum number of items of each kind in one sweep: transfers recovered, transfers
    /// cleaned up, expired downloads, outcomes, and webhook notifications.
    pub batch: usize,
    /// Settings of [`finalize`](crate::finish::finalize).
    pub finalize: FinalizeSettings,
}

impl Default for SweepSettings {
    fn default() -> Self {
        Self {
            look_again: SignedDuration::from_mins(5),
            overtime: SignedDuration::from_secs(60),
            max_attempts: 3,
            batch: 200,
            finalize: FinalizeSettings::default(),
        }
    }
}

/// Queues to which the contents of the outbox are sent.
#[derive(Debug)]
pub struct OutboxQueues<'a, A, W> {
    /// Queue of outcomes.
    pub audit: &'a A,
    /// Queue of webhook notifications.
    pub webhook: &'a W,
}

/// Counts of what a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Work items checked.
    pub seen: usize,
    /// Executions started.
    pub started: usize,
    /// Transfers ended, or cleaned up after.
    pub finalized: usize,
    /// Outcomes sent that `notify` had not sent.
    pub sent: usize,
    /// Webhook notifications queued that `notify` had not queued.
    pub forwarded: usize,
    /// Slots freed that had no active holder.
    pub reclaimed: usize,
    /// Work items that failed; the next sweep retries them.
    pub failed: usize,
}

/// Result of handling a work item; decides when it is checked again.
enum Done {
    /// Nothing was to be done; check again at this time.
    Left(Timestamp),
    /// An execution was started.
    Started,
    /// The transfer was ended or cleaned up; check again at this time.
    Finalized(Timestamp),
    /// The transfer was queued, and the same write has rescheduled the item.
    Queued,
}

/// Handles all due work items until `stop_at`. Each item is rescheduled, so an item that keeps
/// failing does not block the others.
///
/// Concurrent sweeps are harmless: every action is conditional or idempotent.
///
/// # Errors
/// Only when an index cannot be read; failures of single items are counted and retried by the
/// next sweep.
pub async fn sweep<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    scheduler: &SlotScheduler<'_, P>,
    queues: &OutboxQueues<'_, impl AuditQueue, impl WebhookQueue>,
    settings: SweepSettings,
    stop_at: Timestamp,
) -> Result<Swept, TaskError> {
    let started_at = ports.clock.now();
    let tenths = |n: i32| saturating_add(started_at, stop_at.duration_since(started_at) / 10 * n);
    let swept = Swept::default();
    // The remaining work frees slots without granting them again, which would read the queue
    // each time.
    let mut sweeper = Sweeper { ports, scheduler: &scheduler.deferred(), settings, swept };
    // Quick work first, so that a backlog of slow transfers does not delay it.
    for pool in Pool::ALL {
        sweeper.swept.reclaimed += reclaim(ports.store, *pool, settings.batch, started_at).await?;
        scheduler.fill_slots_best_effort(*pool).await;
    }
    sweeper.swept.sent +=
        send_unsent_outcomes(ports, queues.audit, settings.batch, tenths(1)).await?;
    sweeper.swept.forwarded +=
        send_unsent_notifications(ports, queues.webhook, settings.batch, tenths(2)).await?;
    let due = ports.store.unfinished(started_at, settings.batch.saturating_mul(READ_AHEAD)).await?;
    let (mut transfers, mut batches) = (Vec::new(), Vec::new());
    for due in due {
        match due {
            WorkItem::Transfer(id) => transfers.push(id),
            WorkItem::Batch(id) => batches.push(id),
            WorkItem::Artifact(_) => {}
        }
    }
    let ended = sweeper.recover(transfers, tenths(6)).await;
    sweeper.advance(batches, tenths(7)).await;
    sweeper.clean_up(ended, tenths(8)).await;
    sweeper.expire(stop_at).await?;
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
    /// Returns whether the time limit of a kind of work is reached.
    fn is_over(&self, until: Timestamp) -> bool {
        self.ports.clock.now() >= until
    }

    /// Restarts or ends transfers that have not ended. Returns those that have ended and may
    /// need clean-up.
    async fn recover(&mut self, due: Vec<TransferId>, until: Timestamp) -> Vec<Transfer> {
        let (mut ended, mut recovered) = (Vec::new(), 0);
        for id in due {
            if recovered >= self.settings.batch || self.is_over(until) {
                break;
            }
            // The index is eventually consistent: the record decides.
            let done = match self.ports.store.get(&id).await {
                Ok(Some(transfer)) if transfer.phase.is_terminal() => {
                    ended.push(transfer);
                    continue;
                }
                Ok(Some(transfer)) => self.recover_transfer(&transfer).await,
                Ok(None) => Ok(Done::Left(self.look_again())),
                Err(error) => Err(error.into()),
            };
            recovered += 1;
            self.record_result(&WorkItem::Transfer(id), done).await;
        }
        ended
    }

    /// Advances batches.
    async fn advance(&mut self, due: Vec<TransferId>, until: Timestamp) {
        for id in due.into_iter().take(MAX_BATCHES) {
            if self.is_over(until) {
                break;
            }
            let ttl = self.settings.finalize.record_ttl;
            let done = match recover_batch(self.scheduler, ttl, &id).await {
                Ok(StepOutcome::Done(())) => Ok(Done::Left(self.look_again())),
                Ok(StepOutcome::RetryLater { .. }) => Ok(Done::Left(self.next_sweep())),
                Err(error) => Err(error),
            };
            self.record_result(&WorkItem::Batch(id), done).await;
        }
    }

    /// Cleans up after transfers that have ended.
    async fn clean_up(&mut self, ended: Vec<Transfer>, until: Timestamp) {
        for transfer in ended.into_iter().take(self.settings.batch) {
            if self.is_over(until) {
                break;
            }
            let done = self.end_transfer(&transfer, None).await;
            self.record_result(&WorkItem::Transfer(transfer.transfer_id), done).await;
        }
    }

    /// Deletes objects of the delivery bucket whose retention is over.
    async fn expire(&mut self, until: Timestamp) -> Result<(), TaskError> {
        let (ports, now) = (self.ports, self.ports.clock.now());
        for key in ports.store.expired_artifacts(now, self.settings.batch).await? {
            if self.is_over(until) {
                break;
            }
            self.swept.seen += 1;
            let removed = async {
                if ports.store.expire_artifact(&key, ports.clock.now()).await? {
                    remove(ports.store, ports.artifacts, &key).await?;
                }
                Ok::<_, TaskError>(())
            };
            // An artifact that is retained longer was rescheduled to the end of its retention.
            if let Err(error) = removed.await {
                self.swept.failed += 1;
                tracing::warn!(error.code = error.code.as_str(), "download not removed");
                let next = saturating_add(ports.clock.now(), NEXT_SWEEP * 2);
                self.reschedule(&WorkItem::Artifact(key), next).await;
            }
        }
        Ok(())
    }

    fn next_sweep(&self) -> Timestamp {
        saturating_add(self.ports.clock.now(), NEXT_SWEEP)
    }

    fn look_again(&self) -> Timestamp {
        saturating_add(self.ports.clock.now(), self.settings.look_again)
    }

    /// Counts the result and reschedules the item.
    async fn record_result(&mut self, due: &WorkItem, done: Result<Done, TaskError>) {
        self.swept.seen += 1;
        let next = match done {
            Ok(Done::Queued) => return,
            Ok(Done::Left(next)) => next,
            Ok(Done::Started) => {
                self.swept.started += 1;
                self.next_sweep()
            }
            Ok(Done::Finalized(next)) => {
                self.swept.finalized += 1;
                next
            }
            Err(error) => {
                self.swept.failed += 1;
                let id = match due {
                    WorkItem::Transfer(id) | WorkItem::Batch(id) => id.as_str(),
                    WorkItem::Artifact(key) => key,
                };
                let code = error.code.as_str();
                tracing::warn!(transfer.id = id, error.code = code, "sweep failed");
                saturating_add(self.ports.clock.now(), NEXT_SWEEP * 2)
            }
        };
        self.reschedule(due, next).await;
    }

    /// Reschedules the item; on failure it stays due and the next sweep retries it.
    async fn reschedule(&mut self, due: &WorkItem, next: Timestamp) {
        if let Err(error) = self.ports.store.reschedule(due, next).await {
            self.swept.failed += 1;
            let error = TaskError::from(error);
            tracing::warn!(error.code = error.code.as_str(), "reschedule failed");
        }
    }
}

/// Frees slots whose holders do not use them any more, according to their records. Normally the
/// transaction that ends a transfer frees its slot; this repairs slots left by older versions
/// or by manual changes to the table. Each sweep checks the next `limit` holders.
async fn reclaim(
    store: &impl Store,
    pool: Pool,
    limit: usize,
    now: Timestamp,
) -> Result<usize, TaskError> {
    let mut freed = 0;
    let holders: Vec<_> = store.slots(pool).await?.holders.into_keys().collect();
    let minute = usize::try_from(now.as_second() / 60).unwrap_or_default();
    let first = minute.saturating_mul(limit) % holders.len().max(1);
    let checked = holders.len().min(limit);
    for holder in holders.iter().cycle().skip(first).take(checked) {
        let transfer = match store.get(holder).await {
            // A newer version may have written the record and still use the slot.
            Err(StoreError::Corrupt(_)) => continue,
            read => read?,
        };
        let holds =
            transfer.is_some_and(|t| t.slot_state == SlotState::Holding && !t.phase.is_terminal());
        if !holds && store.reclaim(pool, holder).await? {
            tracing::warn!(transfer.id = holder.as_str(), "slot reclaimed");
            freed += 1;
        }
    }
    Ok(freed)
}

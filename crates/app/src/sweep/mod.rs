//! Recovery, once a minute: restarts or ends transfers whose execution died, cleans up
//! after those that have ended, advances batches, removes expired downloads, frees slots
//! without a holder, fills free slots, and sends outcomes that were not sent.
//!
//! Each kind of work has bounds of its own, in number and in time, so that a crowd of one
//! kind keeps no other from being seen. Recovery comes before clean-up, and clean-up before
//! expired downloads.

mod outbox;
mod transfer;

use docferry_domain::{Pool, Transfer, TransferId, Turn};
use jiff::{SignedDuration, Timestamp};

use crate::admit::Admitter;
use crate::bundle::sweep_bundle;
use crate::finalize::{FinalizeSettings, Ports};
use crate::initiate::later;
use crate::ports::{
    Artifacts, AuditQueue, Clock, Drive, Due, Sealer, Staging, Store, StoreError, WebhookQueue,
    Workflow,
};
use crate::publish::remove;
use crate::{StepOutcome, TaskError};

use outbox::{forward_resting, tell};

/// Unfinished work whose keys are read, as a multiple of the transfers that are recovered:
/// recovery looks past those that have only to be cleaned up after.
const READ_AHEAD: usize = 5;

/// Batches looked at in one sweep. A look may read every document of a batch.
const BUNDLES: usize = 20;

/// A little less than the schedule's minute, so that the next sweep sees it again.
const NEXT_SWEEP: SignedDuration = SignedDuration::from_secs(50);

/// Limits of a sweep.
#[derive(Debug, Clone, Copy)]
pub struct SweepSettings {
    /// When a transfer whose execution runs is looked at again.
    pub look_again: SignedDuration,
    /// How long after its deadline a transfer is ended from here; its own steps
    /// notice the deadline before.
    pub overtime: SignedDuration,
    /// Executions that one transfer may use up.
    pub max_attempts: u32,
    /// Transfers recovered in one sweep, and as many cleaned up after, expired downloads,
    /// outcomes and notices.
    pub batch: usize,
    /// For the endings.
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

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Transfers looked at.
    pub seen: usize,
    /// Executions started.
    pub started: usize,
    /// Transfers ended, or cleaned up after.
    pub finalized: usize,
    /// Outcomes told that `notify` had not told.
    pub told: usize,
    /// Notices put into their queue that `notify` had not put there.
    pub forwarded: usize,
    /// Slots freed that nobody used.
    pub reclaimed: usize,
    /// Transfers that could not be dealt with now; the next sweep tries again.
    pub failed: usize,
}

/// What was done, and when to look again.
enum Done {
    Left(Timestamp),
    Started,
    Finalized(Timestamp),
    /// The write that put it into the queue has set the time of the next look as well.
    Queued,
}

/// Looks at everything unfinished that is due, until `stop_at`. Each look puts the
/// next one off, so that what hangs does not keep the rest from being seen.
///
/// Two sweeps at once do no harm: every action is conditional or idempotent.
///
/// # Errors
/// Only when an index cannot be read; what fails is counted and left for the next
/// sweep.
pub async fn sweep<S, D, G, L, A, C, W>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    admitter: &Admitter<'_, S, W, C>,
    queues: (&impl AuditQueue, &impl WebhookQueue),
    settings: SweepSettings,
    stop_at: Timestamp,
) -> Result<Swept, TaskError>
where
    S: Store,
    D: Drive,
    G: Staging,
    L: Sealer,
    A: Artifacts,
    C: Clock,
    W: Workflow,
{
    let begun = ports.clock.now();
    let tenths = |n: i32| later(begun, stop_at.duration_since(begun) / 10 * n);
    let swept = Swept::default();
    // The rest frees slots without filling them: that would read the queue each time.
    let mut sweeper = Sweeper { ports, admitter: &admitter.deferred(), settings, swept };
    // First what is quick, so that a crowd of hanging transfers does not hold it up.
    for pool in Pool::ALL {
        sweeper.swept.reclaimed += reclaim(ports.store, *pool, settings.batch, begun).await?;
        admitter.admit_or_leave(*pool).await;
    }
    sweeper.swept.told += tell(ports, queues.0, settings.batch, tenths(1)).await?;
    sweeper.swept.forwarded += forward_resting(ports, queues.1, settings.batch, tenths(2)).await?;
    let due = ports.store.unfinished(begun, settings.batch.saturating_mul(READ_AHEAD)).await?;
    let (mut transfers, mut bundles) = (Vec::new(), Vec::new());
    for due in due {
        match due {
            Due::Transfer(id) => transfers.push(id),
            Due::Bundle(id) => bundles.push(id),
            Due::Artifact(_) => {}
        }
    }
    let ended = sweeper.recover(transfers, tenths(6)).await;
    sweeper.advance(bundles, tenths(7)).await;
    sweeper.clean_up(ended, tenths(8)).await;
    sweeper.expire(stop_at).await?;
    Ok(sweeper.swept)
}

/// One sweep.
struct Sweeper<'a, 'p, S, D, G, L, A, C, W> {
    ports: &'a Ports<'p, S, D, G, L, A, C>,
    admitter: &'a Admitter<'a, S, W, C>,
    settings: SweepSettings,
    swept: Swept,
}

impl<S, D, G, L, A, C, W> Sweeper<'_, '_, S, D, G, L, A, C, W>
where
    S: Store,
    D: Drive,
    G: Staging,
    L: Sealer,
    A: Artifacts,
    C: Clock,
    W: Workflow,
{
    fn is_over(&self, until: Timestamp) -> bool {
        self.ports.clock.now() >= until
    }

    /// Carries on or ends the transfers that have not ended. Returns those that have, of
    /// which something may be left.
    async fn recover(&mut self, due: Vec<TransferId>, until: Timestamp) -> Vec<Transfer> {
        let (mut ended, mut recovered) = (Vec::new(), 0);
        for id in due {
            if recovered >= self.settings.batch || self.is_over(until) {
                break;
            }
            // The index may lag: the record decides.
            let done = match self.ports.store.get(&id).await {
                Ok(Some(transfer)) if transfer.phase.is_terminal() => {
                    ended.push(transfer);
                    continue;
                }
                Ok(Some(transfer)) => self.look_after(&transfer).await,
                Ok(None) => Ok(Done::Left(self.look_again())),
                Err(error) => Err(error.into()),
            };
            recovered += 1;
            self.reschedule(&Due::Transfer(id), done).await;
        }
        ended
    }

    async fn advance(&mut self, due: Vec<TransferId>, until: Timestamp) {
        for id in due.into_iter().take(BUNDLES) {
            if self.is_over(until) {
                break;
            }
            let ttl = self.settings.finalize.record_ttl;
            let done = match sweep_bundle(self.admitter, ttl, &id).await {
                Ok(StepOutcome::Done(())) => Ok(Done::Left(self.look_again())),
                Ok(StepOutcome::RetryLater { .. }) => Ok(Done::Left(self.next_sweep())),
                Err(error) => Err(error),
            };
            self.reschedule(&Due::Bundle(id), done).await;
        }
    }

    async fn clean_up(&mut self, ended: Vec<Transfer>, until: Timestamp) {
        for transfer in ended.into_iter().take(self.settings.batch) {
            if self.is_over(until) {
                break;
            }
            let done = self.end(&transfer, None).await;
            self.reschedule(&Due::Transfer(transfer.transfer_id), done).await;
        }
    }

    /// Removes objects of the delivery bucket whose retention is over.
    async fn expire(&mut self, until: Timestamp) -> Result<(), TaskError> {
        let (ports, now) = (self.ports, self.ports.clock.now());
        for key in ports.store.expired_artifacts(now, self.settings.batch).await? {
            if self.is_over(until) {
                break;
            }
            self.swept.seen += 1;
            let removed = async {
                if ports.store.give_up_artifact(&key, ports.clock.now()).await? {
                    remove(ports.store, ports.artifacts, &key).await?;
                }
                Ok::<_, TaskError>(())
            };
            // One that is retained longer has its next look at the end of that.
            if let Err(error) = removed.await {
                self.swept.failed += 1;
                tracing::warn!(error.code = error.code.as_str(), "download not removed");
                let next = later(ports.clock.now(), NEXT_SWEEP * 2);
                self.postpone(&Due::Artifact(key), next).await;
            }
        }
        Ok(())
    }

    fn next_sweep(&self) -> Timestamp {
        later(self.ports.clock.now(), NEXT_SWEEP)
    }

    fn look_again(&self) -> Timestamp {
        later(self.ports.clock.now(), self.settings.look_again)
    }

    /// Counts what was done, and puts the next look off.
    async fn reschedule(&mut self, due: &Due, done: Result<Done, TaskError>) {
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
                    Due::Transfer(id) | Due::Bundle(id) => id.as_str(),
                    Due::Artifact(key) => key,
                };
                let code = error.code.as_str();
                tracing::warn!(transfer.id = id, error.code = code, "not swept");
                later(self.ports.clock.now(), NEXT_SWEEP * 2)
            }
        };
        self.postpone(due, next).await;
    }

    /// Puts the next look off; on failure it stays due, and the next sweep tries again.
    async fn postpone(&mut self, due: &Due, next: Timestamp) {
        if let Err(error) = self.ports.store.postpone(due, next).await {
            self.swept.failed += 1;
            let error = TaskError::from(error);
            tracing::warn!(error.code = error.code.as_str(), "not put off");
        }
    }
}

/// Frees slots whose holders do not know of them any more. Each slot is freed by the
/// transaction that ends its transfer; this is for what an older version or a hand
/// in the table has left. Of many holders, each sweep checks the next `limit`.
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
            // Whoever wrote it may still read it.
            Err(StoreError::Corrupt(_)) => continue,
            read => read?,
        };
        let holds = transfer.is_some_and(|t| t.turn == Turn::Holding && !t.phase.is_terminal());
        if !holds && store.reclaim(pool, holder).await? {
            tracing::warn!(transfer.id = holder.as_str(), "slot reclaimed");
            freed += 1;
        }
    }
    Ok(freed)
}

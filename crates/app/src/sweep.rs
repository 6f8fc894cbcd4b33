//! Every minute: what was lost is started again or ended truthfully, what was left
//! behind is removed, slots that nobody uses are given to others, and outcomes that
//! nobody was told of are told.

use docferry_domain::{FailureCode, Phase, Pool, Transfer, TransferId, Turn};
use jiff::{SignedDuration, Timestamp};

use crate::admit::Admitter;
use crate::bundle::sweep_bundle;
use crate::finalize::{FinalizeSettings, Ports, finalize};
use crate::initiate::later;
use crate::notify::{forward, notify};
use crate::ports::{
    Artifacts, AuditQueue, Clock, Drive, Due, Execution, FIRST_LOOK, Sealer, Staging, Start, Store,
    StoreError, WebhookQueue, Workflow, WriteError,
};
use crate::publish::remove;
use crate::{StepOutcome, TaskError, TaskInput};

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
    /// Transfers looked at in one sweep.
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
}

/// Looks at everything unfinished that is due, until `stop_at`. Each look puts the
/// next one off, so that what hangs does not keep the rest from being seen.
///
/// Two sweeps at once do no harm: every action is conditional or idempotent.
///
/// # Errors
/// Only when the index cannot be read; what fails is counted and left for the next
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
    let mut swept = Swept::default();
    // First what is quick, so that a crowd of hanging transfers does not hold it up.
    for pool in Pool::ALL {
        swept.reclaimed += reclaim(ports.store, *pool).await?;
        admitter.admit_or_leave(*pool).await;
    }
    swept.told += tell(ports, queues.0, settings.batch).await?;
    swept.forwarded += forward_resting(ports, queues.1, settings.batch).await?;
    for due in ports.store.unfinished(ports.clock.now(), settings.batch).await? {
        let now = ports.clock.now();
        if now >= stop_at {
            break;
        }
        swept.seen += 1;
        let (id, done) = match &due {
            Due::Transfer(id) => (id, one(ports, admitter, settings, id).await),
            Due::Artifact(key) => {
                // Its own time: nothing to put off, unless it could not be removed.
                if let Err(error) = expire(ports, key).await {
                    swept.failed += 1;
                    tracing::warn!(error.code = error.code.as_str(), "download not removed");
                    put_off(ports.store, &due, later(now, NEXT_SWEEP * 2)).await;
                }
                continue;
            }
            Due::Bundle(id) => {
                let swept = sweep_bundle(admitter, settings.finalize.record_ttl, id).await;
                let next = |swept| match swept {
                    StepOutcome::Done(()) => settings.look_again,
                    StepOutcome::RetryLater { .. } => NEXT_SWEEP,
                };
                (id, swept.map(|swept| Done::Left(later(now, next(swept)))))
            }
        };
        let next = match done {
            Ok(Done::Left(next)) => next,
            Ok(Done::Started) => {
                swept.started += 1;
                later(now, NEXT_SWEEP)
            }
            Ok(Done::Finalized(next)) => {
                swept.finalized += 1;
                next
            }
            Err(error) => {
                swept.failed += 1;
                tracing::warn!(
                    transfer.id = id.as_str(),
                    error.code = error.code.as_str(),
                    "not swept"
                );
                later(now, NEXT_SWEEP * 2)
            }
        };
        swept.failed += usize::from(!put_off(ports.store, &due, next).await);
    }
    Ok(swept)
}

/// Whether the next look is put off: if not, it is due again at once, and nothing is lost.
async fn put_off(store: &impl Store, due: &Due, next: Timestamp) -> bool {
    let Err(error) = store.postpone(due, next).await else { return true };
    let error = TaskError::from(error);
    tracing::warn!(error.code = error.code.as_str(), "not put off");
    false
}

/// Frees slots whose holders do not know of them any more. Each slot is freed by the
/// transaction that ends its transfer; this is for what an older version or a hand
/// in the table has left.
async fn reclaim(store: &impl Store, pool: Pool) -> Result<usize, TaskError> {
    let mut freed = 0;
    for holder in store.slots(pool).await?.holders.into_keys() {
        let transfer = match store.get(&holder).await {
            // Whoever wrote it may still read it.
            Err(StoreError::Corrupt(_)) => continue,
            read => read?,
        };
        let holds = transfer.is_some_and(|t| t.turn == Turn::Holding && !t.phase.is_terminal());
        if !holds && store.reclaim(pool, &holder).await? {
            tracing::warn!(transfer.id = holder.as_str(), "slot reclaimed");
            freed += 1;
        }
    }
    Ok(freed)
}

/// What was read; none when it cannot be: a newer version may have written it, and
/// must not keep everything else from being looked after.
fn readable<T>(
    id: &TransferId,
    read: Result<Option<T>, StoreError>,
) -> Result<Option<T>, StoreError> {
    match read {
        Err(StoreError::Corrupt(_)) => {
            tracing::error!(transfer.id = id.as_str(), "what is to be told of it cannot be read");
            Ok(None)
        }
        read => read,
    }
}

/// Tells outcomes that `notify` did not tell. Stops at the first that the queue does
/// not take: the others would not fare better.
async fn tell<S, D, G, L, A, C>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    queue: &impl AuditQueue,
    limit: usize,
) -> Result<usize, TaskError>
where
    S: Store,
    C: Clock,
{
    let mut told = 0;
    for (id, attempt) in ports.store.untold(ports.clock.now(), limit).await? {
        let Some(record) = readable(&id, ports.store.outcome(&id, attempt).await)? else {
            continue;
        };
        if let Err(error) = notify(ports.store, queue, &record).await {
            let code = error.code.as_str();
            tracing::warn!(transfer.id = id.as_str(), error.code = code, "outcome not told");
            break;
        }
        told += 1;
    }
    Ok(told)
}

/// The same for notices; neither waits for the other.
async fn forward_resting<S, D, G, L, A, C>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    queue: &impl WebhookQueue,
    limit: usize,
) -> Result<usize, TaskError>
where
    S: Store,
    C: Clock,
{
    let mut forwarded = 0;
    for (id, attempt) in ports.store.resting_notices(ports.clock.now(), limit).await? {
        let Some(notice) = readable(&id, ports.store.notice(&id, attempt).await)? else { continue };
        if let Err(error) = forward(ports.store, queue, &notice).await {
            let code = error.code.as_str();
            tracing::warn!(job.id = id.as_str(), error.code = code, "notice not forwarded");
            break;
        }
        forwarded += 1;
    }
    Ok(forwarded)
}

/// Removes an object of the delivery bucket that nobody is to have any more.
async fn expire<S, D, G, L, A, C>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    key: &str,
) -> Result<(), TaskError>
where
    S: Store,
    A: Artifacts,
    C: Clock,
{
    if ports.store.give_up_artifact(key, ports.clock.now()).await? {
        remove(ports.store, ports.artifacts, key).await?;
    }
    Ok(())
}

async fn one<S, D, G, L, A, C, W>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    admitter: &Admitter<'_, S, W, C>,
    settings: SweepSettings,
    id: &TransferId,
) -> Result<Done, TaskError>
where
    S: Store,
    D: Drive,
    G: Staging,
    L: Sealer,
    A: Artifacts,
    C: Clock,
    W: Workflow,
{
    // The index may lag: the record decides.
    let (now, workflow) = (ports.clock.now(), admitter.workflow);
    let Some(transfer) = ports.store.get(id).await? else {
        return Ok(Done::Left(later(now, settings.look_again)));
    };
    let attempt = transfer.attempt;
    let end = async |failure: Option<FailureCode>| {
        let task = TaskInput { transfer_id: id.clone(), attempt };
        let name = failure.map(FailureCode::as_str);
        let ended = finalize(ports, admitter, settings.finalize, &task, name).await?;
        if let StepOutcome::RetryLater { .. } = ended {
            return Ok(Done::Left(later(now, NEXT_SWEEP)));
        }
        // What is left of it, if anything, is the watch for a copy that comes late:
        // there may be many of those, and whoever waits for recovery goes first.
        Ok(Done::Finalized(later(now, settings.look_again)))
    };
    if transfer.phase.is_terminal() {
        return end(None).await;
    }
    let last_moment = later(transfer.must_end_by(), settings.overtime);
    if now >= last_moment {
        return end(Some(FailureCode::DeadlineExceeded)).await;
    }
    let stops =
        transfer.delivery.is_some() || transfer.ending.is_some() || transfer.cancel_requested;
    let look_again = last_moment.min(later(now, settings.look_again));
    match workflow.look(id, attempt).await? {
        Execution::Running => Ok(Done::Left(look_again)),
        // An ending was under way, or only the ending is missing.
        Execution::Missing | Execution::Closed if stops => end(None).await,
        // It waits for its turn; written into the queue again, should it be missing there.
        Execution::Missing
            if transfer.phase == Phase::Accepted && transfer.turn != Turn::Holding =>
        {
            ports.store.enqueue(&transfer, later(now, FIRST_LOOK)).await?;
            admitter.admit_or_leave(transfer.pool).await;
            Ok(Done::Left(look_again))
        }
        // The record was written and the start was lost.
        Execution::Missing => start(workflow, id, attempt, now).await,
        Execution::Closed if transfer.executions() < settings.max_attempts => {
            again(ports.store, workflow, &transfer, now).await
        }
        Execution::Closed => end(Some(FailureCode::Internal)).await,
    }
}

/// An execution ended without an ending of its transfer: the next one goes on
/// where it stopped. Names of executions are used once.
async fn again(
    store: &impl Store,
    workflow: &impl Workflow,
    transfer: &Transfer,
    now: Timestamp,
) -> Result<Done, TaskError> {
    match store.next_attempt(&transfer.transfer_id, transfer.attempt).await {
        Ok(next) => start(workflow, &next.transfer_id, next.attempt, now).await,
        // Ended meanwhile, or another sweep was first.
        Err(WriteError::Ended) => Ok(Done::Left(later(now, NEXT_SWEEP))),
        Err(error) => Err(error.into()),
    }
}

async fn start(
    workflow: &impl Workflow,
    id: &TransferId,
    attempt: u32,
    now: Timestamp,
) -> Result<Done, TaskError> {
    match workflow.start(id, attempt).await? {
        Start::Running => Ok(Done::Started),
        // It has come and gone already; the next sweep sees what it left.
        Start::Closed => Ok(Done::Left(later(now, NEXT_SWEEP))),
    }
}

//! Every minute: what was lost is started again or ended truthfully, and what was
//! left behind is removed.

use docferry_domain::{FailureCode, Transfer, TransferId};
use jiff::{SignedDuration, Timestamp};

use crate::finalize::{FinalizeSettings, Ports, finalize};
use crate::initiate::later;
use crate::ports::{
    Clock, Drive, Execution, Sealer, Staging, Start, TransferStore, Workflow, WriteError,
};
use crate::{TaskError, TaskInput};

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
    /// Transfers that could not be dealt with now; the next sweep tries again.
    pub failed: usize,
}

/// What was done, and when to look again.
enum Done {
    Left(Timestamp),
    Started,
    Finalized,
}

/// Looks at every unfinished transfer that is due, until `stop_at`. Each look puts
/// the next one off, so that what hangs does not keep the rest from being seen.
///
/// Two sweeps at once do no harm: every action is conditional or idempotent.
///
/// # Errors
/// Only when the index cannot be read; a transfer that fails is counted and left
/// for the next sweep.
pub async fn sweep<S, D, G, L, C>(
    ports: &Ports<'_, S, D, G, L, C>,
    workflow: &impl Workflow,
    settings: SweepSettings,
    stop_at: Timestamp,
) -> Result<Swept, TaskError>
where
    S: TransferStore,
    D: Drive,
    G: Staging,
    L: Sealer,
    C: Clock,
{
    let ids = ports.store.unfinished(ports.clock.now(), settings.batch).await?;
    let mut swept = Swept::default();
    for id in ids {
        if ports.clock.now() >= stop_at {
            break;
        }
        swept.seen += 1;
        let now = ports.clock.now();
        let due = match one(ports, workflow, settings, &id).await {
            Ok(Done::Left(due)) => due,
            Ok(Done::Started) => {
                swept.started += 1;
                later(now, NEXT_SWEEP)
            }
            Ok(Done::Finalized) => {
                swept.finalized += 1;
                later(now, NEXT_SWEEP)
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
        ports.store.postpone(&id, due).await?;
    }
    Ok(swept)
}

async fn one<S, D, G, L, C>(
    ports: &Ports<'_, S, D, G, L, C>,
    workflow: &impl Workflow,
    settings: SweepSettings,
    id: &TransferId,
) -> Result<Done, TaskError>
where
    S: TransferStore,
    D: Drive,
    G: Staging,
    L: Sealer,
    C: Clock,
{
    // The index may lag: the record decides.
    let now = ports.clock.now();
    let Some(transfer) = ports.store.get(id).await? else {
        return Ok(Done::Left(later(now, settings.look_again)));
    };
    let attempt = transfer.attempt;
    let end = async |failure: Option<FailureCode>| {
        let task = TaskInput { transfer_id: id.clone(), attempt };
        let name = failure.map(FailureCode::as_str);
        finalize(ports, settings.finalize, &task, name).await.map(|_| Done::Finalized)
    };
    if transfer.phase.is_terminal() {
        return end(None).await;
    }
    let last_moment = later(transfer.deadline, settings.overtime);
    if now >= last_moment {
        return end(Some(FailureCode::DeadlineExceeded)).await;
    }
    match workflow.look(id, attempt).await? {
        Execution::Running => Ok(Done::Left(last_moment.min(later(now, settings.look_again)))),
        // The record was written and the start was lost.
        Execution::Missing => start(workflow, id, attempt, now).await,
        // An ending was under way, or only the ending is missing.
        Execution::Closed
            if transfer.delivery.is_some()
                || transfer.ending.is_some()
                || transfer.cancel_requested =>
        {
            end(None).await
        }
        Execution::Closed if attempt < settings.max_attempts => {
            again(ports.store, workflow, &transfer, now).await
        }
        Execution::Closed => end(Some(FailureCode::Internal)).await,
    }
}

/// An execution ended without an ending of its transfer: the next one goes on
/// where it stopped. Names of executions are used once.
async fn again(
    store: &impl TransferStore,
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

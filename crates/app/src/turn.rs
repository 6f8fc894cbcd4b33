//! Moves bytes only in turn: `upload` behind the slots of its pool.

use docferry_domain::{Transfer, Turn};
use jiff::{SignedDuration, Timestamp};

use crate::admit::Admitter;
use crate::initiate::later;
use crate::ports::{
    ArtifactStore, Artifacts, Clock, Drive, FIRST_LOOK, Sealer, SlotStore, Staging, ThrottleBudget,
    TransferStore, Workflow,
};
use crate::publish::{Publish, publish};
use crate::task::{admit, load};
use crate::upload::{Progress, Upload, upload};
use crate::{TaskError, TaskInput};

/// A slot is kept through pauses up to this long: giving it back and asking for it
/// again costs more than it frees.
const SHORT_PAUSE_SECONDS: u32 = 10;

/// Longest pause between two looks whether a slot has become free. Nobody wakes a
/// workflow that waits, so this bounds how long a slot rests.
const LONGEST_LOOK_SECONDS: i64 = 15;

/// [`upload`], as soon as the transfer has a slot. Until then, and while the drive
/// asks for a long pause, it holds none and the workflow waits.
///
/// # Errors
/// As [`upload`].
pub async fn upload_in_turn<S, D, G, L, C, B, W, K>(
    ports: &Upload<S, D, G, L, C, B>,
    admitter: &Admitter<'_, S, W, K>,
    task: &TaskInput,
    deadline: Timestamp,
) -> Result<Progress, TaskError>
where
    S: TransferStore + SlotStore,
    D: Drive,
    G: Staging + 'static,
    L: Sealer,
    C: Clock,
    B: ThrottleBudget,
    W: Workflow,
    K: Clock,
{
    if let Some(seconds) = wait_for_turn(admitter, task).await? {
        return Ok(Progress::Wait { seconds });
    }
    let progress = upload(ports, task, deadline).await?;
    if let Progress::Wait { seconds } = progress
        && seconds > SHORT_PAUSE_SECONDS
    {
        step_aside(admitter, &load(&ports.store, task).await?).await;
    }
    Ok(progress)
}

/// [`publish`], as soon as the transfer has a slot. Until then it holds none and the
/// workflow waits.
///
/// # Errors
/// As [`publish`].
pub async fn publish_in_turn<S, G, A, C, W>(
    ports: &Publish<'_, S, G, A, C>,
    admitter: &Admitter<'_, S, W, C>,
    task: &TaskInput,
    deadline: Timestamp,
) -> Result<Progress, TaskError>
where
    S: TransferStore + SlotStore + ArtifactStore,
    G: Staging,
    A: Artifacts,
    C: Clock,
    W: Workflow,
{
    match wait_for_turn(admitter, task).await? {
        Some(seconds) => Ok(Progress::Wait { seconds }),
        None => publish(ports, task, deadline).await,
    }
}

/// Lets others go first while this transfer waits for something else than a slot.
/// Best effort: a slot that is kept is freed at the end.
pub(crate) async fn step_aside<S, W, C>(admitter: &Admitter<'_, S, W, C>, transfer: &Transfer)
where
    S: TransferStore + SlotStore,
    W: Workflow,
    C: Clock,
{
    if transfer.turn != Turn::Holding {
        return;
    }
    if let Err(error) = admitter.store.step_aside(transfer).await {
        let error = TaskError::from(error);
        let code = error.code.as_str();
        tracing::warn!(transfer.id = transfer.transfer_id.as_str(), error.code = code, "slot kept");
        return;
    }
    admitter.admit_or_leave(transfer.pool).await;
}

/// How long to wait, at least a second; `None` when the transfer has its turn.
async fn wait_for_turn<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    task: &TaskInput,
) -> Result<Option<u32>, TaskError>
where
    S: TransferStore + SlotStore,
    W: Workflow,
    C: Clock,
{
    let (store, now) = (admitter.store, admitter.clock.now());
    let transfer = load(store, task).await?;
    // Whoever has nothing to send needs no slot to say so.
    if transfer.turn == Turn::Holding || !sends(&transfer) {
        return Ok(None);
    }
    admit(&transfer, task.attempt, now)?;
    if let Some(resume_at) = transfer.resume_at.filter(|at| *at > now) {
        return Ok(Some(bounded(resume_at.duration_since(now), 60)));
    }
    store.enqueue(&transfer, later(now, FIRST_LOOK)).await?;
    admitter.admit(transfer.pool).await?;
    let transfer = load(store, task).await?;
    if transfer.turn == Turn::Holding {
        return Ok(None);
    }
    // Longer the longer it has waited, like the looks for the arrival.
    let since = transfer.object.as_ref().map_or(transfer.queue_time(), |object| object.arrived_at);
    Ok(Some(bounded(now.duration_since(since) / 2, LONGEST_LOOK_SECONDS)))
}

/// Whether there is anything to send.
fn sends(transfer: &Transfer) -> bool {
    transfer.delivery.is_none() && transfer.ending.is_none() && transfer.object.is_some()
}

fn bounded(wait: SignedDuration, at_most: i64) -> u32 {
    u32::try_from(wait.as_secs().clamp(1, at_most)).unwrap_or(1)
}

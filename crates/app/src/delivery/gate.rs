//! Gates of the steps that move bytes: `upload` and `publish` run only while the transfer holds
//! a slot of its pool.

use jiff::Timestamp;

use crate::delivery::publish::{Publish, publish};
use crate::delivery::upload::{Progress, Upload, upload};
use crate::ports::{
    ArtifactStore, Artifacts, Clock, Drive, ExchangeStore, Sealer, SlotStore, ThrottleBudget,
    TransferStore, Workflow,
};
use crate::slots::scheduler::SlotScheduler;
use crate::slots::wait::{release_slot, wait_for_slot};
use crate::task::load;
use crate::{TaskError, TaskInput};

/// Longest pause, in seconds, during which a transfer keeps its slot: releasing and requesting
/// a slot again costs more than a short pause frees.
const SHORT_PAUSE_SECONDS: u32 = 10;

/// Runs [`upload`] once the transfer holds a slot. Until then, and while the drive asks for a
/// long pause, it holds no slot and the workflow waits.
pub async fn upload_with_slot<S, D, G, L, C, B, W, K>(
    ports: &Upload<S, D, G, L, C, B>,
    scheduler: &SlotScheduler<'_, S, W, K>,
    task: &TaskInput,
    deadline: Timestamp,
) -> Result<Progress, TaskError>
where
    S: TransferStore + SlotStore,
    D: Drive,
    G: ExchangeStore + 'static,
    L: Sealer,
    C: Clock,
    B: ThrottleBudget,
    W: Workflow,
    K: Clock,
{
    if let Some(seconds) = wait_for_slot(scheduler, task).await? {
        return Ok(Progress::Wait { seconds });
    }
    let progress = upload(ports, task, deadline).await?;
    if let Progress::Wait { seconds } = progress
        && seconds > SHORT_PAUSE_SECONDS
    {
        release_slot(scheduler, &load(&ports.store, task).await?).await;
    }
    Ok(progress)
}

/// Runs [`publish`] once the transfer holds a slot. Until then the workflow waits.
pub async fn publish_with_slot<S, G, A, C, W>(
    ports: &Publish<'_, S, G, A, C>,
    scheduler: &SlotScheduler<'_, S, W, C>,
    task: &TaskInput,
    deadline: Timestamp,
) -> Result<Progress, TaskError>
where
    S: TransferStore + SlotStore + ArtifactStore,
    G: ExchangeStore,
    A: Artifacts,
    C: Clock,
    W: Workflow,
{
    match wait_for_slot(scheduler, task).await? {
        Some(seconds) => Ok(Progress::Wait { seconds }),
        None => publish(ports, task, deadline).await,
    }
}

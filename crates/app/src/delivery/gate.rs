//! Gates of the steps that move bytes: `upload` and `publish` run only while the transfer holds
//! a slot of its pool.

use jiff::Timestamp;

use crate::delivery::publish::{PublishPorts, publish};
use crate::delivery::upload::{Progress, UploadPorts, upload};
use crate::ports::{PublishAdapters, SlotAdapters, UploadAdapters};
use crate::slots::scheduler::SlotScheduler;
use crate::slots::wait::{release_slot, wait_for_slot};
use crate::task::load;
use crate::{TaskError, TaskInput};

/// Longest pause, in seconds, during which a transfer keeps its slot. During a shorter pause, it is
/// not worth the cost to release the slot and to request another one.
const SHORT_PAUSE_SECONDS: u32 = 10;

/// Runs [`upload`] if the transfer holds a slot. If it does not, the result asks the workflow to
/// wait. When the drive asks for a long pause, the transfer also releases its slot.
pub async fn upload_with_slot<P: UploadAdapters + SlotAdapters>(
    ports: &UploadPorts<P>,
    scheduler: &SlotScheduler<'_, P>,
    task: &TaskInput,
    deadline: Timestamp,
) -> Result<Progress, TaskError> {
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

/// Runs [`publish`] if the transfer holds a slot. If it does not, the result asks the workflow to
/// wait.
pub async fn publish_with_slot<P: PublishAdapters + SlotAdapters>(
    ports: &PublishPorts<'_, P>,
    scheduler: &SlotScheduler<'_, P>,
    task: &TaskInput,
    deadline: Timestamp,
) -> Result<Progress, TaskError> {
    match wait_for_slot(scheduler, task).await? {
        Some(seconds) => Ok(Progress::Wait { seconds }),
        None => publish(ports, task, deadline).await,
    }
}

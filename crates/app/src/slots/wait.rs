//! Waiting for a slot, and the release of a slot. A *slot* is the right of a transfer to move
//! bytes. A transfer releases its slot while it waits for its document or for the drive, and then
//! waits for another slot.

use docferry_domain::slots::SlotState;
use docferry_domain::transfer::Transfer;
use jiff::SignedDuration;

use crate::ports::{Clock, FIRST_CHECK_DELAY, SlotAdapters, SlotStore};
use crate::slots::scheduler::SlotScheduler;
use crate::task::{ensure_active, load};
use crate::time::saturating_add;
use crate::{TaskError, TaskInput};

/// Maximum interval, in seconds, between two checks for a granted slot. No call can wake up a
/// waiting workflow, so a granted slot may stay unused for this time.
const MAX_SLOT_CHECK_SECONDS: i64 = 15;

/// Maximum interval, in seconds, between two checks while the drive has asked for a pause.
const MAX_PAUSE_CHECK_SECONDS: i64 = 60;

/// Releases the slot of a transfer that waits for its document or for the drive. A failure is only
/// logged, because the slot is also freed at the end of the transfer.
pub(crate) async fn release_slot<P: SlotAdapters>(
    scheduler: &SlotScheduler<'_, P>,
    transfer: &Transfer,
) {
    if transfer.slot_state != SlotState::Holding {
        return;
    }
    if let Err(error) = scheduler.store.release_slot(transfer).await {
        let error = TaskError::from(error);
        let (id, code) = (transfer.transfer_id.as_str(), error.code.as_str());
        tracing::warn!(transfer.id = id, error.code = code, "slot not released");
        return;
    }
    scheduler.fill_slots_best_effort(transfer.pool).await;
}

/// Puts the transfer into the queue for a slot. Returns the seconds to wait before the next check,
/// at least 1; `None` when the transfer holds a slot or needs none.
pub(crate) async fn wait_for_slot<P: SlotAdapters>(
    scheduler: &SlotScheduler<'_, P>,
    task: &TaskInput,
) -> Result<Option<u32>, TaskError> {
    let (store, now) = (scheduler.store, scheduler.clock.now());
    let transfer = load(store, task).await?;
    // A transfer that has nothing to send needs no slot. Its next step finds out why.
    if transfer.slot_state == SlotState::Holding || !has_bytes_to_send(&transfer) {
        return Ok(None);
    }
    ensure_active(&transfer, task.execution_number, now)?;
    if let Some(resume_at) = transfer.resume_at.filter(|at| *at > now) {
        return Ok(Some(bounded_seconds(resume_at.duration_since(now), MAX_PAUSE_CHECK_SECONDS)));
    }
    store.enqueue(&transfer, saturating_add(now, FIRST_CHECK_DELAY)).await?;
    scheduler.fill_slots(transfer.pool).await?;
    let transfer = load(store, task).await?;
    if transfer.slot_state == SlotState::Holding {
        return Ok(None);
    }
    // The longer the transfer has waited, the longer is the interval until the next check.
    let since = transfer.object.as_ref().map_or(transfer.queue_time(), |object| object.arrived_at);
    Ok(Some(bounded_seconds(now.duration_since(since) / 2, MAX_SLOT_CHECK_SECONDS)))
}

/// Returns whether the transfer has bytes to send.
fn has_bytes_to_send(transfer: &Transfer) -> bool {
    transfer.delivery.is_none() && transfer.ending.is_none() && transfer.object.is_some()
}

/// Returns `wait` in seconds, at least 1 and at most `max_seconds`.
fn bounded_seconds(wait: SignedDuration, max_seconds: i64) -> u32 {
    u32::try_from(wait.as_secs().clamp(1, max_seconds)).unwrap_or(1)
}

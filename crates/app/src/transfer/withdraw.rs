//! End of a canceled transfer that has not begun, so that no workflow step would end it.

use docferry_domain::phase::Phase;
use docferry_domain::slots::SlotState;
use docferry_domain::transfer::{Outcome, Transfer};
use jiff::SignedDuration;

use crate::TaskError;
use crate::ports::{
    Clock, RecoveryStore as _, SlotAdapters, Store, TransferStore as _, WriteError,
};
use crate::slots::scheduler::SlotScheduler;
use crate::time::saturating_add;

/// Ends a transfer that has not begun as canceled. Returns whether the transfer has ended. Does
/// not end a transfer that has begun, because its next step notices the cancel request.
///
/// # Errors
/// The errors of the store. The sweeper then ends the transfer later.
pub(crate) async fn withdraw<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    record_ttl: SignedDuration,
    transfer: Transfer,
) -> Result<bool, TaskError> {
    let store = scheduler.store;
    let held_slot = transfer.slot_state == SlotState::Holding;
    let mut transfer = transfer;
    while transfer.phase == Phase::Accepted {
        let now = scheduler.clock.now();
        transfer = match store.finish(&transfer, Outcome::Canceled, now).await {
            Ok(transfer) => transfer,
            Err(WriteError::Ended) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
    }
    let has_ended = transfer.phase.is_terminal() && transfer.started_at.is_none();
    if has_ended {
        // If an earlier run has asked the source to push, the document may still arrive. The
        // sweeper watches for it, so the transfer is not cleaned up yet.
        if transfer.pushes == 0 {
            let purge_at = saturating_add(scheduler.clock.now(), record_ttl);
            store
                .mark_cleaned_up(&transfer.transfer_id, transfer.execution_number, purge_at)
                .await?;
        }
        if held_slot {
            scheduler.fill_slots_best_effort(transfer.pool).await;
        }
    }
    Ok(has_ended)
}

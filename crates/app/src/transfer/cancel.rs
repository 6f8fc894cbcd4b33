//! Cancellation of transfers at the request of their owner.

use std::collections::BTreeSet;

use docferry_domain::ids::TransferId;
use docferry_domain::phase::Phase;
use docferry_domain::slots::SlotState;
use docferry_domain::transfer::{Outcome, Transfer};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::SignedDuration;

use crate::TaskError;
use crate::batch::{PARALLEL_WRITES, advance_batch};
use crate::ports::{Clock, Store, Workflow, WriteError};
use crate::slots::scheduler::SlotScheduler;
use crate::time::saturating_add;

/// Requests the cancellation of transfers.
///
/// Cancellation is cooperative: the next step or checkpoint notices the request. Then nothing
/// more is delivered, and the transfer is cleaned up. A document that was already complete
/// stays at the destination, and its transfer ends as completed. A transfer that has not begun
/// is ended at once. Ids that are unknown, belong to another owner, or have ended are ignored.
///
/// # Errors
/// Those of the store, at the first id that fails; the call can be repeated.
pub async fn terminate<S, W, C>(
    scheduler: &SlotScheduler<'_, S, W, C>,
    record_ttl: SignedDuration,
    owner: &str,
    ids: &[TransferId],
) -> Result<(), TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let stop = async |id: &TransferId| {
        let Some(transfer) = scheduler.store.request_cancel(id, owner, u32::MAX).await? else {
            return Ok(None);
        };
        tracing::info!(transfer.id = id.as_str(), "cancel requested");
        let ended = Box::pin(withdraw(scheduler, record_ttl, transfer)).await?;
        Ok::<_, TaskError>(id.batch_and_number().filter(|_| ended).map(|(bundle, _)| bundle))
    };
    let bundles: Vec<Option<TransferId>> =
        stream::iter(ids).map(stop).buffer_unordered(PARALLEL_WRITES).try_collect().await?;
    let bundles: BTreeSet<_> = bundles.into_iter().flatten().collect();
    // A transfer that was ended here may be the last one that its batch was waiting for.
    for bundle in bundles {
        if let Err(error) = Box::pin(advance_batch(scheduler, record_ttl, &bundle)).await {
            // All cancel requests are recorded; `sweep` advances the batch later.
            let code = error.code.as_str();
            tracing::warn!(bundle.id = bundle.as_str(), error.code = code, "batch not advanced");
        }
    }
    Ok(())
}

/// Ends a transfer that has not begun, because none of its steps would notice the cancel
/// request. Returns `false` for one that has begun, which is left to its steps.
///
/// # Errors
/// Those of the store; `sweep` ends the transfer later.
pub(crate) async fn withdraw<S, W, C>(
    scheduler: &SlotScheduler<'_, S, W, C>,
    record_ttl: SignedDuration,
    transfer: Transfer,
) -> Result<bool, TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let store = scheduler.store;
    let held_slot = transfer.turn == SlotState::Holding;
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
        // If the source was ever asked to push, a late copy may arrive: `sweep` watches for it.
        if transfer.pushes == 0 {
            let purge_at = saturating_add(scheduler.clock.now(), record_ttl);
            store.mark_cleaned_up(&transfer.transfer_id, transfer.attempt, purge_at).await?;
        }
        if held_slot {
            scheduler.fill_slots_best_effort(transfer.pool).await;
        }
    }
    Ok(has_ended)
}

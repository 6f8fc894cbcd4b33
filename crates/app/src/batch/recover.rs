//! Recovery of batches whose processes died. The *sweeper*, the background repair that runs every
//! minute, calls this module.
//!
//! A batch is *committed* when all of its documents are recorded. Only then may its documents run.

use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::Outcome;
use futures::TryStreamExt as _;
use jiff::SignedDuration;

use crate::batch::advance::{advance_batch, end_batch};
use crate::batch::documents::{enqueue, pages};
use crate::ports::{BatchStore as _, Clock, SlotAdapters, Store};
use crate::slots::scheduler::SlotScheduler;
use crate::{StepOutcome, TaskError};

/// Age at which the sweeper ends a batch that is not committed. The process that was recording the
/// batch has died by then.
const ABANDONED_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// Advances a batch and repairs the effects of a crash. Ends an old batch that was never committed,
/// and queues the documents of a committed batch that are missing from the queue.
///
/// # Errors
/// The errors of [`advance_batch`].
pub(crate) async fn recover_batch<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    record_ttl: SignedDuration,
    id: &TransferId,
) -> Result<StepOutcome<()>, TaskError> {
    let (store, now) = (scheduler.store, scheduler.clock.now());
    let Some((batch, counts)) = store.batch(id).await? else { return Ok(StepOutcome::Done(())) };
    if batch.phase == Phase::Accepted {
        if now.duration_since(batch.created_at) > ABANDONED_AFTER {
            let outcome = Outcome::Failed(FailureCode::Internal);
            end_batch(scheduler, record_ttl, &batch, &counts, outcome).await?;
        }
        return Ok(StepOutcome::Done(()));
    }
    let advanced = advance_batch(scheduler, record_ttl, id).await?;
    if let StepOutcome::RetryLater { .. } = advanced {
        return Ok(advanced);
    }
    let mut pages = std::pin::pin!(pages(store, &batch));
    while let Some(page) = pages.try_next().await? {
        enqueue(scheduler, &page).await?;
    }
    Ok(StepOutcome::Done(()))
}

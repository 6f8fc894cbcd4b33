//! Progress of batches. A *batch* is a job that delivers many documents, each of which is a
//! transfer.
//!
//! To *advance* a batch is to do all of this that is due:
//!
//! 1. Restart documents, if the owner has retried the batch.
//! 2. Stop documents, if the owner has canceled the batch or a document has failed.
//! 3. End the batch, if all of its documents have ended.
//!
//! The step `finalize` advances the batch of each document that it ends. The *sweeper*, the
//! background repair that runs every minute, advances batches that could not be advanced then.

use docferry_domain::ids::TransferId;
use docferry_domain::job::{Batch, BatchCounts};
use docferry_domain::transfer::Outcome;
use futures::{TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};

use crate::batch::documents::{PARALLEL_WRITES, pages};
use crate::batch::resume::resume_documents;
use crate::ports::{
    BatchStore as _, Clock, FIRST_CHECK_DELAY, JobStore as _, SlotAdapters, Store,
    TransferStore as _,
};
use crate::slots::scheduler::SlotScheduler;
use crate::time::saturating_add;
use crate::transfer::withdraw::withdraw;
use crate::{StepOutcome, TaskError};

/// Requests the cancellation of all documents of a batch. Delivered documents stay.
///
/// Returns `false` if the batch does not exist, has ended, or belongs to another owner.
///
/// # Errors
/// The errors of the store. If the call fails after it has recorded the cancel request, the sweeper
/// completes the cancellation.
pub async fn cancel_batch<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    record_ttl: SignedDuration,
    owner: &str,
    id: &TransferId,
) -> Result<bool, TaskError> {
    let due = saturating_add(scheduler.clock.now(), FIRST_CHECK_DELAY);
    if scheduler.store.cancel_batch(id, owner, due).await?.is_none() {
        return Ok(false);
    }
    // If the batch cannot be advanced yet, the sweeper advances it later.
    let _outcome = advance_batch(scheduler, record_ttl, id).await?;
    Ok(true)
}

/// Advances a batch. Returns [`StepOutcome::RetryLater`] if a document cannot be restarted yet.
///
/// # Errors
/// The errors of the store. The call can be repeated.
pub(crate) async fn advance_batch<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    record_ttl: SignedDuration,
    id: &TransferId,
) -> Result<StepOutcome<()>, TaskError> {
    let store = scheduler.store;
    let mut read = store.batch(id).await?;
    if let Some((batch, counts)) = read.as_ref().filter(|(batch, _)| batch.resuming) {
        // The counts include deliveries that are no longer available. `resume_documents` checks
        // each delivery.
        if batch.cancel_requested && counts.completed < batch.documents {
            // No further document is restarted. Documents that were restarted are stopped below.
            store.mark_documents_resumed(id, batch.retries).await?;
        } else {
            let resumed = resume_documents(scheduler, record_ttl, batch).await?;
            if let StepOutcome::RetryLater { .. } = resumed {
                return Ok(resumed);
            }
        }
        read = store.batch(id).await?;
    }
    if let Some((batch, _)) = read.as_ref().filter(|(batch, counts)| batch.stops(counts)) {
        stop_documents(scheduler, record_ttl, batch).await?;
        store.documents_stopped(id, batch.retries).await?;
        read = store.batch(id).await?;
    }
    if let Some((batch, counts)) = read
        && let Some(outcome) = batch.outcome(&counts)
        && !batch.phase.is_terminal()
    {
        end_batch(scheduler, record_ttl, &batch, &counts, outcome).await?;
    }
    Ok(StepOutcome::Done(()))
}

/// Requests the cancellation of all documents that have not ended.
async fn stop_documents<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    record_ttl: SignedDuration,
    batch: &Batch,
) -> Result<(), TaskError> {
    let mut pages = std::pin::pin!(pages(scheduler.store, batch));
    while let Some(page) = pages.try_next().await? {
        let active = page.into_iter().filter(|document| !document.phase.is_terminal());
        stream::iter(active.map(Ok::<_, TaskError>))
            .try_for_each_concurrent(PARALLEL_WRITES, async |document| {
                let id = &document.transfer_id;
                // The request applies only to this run, so that a slow call cannot cancel documents
                // of the next run.
                let stopped = scheduler.store.request_cancel(id, &batch.spec.owner, batch.retries);
                match stopped.await? {
                    Some(document) => withdraw(scheduler, record_ttl, document).await.map(drop),
                    None => Ok(()),
                }
            })
            .await?;
    }
    Ok(())
}

/// Ends a batch with this outcome.
pub(super) async fn end_batch<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    record_ttl: SignedDuration,
    batch: &Batch,
    counts: &BatchCounts,
    outcome: Outcome,
) -> Result<(), TaskError> {
    let now: Timestamp = scheduler.clock.now();
    let purge_at = saturating_add(now, record_ttl);
    Ok(scheduler.store.end_batch(batch, counts, outcome, now, purge_at).await?)
}

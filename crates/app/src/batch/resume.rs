//! Restart of the documents of a batch for its next run.

use docferry_domain::job::Batch;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Delivery, Target, Transfer};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};

use crate::batch::documents::{enqueue, pages};
use crate::ports::{Clock, FIRST_CHECK_DELAY, JobStore as _, SlotAdapters, Store};
use crate::slots::scheduler::SlotScheduler;
use crate::time::saturating_add;
use crate::{RetryReason, StepOutcome, TaskError};

/// Number of documents that are restarted in parallel. Each restart is a transaction that
/// writes the batch's counts and checks that the batch is resuming. Of two concurrent DynamoDB
/// transactions that touch the same item, one is refused; more parallelism would only cause
/// conflicts, among themselves and with a cancel request.
const PARALLEL_RESTARTS: usize = 2;

/// Restarts the documents of a batch that were not delivered, or whose delivery is not
/// available any more. Can be interrupted and repeated: documents that were already restarted
/// are recognized by their number of retries.
///
/// Returns [`StepOutcome::RetryLater`] while a document is not settled, or when the batch is
/// not resuming any more.
///
/// # Errors
/// Those of the store.
pub(crate) async fn resume_documents<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    record_ttl: SignedDuration,
    bundle: &Batch,
) -> Result<StepOutcome<()>, TaskError> {
    let (store, now) = (scheduler.store, scheduler.clock.now());
    let purge_at = saturating_add(bundle.keep_until.unwrap_or(now), record_ttl);
    let mut unsettled = 0_usize;
    let mut pages = std::pin::pin!(pages(store, bundle));
    while let Some(page) = pages.try_next().await? {
        let restarted: Vec<Transfer> = stream::iter(page)
            .map(|document| restart(store, bundle, document, purge_at, now))
            .buffer_unordered(PARALLEL_RESTARTS)
            .try_filter_map(|resumed| {
                unsettled += usize::from(matches!(resumed, Resumed::Unsettled));
                std::future::ready(Ok(match resumed {
                    Resumed::Restarted(transfer) => Some(*transfer),
                    Resumed::Unchanged | Resumed::Unsettled => None,
                }))
            })
            .try_collect()
            .await?;
        // When the batch is canceled, the restarted documents are stopped instead of queued.
        if !bundle.cancel_requested {
            enqueue(scheduler, &restarted).await?;
        }
    }
    if unsettled > 0 {
        return Ok(StepOutcome::RetryLater { reason: RetryReason::CleanupUnfinished });
    }
    store.mark_documents_resumed(&bundle.bundle_id, bundle.retries).await?;
    Ok(StepOutcome::Done(()))
}

/// Result of resuming one document.
enum Resumed {
    /// It runs again, with this record.
    Restarted(Box<Transfer>),
    /// It keeps its delivery, or was already restarted.
    Unchanged,
    /// Its last run is not cleaned up yet, or its record has changed.
    Unsettled,
}

/// Restarts a document, unless its delivery is still available.
async fn restart<S: Store>(
    store: &S,
    bundle: &Batch,
    document: Transfer,
    purge_at: Timestamp,
    now: Timestamp,
) -> Result<Resumed, TaskError> {
    let keep_until = bundle.keep_until.unwrap_or(now);
    if document.retries >= bundle.retries || !document.phase.is_terminal() {
        return Ok(Resumed::Unchanged);
    }
    if document.phase == Phase::Completed && retain_delivery(store, &document, keep_until).await? {
        store.extend_retention(&document.transfer_id, keep_until, purge_at).await?;
        return Ok(Resumed::Unchanged);
    }
    if !document.settled {
        // A document that had begun is settled by `finalize`.
        if document.pushes > 0 || document.started_at.is_some() {
            return Ok(Resumed::Unsettled);
        }
        // It had not begun, so there is nothing to clean up. It is unsettled because the
        // process that ended it died, or because it was never queued.
        store.mark_settled(&document.transfer_id, document.attempt).await?;
    }
    let deadline = bundle.deadline.unwrap_or(keep_until);
    let next_run = document.clone().for_retry_at(now, deadline, Some(keep_until));
    // The document may have skipped earlier runs, in which it kept its delivery.
    let next_run = Transfer { retries: bundle.retries, ..next_run };
    let started = store
        .restart_transfer(&document, &next_run, saturating_add(now, FIRST_CHECK_DELAY))
        .await?;
    Ok(if started { Resumed::Restarted(Box::new(next_run)) } else { Resumed::Unsettled })
}

/// Retains a document's delivery until `until`. Returns `false` when it is not available any
/// more.
async fn retain_delivery<S: Store>(
    store: &S,
    document: &Transfer,
    until: Timestamp,
) -> Result<bool, TaskError> {
    match (&document.target, &document.delivery) {
        (Target::Onedrive(_), _) => Ok(true),
        (Target::Download(_), Some(Delivery::Download(artifact))) => {
            Ok(store.retain_artifact(&artifact.key, until).await?)
        }
        (Target::Download(_), _) => Ok(false),
    }
}

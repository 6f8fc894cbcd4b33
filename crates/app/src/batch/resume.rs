//! Restart of the documents of a batch after its owner has retried the batch.
//!
//! The retry is another *run* of the batch. A document takes part in this run if it has no
//! available delivery. `retries` is the number of runs after the first one. A batch is *resuming*
//! until all such documents are restarted.

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

/// Number of documents that are restarted in parallel. Each restart is a transaction that writes
/// the counts of the batch. DynamoDB rejects one of two concurrent transactions that use the same
/// item, so more parallelism would cause conflicts.
const PARALLEL_RESTARTS: usize = 2;

/// Restarts the documents of a batch without an available delivery. The call can be interrupted and
/// repeated: the number of retries of a document shows whether the document was already restarted.
///
/// Returns [`StepOutcome::RetryLater`] if a document cannot be restarted yet, because its last run
/// is not cleaned up or its record has changed.
///
/// # Errors
/// The errors of the store.
pub(crate) async fn resume_documents<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    record_ttl: SignedDuration,
    batch: &Batch,
) -> Result<StepOutcome<()>, TaskError> {
    let (store, now) = (scheduler.store, scheduler.clock.now());
    let purge_at = saturating_add(batch.spec.retain_until.unwrap_or(now), record_ttl);
    let mut unsettled_documents = 0_usize;
    let mut pages = std::pin::pin!(pages(store, batch));
    while let Some(page) = pages.try_next().await? {
        let restarted: Vec<Transfer> = stream::iter(page)
            .map(|document| restart_document(store, batch, document, purge_at, now))
            .buffer_unordered(PARALLEL_RESTARTS)
            .try_filter_map(|result| {
                unsettled_documents += usize::from(matches!(result, ResumeResult::Unsettled));
                std::future::ready(Ok(match result {
                    ResumeResult::Restarted(transfer) => Some(*transfer),
                    ResumeResult::Unchanged | ResumeResult::Unsettled => None,
                }))
            })
            .try_collect()
            .await?;
        // When the batch is canceled, the restarted documents are stopped instead of queued.
        if !batch.cancel_requested {
            enqueue(scheduler, &restarted).await?;
        }
    }
    if unsettled_documents > 0 {
        return Ok(StepOutcome::RetryLater { reason: RetryReason::CleanupUnfinished });
    }
    store.mark_documents_resumed(&batch.batch_id, batch.retries).await?;
    Ok(StepOutcome::Done(()))
}

/// Result of resuming one document.
enum ResumeResult {
    /// The document runs again; this is its new record.
    Restarted(Box<Transfer>),
    /// The document keeps its delivery, or was already restarted.
    Unchanged,
    /// The document cannot run again yet: its last run is not cleaned up, or its record has
    /// changed.
    Unsettled,
}

/// Restarts a document, unless its delivery is still available.
async fn restart_document<S: Store>(
    store: &S,
    batch: &Batch,
    document: Transfer,
    purge_at: Timestamp,
    now: Timestamp,
) -> Result<ResumeResult, TaskError> {
    let retain_until = batch.spec.retain_until.unwrap_or(now);
    if document.retries >= batch.retries || !document.phase.is_terminal() {
        return Ok(ResumeResult::Unchanged);
    }
    if document.phase == Phase::Completed && retain_delivery(store, &document, retain_until).await?
    {
        store.extend_retention(&document.transfer_id, retain_until, purge_at).await?;
        return Ok(ResumeResult::Unchanged);
    }
    if !document.closed {
        // The step `finalize` cleans up after a document that had begun.
        if document.pushes > 0 || document.started_at.is_some() {
            return Ok(ResumeResult::Unsettled);
        }
        // The document had not begun, so there is nothing to clean up. It was not marked as closed,
        // because it was never queued or because the process that ended it died.
        store.mark_closed(&document.transfer_id, document.execution_number).await?;
    }
    let deadline = batch.deadline.unwrap_or(retain_until);
    let next_run = document.clone().for_retry_at(now, deadline, Some(retain_until));
    // The document may have taken no part in earlier retries, so its own number may be lower.
    let mut next_run = Transfer { retries: batch.retries, ..next_run };
    next_run.audit.origin = batch.retry_origin.clone();
    let started = store
        .restart_transfer(&document, &next_run, saturating_add(now, FIRST_CHECK_DELAY))
        .await?;
    Ok(if started { ResumeResult::Restarted(Box::new(next_run)) } else { ResumeResult::Unsettled })
}

/// Retains a document's delivery until `until`. Returns `false` if the delivery is no longer
/// available. A delivery to OneDrive always stays available.
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

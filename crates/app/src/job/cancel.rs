//! Cancellation of jobs and transfers at the request of their owner.
//!
//! A *job* is one transfer, or a *batch* of many transfers. Cancellation is cooperative: this
//! module records a cancel request, and the next step or checkpoint of a transfer notices it.

use std::collections::BTreeSet;

use docferry_domain::ids::TransferId;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::SignedDuration;

use crate::TaskError;
use crate::batch::{PARALLEL_WRITES, advance_batch, cancel_batch};
use crate::job::get::{Job, job_without_documents};
use crate::ports::{SlotAdapters, Store, TransferStore as _};
use crate::slots::scheduler::SlotScheduler;
use crate::transfer::withdraw::withdraw;

/// Result of a cancel request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelResult {
    /// The cancel request is recorded.
    Asked,
    /// The job has already ended.
    Ended,
    /// There is no such job.
    Unknown,
}

/// Requests the cancellation of a job of one or many documents.
///
/// # Errors
/// The errors of the store. The call can be repeated.
pub async fn cancel_job<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    record_ttl: SignedDuration,
    owner: &str,
    id: &TransferId,
) -> Result<CancelResult, TaskError> {
    match job_without_documents(scheduler.store, scheduler.clock, record_ttl, owner, id).await? {
        None => Ok(CancelResult::Unknown),
        Some(job) if job.phase().is_terminal() => Ok(CancelResult::Ended),
        Some(Job::One(_)) => {
            terminate(scheduler, record_ttl, owner, std::slice::from_ref(id)).await?;
            Ok(CancelResult::Asked)
        }
        Some(Job::Many { .. }) => {
            cancel_batch(scheduler, record_ttl, owner, id).await?;
            Ok(CancelResult::Asked)
        }
    }
}

/// Requests the cancellation of transfers. Ignores ids of unknown transfers, of ended transfers and
/// of transfers of other owners.
///
/// - A transfer that has not begun is ended at once.
/// - A transfer that is running stops at its next step or checkpoint.
/// - If the document is already complete at its destination, it stays there, and the transfer ends
///   as completed.
///
/// # Errors
/// The first error of the store. The call can be repeated.
pub async fn terminate<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    record_ttl: SignedDuration,
    owner: &str,
    ids: &[TransferId],
) -> Result<(), TaskError> {
    // The request applies to the current run of a transfer, whatever its number.
    let last_run = u32::MAX;
    let stop = async |id: &TransferId| {
        let Some(transfer) = scheduler.store.request_cancel(id, owner, last_run).await? else {
            return Ok(None);
        };
        tracing::info!(transfer.id = id.as_str(), "cancel requested");
        let ended = Box::pin(withdraw(scheduler, record_ttl, transfer)).await?;
        Ok::<_, TaskError>(id.batch_and_number().filter(|_| ended).map(|(batch, _)| batch))
    };
    let batches: Vec<Option<TransferId>> =
        stream::iter(ids).map(stop).buffer_unordered(PARALLEL_WRITES).try_collect().await?;
    let batches: BTreeSet<_> = batches.into_iter().flatten().collect();
    // A transfer that was ended here may be the last one that its batch was waiting for.
    for batch in batches {
        if let Err(error) = Box::pin(advance_batch(scheduler, record_ttl, &batch)).await {
            // All cancel requests are recorded; `sweep` advances the batch later.
            let code = error.code.as_str();
            tracing::warn!(batch.id = batch.as_str(), error.code = code, "batch not advanced");
        }
    }
    Ok(())
}

//! Step `finalize`, the final step of every transfer. It ends the transfer and cleans up after it.
//!
//! The workflow calls [`finalize`] as its last step. The *sweeper*, the background repair, calls it
//! for a transfer whose workflow died. The step does this, in this order:
//!
//! 1. It closes the upload, so that no more bytes are sent.
//! 2. It *ends* the transfer: it writes the terminal phase, which is completed, failed or canceled.
//!    Only this module does that. The transaction frees the *slot*, the right to move bytes.
//! 3. It grants the freed slot to the next transfer in the queue, and advances the batch of the
//!    transfer.
//! 4. It cleans up: it deletes the upload session and the *source copy*, which is the object of the
//!    document in the exchange bucket. Several transfers of the document may share this copy.
//!
//! An *execution* is one run of the workflow for a transfer.

mod close_upload;
mod release;
mod types;

use docferry_domain::failure::FailureCode;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Outcome, Target, Transfer};

use crate::batch::advance_batch;
use crate::delivery::artifact::{artifact_key, discard, has_delivered};
use crate::ports::{
    Artifacts, Clock, FinishAdapters, RecoveryStore as _, TransferStore as _, WorkItem, WriteError,
};
use crate::slots::scheduler::SlotScheduler;
use crate::task::load;
use crate::time::saturating_add;
use crate::{StepOutcome, TaskError, TaskInput};

use close_upload::{close_session, close_upload};
pub(crate) use release::next_check;
use release::release_source;
pub use types::{FinalizeSettings, FinishPorts};

/// Ends a transfer and cleans up after it. Returns the phase of the transfer.
///
/// `stopped_by` is the name of the error that stopped the workflow; `None` after the last step. If
/// that error says that a newer invocation has taken over, this function does not end the transfer.
/// The newer invocation or the sweeper ends it.
///
/// The function can be called any number of times. The first call decides the outcome, and each
/// call repeats the clean-up until it has succeeded.
///
/// # Errors
/// A retryable code if the store, the drive or the exchange bucket does not respond. The transfer
/// may already have ended, so that only the clean-up is missing. After its deadline, a transfer
/// ends even if the drive or the exchange bucket does not respond.
pub async fn finalize<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    scheduler: &SlotScheduler<'_, P>,
    settings: FinalizeSettings,
    task: &TaskInput,
    stopped_by: Option<&str>,
) -> Result<StepOutcome<Phase>, TaskError> {
    let transfer = match end_transfer(ports, task, stopped_by).await? {
        StepOutcome::Done(transfer) => transfer,
        StepOutcome::RetryLater { reason } => return Ok(StepOutcome::RetryLater { reason }),
    };
    if !transfer.phase.is_terminal() {
        return Ok(StepOutcome::Done(transfer.phase));
    }
    scheduler.fill_slots_best_effort(transfer.pool).await;
    // This result is returned only after the clean-up below, because the batch may be waiting for
    // that clean-up.
    let batch_result = match task.transfer_id.batch_and_number() {
        Some((batch, _)) => advance_batch(scheduler, settings.record_ttl, &batch).await,
        None => Ok(StepOutcome::Done(())),
    };
    match transfer.target {
        // `close_upload` has already closed a session. An invocation that was still running may
        // have stored another session since then.
        Target::Onedrive(_) => close_session(ports, task, &transfer).await?,
        Target::Download(_) => withdraw_artifact(ports, &transfer).await?,
    }
    let (id, execution_number) = (&task.transfer_id, transfer.execution_number);
    if release_source(ports, settings, &transfer).await? {
        let purge_at = saturating_add(ports.clock.now(), settings.record_ttl);
        ports.store.mark_cleaned_up(id, execution_number, purge_at).await?;
    } else {
        if !transfer.closed {
            ports.store.mark_closed(id, execution_number).await?;
        }
        let next = next_check(&transfer, ports.clock.now());
        ports.store.reschedule(&WorkItem::Transfer(id.clone()), next).await?;
    }
    Ok(batch_result?.map(|()| transfer.phase))
}

/// Removes the objects and multipart uploads of a download from the delivery bucket, except for
/// the object that was delivered.
async fn withdraw_artifact<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    transfer: &Transfer,
) -> Result<(), TaskError> {
    let key = artifact_key(transfer);
    // A transfer writes to the delivery bucket only after its document has arrived. A delivery
    // without an arrived object is therefore a reused artifact.
    let is_reused = transfer.delivery.is_some() && transfer.object.is_none();
    if is_reused || has_delivered(transfer, &key) {
        // The delivery stays, but a second invocation may have left another multipart upload.
        return Ok(ports.artifacts.abort(&key).await?);
    }
    discard(ports.store, ports.artifacts, &key).await
}

/// Closes the upload and ends the transfer. Returns the current record of the transfer.
///
/// Does not end the transfer if it has ended, has a newer execution, or was taken over by a newer
/// invocation.
async fn end_transfer<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    task: &TaskInput,
    stopped_by: Option<&str>,
) -> Result<StepOutcome<Transfer>, TaskError> {
    let id = &task.transfer_id;
    let mut transfer = load(ports.store, task).await?;
    let codes_of_superseded_steps = [FailureCode::Superseded, FailureCode::AlreadyEnded];
    if stopped_by
        .is_some_and(|name| codes_of_superseded_steps.iter().any(|code| code.as_str() == name))
    {
        return Ok(StepOutcome::Done(transfer));
    }
    let is_active = |transfer: &Transfer| {
        !transfer.phase.is_terminal() && transfer.execution_number == task.execution_number
    };
    // Failure code if a file at the destination may be the document but cannot be compared.
    let mut unverified = None;
    if is_active(&transfer) && transfer.delivery.is_none() {
        let reason = match Outcome::decide(&transfer, stopped_by) {
            Outcome::Failed(code) => code,
            Outcome::Canceled | Outcome::Completed => FailureCode::Canceled,
        };
        // From here on no new work begins, but a delivery in progress may still complete.
        transfer = match ports.store.begin_ending(id, task.execution_number, reason).await {
            Ok(transfer) => transfer,
            Err(WriteError::Ended) => load(ports.store, task).await?,
            Err(error) => return Err(error.into()),
        };
        if is_active(&transfer) && transfer.delivery.is_none() && transfer.target.drive().is_some()
        {
            match Box::pin(close_upload(ports, task, &transfer)).await? {
                StepOutcome::Done(code) => unverified = code,
                StepOutcome::RetryLater { reason } => {
                    return Ok(StepOutcome::RetryLater { reason });
                }
            }
        }
    }
    // `finish` changes nothing if the record has changed since it was read. The loop then decides
    // the outcome again.
    while is_active(&transfer) {
        transfer = load(ports.store, task).await?;
        if !is_active(&transfer) {
            break;
        }
        let outcome = Outcome::decide(&transfer, stopped_by).or_unverified(unverified);
        transfer = match ports.store.finish(&transfer, outcome, ports.clock.now()).await {
            Ok(transfer) => transfer,
            Err(WriteError::Ended) => load(ports.store, task).await?,
            Err(error) => return Err(error.into()),
        };
    }
    Ok(StepOutcome::Done(transfer))
}

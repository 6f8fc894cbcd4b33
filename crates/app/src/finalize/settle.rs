//! Before the end: nothing may land afterwards, and what did land counts.

use docferry_domain::{DeliveredItem, SourceHash, Transfer, Verdict, verify_delivery};

use super::Ports;
use crate::ports::{
    Clock, Destination, Drive, SealError, Sealer, SessionEnd, SessionRecord, Staging, StagingError,
    TransferStore, WriteError,
};
use crate::upload::SourceObject;
use crate::{RetryReason, StepOutcome, TaskError, TaskInput};

/// How much of the source is read, at most, to see whether a file at the
/// destination is ours: what an invocation of `upload` may have left unhashed.
const LARGEST_GAP_BYTES: u64 = 128 * 1024 * 1024;

/// Closes what is open, so that no fragment lands after the end, and looks
/// whether the document is complete after all.
pub(super) async fn settle<S, D, G, L, A, C>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    task: &TaskInput,
    transfer: &Transfer,
) -> Result<StepOutcome<()>, TaskError>
where
    S: TransferStore,
    D: Drive,
    G: Staging,
    L: Sealer,
    C: Clock,
{
    let in_time = || ports.clock.now() < transfer.must_end_by();
    let settled = async {
        // A PUT cannot be closed. While one may be under way, looking is too early.
        let putting_until = transfer.checkpoint.as_ref().and_then(|kept| kept.putting_until);
        if putting_until.is_some_and(|until| until > ports.clock.now()) {
            return Ok(StepOutcome::RetryLater { reason: RetryReason::PutInFlight });
        }
        let session = ports.store.session(&task.transfer_id).await?;
        // A session that was open cannot have been completed. Any other answer
        // proves nothing: a deletion whose answer was lost looks the same.
        match &session {
            Some(record) if delete(ports, task, record).await? == SessionEnd::Deleted => {}
            _ => adopt(ports, transfer, session.is_some()).await?,
        }
        // Kept until here: it says that there was one, should this be interrupted.
        forget(ports, task, session).await.map(StepOutcome::Done)
    };
    // A permanent failure, or one that lasts beyond the deadline, does not keep the
    // transfer from ending: `sweep` goes on with the clean-up.
    let skipped = match settled.await {
        Ok(StepOutcome::RetryLater { reason }) if !in_time() => reason.as_str(),
        Err(error) if !(error.code.is_retryable() && in_time()) => error.code.as_str(),
        settled => return settled,
    };
    tracing::warn!(
        transfer.id = task.transfer_id.as_str(),
        error.code = skipped,
        "transfer ended without a look at the destination"
    );
    Ok(StepOutcome::Done(()))
}

/// Ends the stored session, if there is one.
pub(super) async fn close_session<S, D, G, L, A, C>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    task: &TaskInput,
    ended: &Transfer,
) -> Result<(), TaskError>
where
    S: TransferStore,
    D: Drive,
    L: Sealer,
{
    // That of a later epoch belongs to a later run, which began meanwhile.
    let session = ports.store.session(&task.transfer_id).await?;
    let session = session.filter(|record| record.epoch <= ended.epoch);
    if let Some(record) = &session {
        delete(ports, task, record).await?;
    }
    forget(ports, task, session).await
}

async fn delete<S, D, G, L, A, C>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    task: &TaskInput,
    record: &SessionRecord,
) -> Result<SessionEnd, TaskError>
where
    D: Drive,
    L: Sealer,
{
    match ports.sealer.open(&task.transfer_id, &record.session.sealed_url).await {
        Ok(url) => Ok(ports.drive.delete_session(&url).await?),
        // Lost to us; the drive forgets it by itself within minutes.
        Err(SealError::Unreadable) => Ok(SessionEnd::AlreadyGone),
        Err(error) => Err(error.into()),
    }
}

async fn forget<S, D, G, L, A, C>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    task: &TaskInput,
    session: Option<SessionRecord>,
) -> Result<(), TaskError>
where
    S: TransferStore,
{
    if let Some(record) = session {
        ports.store.drop_session(&task.transfer_id, record.epoch).await?;
    }
    Ok(())
}

/// The document may be complete though the answer was lost. Then the file stays,
/// and the transfer says so.
async fn adopt<S, D, G, L, A, C>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    transfer: &Transfer,
    had_session: bool,
) -> Result<(), TaskError>
where
    S: TransferStore,
    D: Drive,
    G: Staging,
{
    let (Some(destination), Some(object)) = (Destination::of(transfer), SourceObject::of(transfer))
    else {
        return Ok(());
    };
    let began = had_session || transfer.checkpoint.as_ref().is_some_and(|c| c.sessions > 0);
    if !began {
        return Ok(());
    }
    let mut hash = SourceHash::resume(transfer.checkpoint.as_ref().map(|c| &c.hash));
    if object.size().saturating_sub(hash.hashed_to()) > LARGEST_GAP_BYTES {
        return Ok(());
    }
    let Some(item) = ports.drive.find(&destination).await? else { return Ok(()) };
    if item.facts.size != object.size() {
        return Ok(());
    }
    match object.hash_up_to(ports.staging, &mut hash, object.size()).await {
        Ok(()) => {}
        Err(error @ StagingError::Unavailable(_)) => return Err(error.into()),
        // The source is not there to compare with: nothing can be claimed.
        Err(_) => return Ok(()),
    }
    if verify_delivery(&hash, &destination.name, &item.facts, false) != Verdict::Same {
        return Ok(());
    }
    let item = DeliveredItem {
        item_id: item.id,
        size: item.facts.size,
        quick_xor_hash: hash.digest(),
        rewritten: false,
        web_url: item.web_url,
    };
    // Nobody claims a transfer that is being ended, so the epoch stands still.
    let id = &transfer.transfer_id;
    match ports.store.record_delivery(id, transfer.epoch, &item.into()).await {
        Ok(()) | Err(WriteError::Ended) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

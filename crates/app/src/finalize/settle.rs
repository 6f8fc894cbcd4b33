//! Before the end: nothing may land afterwards, and what did land counts.

use std::ops::Range;

use docferry_domain::{Checkpoint, FailureCode, SourceHash, Transfer};
use jiff::{SignedDuration, Timestamp};

use super::Ports;
use crate::initiate::later;
use crate::ports::{
    Clock, Destination, Drive, SealError, Sealer, SessionEnd, SessionRecord, Staging, StagingError,
    TransferStore, WriteError,
};
use crate::upload::{Compared, Comparison, ComparisonError, LastByte, SourceObject, files_under};
use crate::{RetryReason, StepOutcome, TaskError, TaskInput};

/// How much of the source is read, at most, to see whether a file at the
/// destination is ours: what an invocation of `upload` may have left unhashed.
const LARGEST_GAP_BYTES: u64 = 128 * 1024 * 1024;

/// How long after the last checkpoint an ending waits for a hash.
const HASH_WAIT: SignedDuration = SignedDuration::from_secs(120);

/// Closes what is open, so that no fragment lands after the end, and looks
/// whether the document is complete after all.
///
/// Returns a failure code when a file at the destination may be the document and cannot be
/// compared: the ending must not deny it.
pub(super) async fn settle<S, D, G, L, A, C>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    task: &TaskInput,
    transfer: &Transfer,
) -> Result<StepOutcome<Option<FailureCode>>, TaskError>
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
        let look = match &session {
            Some(record) if delete(ports, task, record).await? == SessionEnd::Deleted => {
                Look::Certain
            }
            _ => adopt(ports, transfer, session.is_some()).await?,
        };
        let unverified = match look {
            Look::HashPending if is_hash_expected(transfer, ports.clock.now()) => {
                return Ok(StepOutcome::RetryLater { reason: RetryReason::HashPending });
            }
            Look::HashPending => Some(FailureCode::HashNotComputed),
            Look::Unproven => Some(FailureCode::DestinationRewritten),
            Look::Certain => None,
        };
        // Kept until here: it says that there was one, should this be interrupted.
        forget(ports, task, session).await?;
        Ok::<_, TaskError>(StepOutcome::Done(unverified))
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
    Ok(StepOutcome::Done(None))
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

/// Result of a look at the destination before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// The document is there and recorded, or nothing there can be it.
    Certain,
    /// A file may be the document; the service has not computed its hash yet.
    HashPending,
    /// A file may be the document, and cannot be compared.
    Unproven,
}

/// Records the document as delivered if it is at the destination: it may be complete
/// though the answer to its last byte was lost. Then the file stays.
async fn adopt<S, D, G, L, A, C>(
    ports: &Ports<'_, S, D, G, L, A, C>,
    transfer: &Transfer,
    had_session: bool,
) -> Result<Look, TaskError>
where
    S: TransferStore,
    D: Drive,
    G: Staging,
{
    let (Some(destination), Some(object)) = (Destination::of(transfer), SourceObject::of(transfer))
    else {
        return Ok(Look::Certain);
    };
    let checkpoint = transfer.checkpoint.as_ref();
    if !had_session && checkpoint.is_none_or(|kept| kept.sessions == 0) {
        return Ok(Look::Certain);
    }
    let mut hash = SourceHash::resume(checkpoint.map(|kept| &kept.hash));
    if object.size().saturating_sub(hash.hashed_to()) > LARGEST_GAP_BYTES {
        return Ok(Look::Certain);
    }
    let shown = files_under(ports.drive, &destination, names(checkpoint)).await?;
    let last_byte = match checkpoint.and_then(|kept| kept.answered.as_deref()) {
        Some(item) => LastByte::Answered(Some(item)),
        None => LastByte::Unanswered,
    };
    let mut comparison = Comparison::new(ports.drive, ports.staging, &destination, &object);
    let compared = async {
        let files = comparison.candidates(shown.files, last_byte).await?;
        if !files.is_empty() {
            object.hash_up_to(ports.staging, &mut hash, object.size()).await?;
        }
        comparison.compare(&hash, files, last_byte).await
    };
    let item = match compared.await {
        Ok(Compared::Delivered(item)) => item,
        Ok(Compared::HashPending) => return Ok(Look::HashPending),
        Ok(Compared::Unproven) => return Ok(Look::Unproven),
        Ok(Compared::Different) => return Ok(Look::Certain),
        Err(ComparisonError::Drive(error)) => return Err(error.into()),
        Err(ComparisonError::Source(error @ StagingError::Unavailable(_))) => {
            return Err(error.into());
        }
        // The source is not there to compare with: nothing can be claimed.
        Err(ComparisonError::Source(_)) => return Ok(Look::Certain),
    };
    // No invocation claims a transfer that is being ended, so the epoch stands still.
    let id = &transfer.transfer_id;
    match ports.store.record_delivery(id, transfer.epoch, &item.into()).await {
        Ok(()) | Err(WriteError::Ended) => Ok(Look::Certain),
        Err(error) => Err(error.into()),
    }
}

/// Numbers of the names that the document may have: those that were tried, and those that
/// the service may have chosen.
fn names(checkpoint: Option<&Checkpoint>) -> Range<u32> {
    match checkpoint {
        Some(kept) if kept.numbering => kept.number..u32::MAX,
        _ => 0..1,
    }
}

/// Whether the service has had no time yet to compute the hash of what was sent last.
fn is_hash_expected(transfer: &Transfer, now: Timestamp) -> bool {
    let pace = transfer.checkpoint.as_ref().and_then(|kept| kept.pace);
    let arrived = transfer.object.as_ref().map(|object| object.arrived_at);
    let sent = pace.map(|pace| pace.at).or(arrived);
    sent.is_some_and(|sent| now < later(sent, HASH_WAIT)) && now < transfer.must_end_by()
}

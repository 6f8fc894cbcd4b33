//! Part of the step `finalize` that closes an upload before its transfer ends.
//!
//! An *upload session* receives a document in fragments at the drive. To *close* an upload is to
//! delete its session, so that the drive accepts no more fragments.
//!
//! The drive may have completed the file although its last response was lost. The file is then
//! compared with the document by its *hash*, which the drive may need time to compute. If they are
//! equal, the document is recorded as delivered.

use std::ops::Range;

use docferry_domain::document::SourceHash;
use docferry_domain::failure::FailureCode;
use docferry_domain::transfer::Transfer;
use docferry_domain::upload::Checkpoint;
use jiff::{SignedDuration, Timestamp};

use super::types::FinishPorts;
use crate::delivery::upload::{
    Comparison, ComparisonError, ComparisonResult, LastByte, SourceObject, find_all_numbered,
};
use crate::ports::{
    Clock, Destination, Drive, ExchangeError, FinishAdapters, SealError, Sealer, SessionEnd,
    SessionRecord, UploadStore as _, WriteError,
};
use crate::time::saturating_add;
use crate::{RetryReason, StepOutcome, TaskError, TaskInput};

/// Maximum number of source bytes that are read to complete the hash of the source for a
/// comparison. The last checkpoint contains the hash of the bytes before it. After a checkpoint,
/// one invocation of `upload` sends at most about this number of bytes.
const LARGEST_GAP_BYTES: u64 = 128 * 1024 * 1024;

/// Time after the last checkpoint during which the end of a transfer waits for the drive to compute
/// a hash.
const HASH_WAIT: SignedDuration = SignedDuration::from_secs(120);

/// Closes the upload, so that the drive stores no fragment after the transfer has ended. Also
/// checks whether the document is complete at the destination, and then records the delivery.
///
/// Returns a failure code if a file at the destination may be the document but cannot be compared.
/// The transfer then fails with this code, which says that a file may exist.
pub(super) async fn close_upload<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    task: &TaskInput,
    transfer: &Transfer,
) -> Result<StepOutcome<Option<FailureCode>>, TaskError> {
    let is_before_deadline = || ports.clock.now() < transfer.must_end_by();
    let closing = async {
        // A PUT cannot be aborted. While one may be in flight, it is too early to check.
        let put_lease_until =
            transfer.checkpoint.as_ref().and_then(|stored| stored.put_lease_until);
        if put_lease_until.is_some_and(|until| until > ports.clock.now()) {
            return Ok(StepOutcome::RetryLater { reason: RetryReason::PutInFlight });
        }
        let session = ports.store.session(&task.transfer_id).await?;
        // A session that was still open has not completed the file. A session that is already gone
        // proves nothing: an earlier deletion whose response was lost leads to the same result.
        let check = match &session {
            Some(record) if delete_at_drive(ports, task, record).await? == SessionEnd::Deleted => {
                DestinationCheck::Certain
            }
            _ => record_if_delivered(ports, transfer, session.is_some()).await?,
        };
        let unverified = match check {
            DestinationCheck::HashPending if is_hash_expected(transfer, ports.clock.now()) => {
                return Ok(StepOutcome::RetryLater { reason: RetryReason::HashPending });
            }
            DestinationCheck::HashPending => Some(FailureCode::HashNotComputed),
            DestinationCheck::Unproven => Some(FailureCode::DestinationRewritten),
            DestinationCheck::Certain => None,
        };
        // The record is deleted only now. If the check is interrupted before, the record still
        // shows that a session existed.
        delete_record(ports, task, session).await?;
        Ok::<_, TaskError>(StepOutcome::Done(unverified))
    };
    // A permanent failure does not prevent the transfer from ending, nor does any failure after the
    // deadline. The sweeper continues the clean-up.
    let reason_of_skip = match closing.await {
        Ok(StepOutcome::RetryLater { reason }) if !is_before_deadline() => reason.as_str(),
        Err(error) if !(error.code.is_retryable() && is_before_deadline()) => error.code.as_str(),
        result => return result,
    };
    tracing::warn!(
        transfer.id = task.transfer_id.as_str(),
        error.code = reason_of_skip,
        "transfer ended without checking the destination"
    );
    Ok(StepOutcome::Done(None))
}

/// Deletes the stored session at the drive and in the store, if there is one. Unlike
/// [`close_upload`], this function does not check the destination.
pub(super) async fn close_session<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    task: &TaskInput,
    ended: &Transfer,
) -> Result<(), TaskError> {
    // A session of a later epoch belongs to a later run of the transfer.
    let session = ports.store.session(&task.transfer_id).await?;
    let session = session.filter(|record| record.epoch <= ended.epoch);
    if let Some(record) = &session {
        delete_at_drive(ports, task, record).await?;
    }
    delete_record(ports, task, session).await
}

/// Deletes a session at the drive.
async fn delete_at_drive<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    task: &TaskInput,
    record: &SessionRecord,
) -> Result<SessionEnd, TaskError> {
    match ports.sealer.open(&task.transfer_id, &record.session.sealed_url).await {
        Ok(url) => Ok(ports.drive.delete_session(&url).await?),
        // The URL is lost. The session expires by itself within minutes.
        Err(SealError::Unreadable) => Ok(SessionEnd::AlreadyGone),
        Err(error) => Err(error.into()),
    }
}

/// Deletes the record of a session.
async fn delete_record<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    task: &TaskInput,
    session: Option<SessionRecord>,
) -> Result<(), TaskError> {
    if let Some(record) = session {
        ports.store.delete_session_record(&task.transfer_id, record.epoch).await?;
    }
    Ok(())
}

/// Result of checking whether the document is complete at its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DestinationCheck {
    /// The check is conclusive: either the document is recorded as delivered, or no file at the
    /// destination can be the document.
    Certain,
    /// A file may be the document, but its hash has not been computed yet.
    HashPending,
    /// A file may be the document, but cannot be compared.
    Unproven,
}

/// Checks the destination, and records the document as delivered if it is there. `had_session` says
/// whether the store held an upload session.
async fn record_if_delivered<P: FinishAdapters>(
    ports: &FinishPorts<'_, P>,
    transfer: &Transfer,
    had_session: bool,
) -> Result<DestinationCheck, TaskError> {
    let (Some(destination), Some(object)) = (Destination::of(transfer), SourceObject::of(transfer))
    else {
        return Ok(DestinationCheck::Certain);
    };
    let checkpoint = transfer.checkpoint.as_ref();
    if !had_session && !checkpoint.is_some_and(Checkpoint::may_be_delivered) {
        return Ok(DestinationCheck::Certain);
    }
    let mut hash = SourceHash::resume(checkpoint.map(|stored| &stored.hash));
    if object.size().saturating_sub(hash.hashed_to()) > LARGEST_GAP_BYTES {
        return Ok(DestinationCheck::Certain);
    }
    let found = find_all_numbered(ports.drive, &destination, candidate_numbers(checkpoint)).await?;
    let last_byte = match checkpoint.and_then(|stored| stored.completed_item_id.as_deref()) {
        Some(item) => LastByte::Answered(Some(item)),
        None => LastByte::Unanswered,
    };
    let mut comparison = Comparison::new(ports.drive, ports.exchange, &destination, &object);
    let comparing = async {
        let files = comparison.candidates(found.files, last_byte).await?;
        if !files.is_empty() {
            object.hash_up_to(ports.exchange, &mut hash, object.size()).await?;
        }
        comparison.compare(&hash, files, last_byte).await
    };
    let item = match comparing.await {
        Ok(ComparisonResult::Delivered(item)) => item,
        Ok(ComparisonResult::HashPending) => return Ok(DestinationCheck::HashPending),
        Ok(ComparisonResult::Unproven) => return Ok(DestinationCheck::Unproven),
        Ok(ComparisonResult::Different) => return Ok(DestinationCheck::Certain),
        Err(ComparisonError::Drive(error)) => return Err(error.into()),
        Err(ComparisonError::Source(error @ ExchangeError::Unavailable(_))) => {
            return Err(error.into());
        }
        // Without the source, no file can be proven to be the document.
        Err(ComparisonError::Source(_)) => return Ok(DestinationCheck::Certain),
    };
    // The epoch has not changed, because no invocation can claim a transfer that is being ended.
    let id = &transfer.transfer_id;
    match ports.store.record_delivery(id, transfer.epoch, &item.into()).await {
        Ok(()) | Err(WriteError::Ended) => Ok(DestinationCheck::Certain),
        Err(error) => Err(error.into()),
    }
}

/// Returns the numbers of the file names that the document may have, such as 1 in `order 1.pdf`.
///
/// Without numbering, the document has its own name, which is number 0. With numbering, the range
/// begins at the number that was tried last. The drive may have chosen a later number, and
/// [`find_all_numbered`] also looks up the numbers before the range.
fn candidate_numbers(checkpoint: Option<&Checkpoint>) -> Range<u32> {
    match checkpoint {
        Some(stored) if stored.numbering => stored.number..u32::MAX,
        _ => 0..1,
    }
}

/// Returns whether the drive may still be computing the hash of the document. That is the case
/// within [`HASH_WAIT`] after the last bytes were sent, and before the deadline of the transfer.
fn is_hash_expected(transfer: &Transfer, now: Timestamp) -> bool {
    let throughput = transfer.checkpoint.as_ref().and_then(|stored| stored.throughput);
    let arrived = transfer.object.as_ref().map(|object| object.arrived_at);
    let last_sent = throughput.map(|throughput| throughput.at).or(arrived);
    let is_recent = last_sent.is_some_and(|at| now < saturating_add(at, HASH_WAIT));
    is_recent && now < transfer.must_end_by()
}

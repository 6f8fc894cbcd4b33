//! Asks the source to push the document, and records what it said.

use docferry_domain::{
    Artifact, DeadlineRules, DocumentName, FailureCode, Phase, PushedSource, Transfer,
};
use jiff::Timestamp;

use crate::finalize::LATE_PUSH_WATCH;
use crate::ports::{ArtifactStore, Clock, DocumentSource, SourceAnswer, Staging, TransferStore};
use crate::reuse::reusable_artifact;
use crate::task::admit;
use crate::trace::follow;
use crate::{RetryReason, StepOutcome, TaskError, TaskInput};

/// OneDrive's largest file: 250 GB.
const LARGEST_DOCUMENT_BYTES: u64 = 250_000_000_000;
/// Longest key of an S3 object, in bytes.
const LONGEST_KEY_BYTES: usize = 1024;

/// Pushes the document of a transfer towards the exchange bucket. A download of what
/// lies in the delivery bucket already is delivered by that, and nothing is pushed.
///
/// May run twice: a push that is recorded is not repeated; one whose record was
/// lost is, and writes the same file again.
///
/// # Errors
/// A [`TaskError`] whose code says whether to retry.
pub async fn push(
    store: &(impl TransferStore + ArtifactStore),
    source: &impl DocumentSource,
    staging: &impl Staging,
    clock: &impl Clock,
    rules: &DeadlineRules,
    task: &TaskInput,
) -> Result<StepOutcome<()>, TaskError> {
    let transfer = store.begin_push(&task.transfer_id, task.attempt, clock.now()).await?;
    follow(transfer.trace.as_ref());
    admit(&transfer, task.attempt, clock.now())?;
    if transfer.phase > Phase::Pushing || deliver_again(store, clock.now(), &transfer).await? {
        return Ok(StepOutcome::Done(()));
    }
    // Read from the store that will date the object, so that no clock of ours
    // decides whether an object is older than this push.
    let requested_at = staging.store_time().await?;
    let answer = source.push(&transfer.object_guid).await?;
    let pushed = checked(&transfer, answer, requested_at, clock.now(), rules)?;
    if store.record_push(&task.transfer_id, task.attempt, &pushed).await? {
        Ok(StepOutcome::Done(()))
    } else {
        // The last user of the key is deleting the object, which may be the one that this
        // push brought: the workflow runs this step again, which pushes again.
        Ok(StepOutcome::RetryLater { reason: RetryReason::ExchangeKeyReleasing })
    }
}

/// Whether the document lies in the delivery bucket, and is this transfer's now.
async fn deliver_again(
    store: &(impl TransferStore + ArtifactStore),
    now: Timestamp,
    transfer: &Transfer,
) -> Result<bool, TaskError> {
    let Some(found) = reusable_artifact(store, now, transfer).await? else { return Ok(false) };
    // It is in no exchange bucket, but for what an earlier run may still be owed. What has
    // lain there for longer than that is watched for is somebody else's.
    let recent = now.checked_sub(LATE_PUSH_WATCH).unwrap_or(now);
    let owed = transfer.source.as_ref();
    let owed = owed.map(|source| (source.key.clone(), source.requested_at.max(recent)));
    let (key, requested_at) = owed.unwrap_or((String::new(), now));
    let source = PushedSource {
        key,
        name: found.name,
        mime: found.mime,
        size: found.size,
        requested_at,
        pushed_at: now,
        must_end_by: None,
    };
    let artifact = Artifact { key: found.key, size: found.size };
    let Transfer { transfer_id, attempt, .. } = transfer;
    store.record_reuse(transfer_id, *attempt, &source, &artifact).await?;
    Ok(true)
}

fn checked(
    transfer: &Transfer,
    answer: SourceAnswer,
    requested_at: Timestamp,
    pushed_at: Timestamp,
    rules: &DeadlineRules,
) -> Result<PushedSource, TaskError> {
    let key = answer.filename;
    if key.is_empty() || key.len() > LONGEST_KEY_BYTES || key.chars().any(char::is_control) {
        return Err(FailureCode::SourceNameInvalid.into());
    }
    let name = DocumentName::adapted_from(&key).map_err(|_| FailureCode::SourceNameInvalid)?;
    if let Some(drive) = transfer.target.drive() {
        drive.folder.admit(&name).map_err(|_| FailureCode::DestinationRefused)?;
    }
    if answer.size > LARGEST_DOCUMENT_BYTES {
        return Err(FailureCode::DestinationRefused.into());
    }
    let SourceAnswer { mime, size, .. } = answer;
    let must_end_by = Some(rules.for_size(transfer.pool, size, pushed_at));
    Ok(PushedSource { key, name, mime, size, requested_at, pushed_at, must_end_by })
}

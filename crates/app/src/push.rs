//! Asks the source to push the document, and records what it said.

use docferry_domain::{DocumentName, FailureCode, Phase, PushedSource, Transfer};
use jiff::Timestamp;

use crate::ports::{Clock, DocumentSource, SourceAnswer, Staging, TransferStore};
use crate::task::admit;
use crate::{TaskError, TaskInput};

/// OneDrive's largest file: 250 GB.
const LARGEST_DOCUMENT_BYTES: u64 = 250_000_000_000;
/// Longest key of an S3 object, in bytes.
const LONGEST_KEY_BYTES: usize = 1024;

/// Pushes the document of a transfer towards the exchange bucket.
///
/// May run twice: a push that is recorded is not repeated; one whose record was
/// lost is, and writes the same file again.
///
/// # Errors
/// A [`TaskError`] whose code says whether to retry.
pub async fn push(
    store: &impl TransferStore,
    source: &impl DocumentSource,
    staging: &impl Staging,
    clock: &impl Clock,
    task: &TaskInput,
) -> Result<(), TaskError> {
    let transfer = store.begin_push(&task.transfer_id, task.attempt, clock.now()).await?;
    admit(&transfer, task.attempt, clock.now())?;
    if transfer.phase > Phase::Pushing {
        return Ok(());
    }
    // Read from the store that will date the object, so that no clock of ours
    // decides whether an object is older than this push.
    let requested_at = staging.store_time().await?;
    let answer = source.push(&transfer.object_guid).await?;
    let pushed = checked(&transfer, answer, requested_at, clock.now())?;
    if store.record_push(&task.transfer_id, task.attempt, &pushed).await? {
        Ok(())
    } else {
        // The last user of the same key is deleting the object, perhaps ours: the
        // workflow comes back in a moment and pushes again.
        Err(FailureCode::ExchangeUnavailable.into())
    }
}

fn checked(
    transfer: &Transfer,
    answer: SourceAnswer,
    requested_at: Timestamp,
    pushed_at: Timestamp,
) -> Result<PushedSource, TaskError> {
    let key = answer.filename;
    if key.is_empty() || key.len() > LONGEST_KEY_BYTES || key.chars().any(char::is_control) {
        return Err(FailureCode::SourceNameInvalid.into());
    }
    let name = DocumentName::adapted_from(&key).map_err(|_| FailureCode::SourceNameInvalid)?;
    transfer.folder.admit(&name).map_err(|_| FailureCode::DestinationRefused)?;
    if answer.size > LARGEST_DOCUMENT_BYTES {
        return Err(FailureCode::DestinationRefused.into());
    }
    Ok(PushedSource { key, name, mime: answer.mime, size: answer.size, requested_at, pushed_at })
}

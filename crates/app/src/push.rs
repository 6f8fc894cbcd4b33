//! Asks the source to push the document, and records what it said.

use docferry_domain::{
    Artifact, DeadlineRules, DocumentName, FailureCode, FoundObject, MOST_DOCUMENTS,
    OutstandingPush, OwedKey, PushedSource, Transfer,
};
use jiff::{SignedDuration, Timestamp};

use crate::initiate::later;
use crate::ports::{
    ArtifactStore, BundleStore, Clock, DocumentSource, PushRecord, SourceAnswer, Staging,
    TransferStore,
};
use crate::reuse::reusable_artifact;
use crate::task::admit;
use crate::trace::follow;
use crate::{RetryReason, StepOutcome, TaskError, TaskInput};

/// OneDrive's largest file: 250 GB.
const LARGEST_DOCUMENT_BYTES: u64 = 250_000_000_000;
/// Longest key of an S3 object, in bytes.
const LONGEST_KEY_BYTES: usize = 1024;

/// How long the names of a batch's documents are reserved: longer than its last retry may
/// run.
const NAME_TTL: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Pushes the document of a transfer towards the exchange bucket. A download of what
/// lies in the delivery bucket already is delivered by that, and nothing is pushed.
///
/// May run twice: a push that is recorded is not repeated; one whose record was
/// lost is, and writes the same file again.
///
/// The source names the exchange key only after it has pushed. A key that an earlier push
/// of the document named is taken before it is pushed again; the first push may meet a
/// key that another document uses, which `poll` then waits for.
///
/// # Errors
/// A [`TaskError`] whose code says whether to retry.
pub async fn push(
    store: &(impl TransferStore + ArtifactStore + BundleStore),
    source: &impl DocumentSource,
    staging: &impl Staging,
    clock: &impl Clock,
    rules: &DeadlineRules,
    task: &TaskInput,
) -> Result<StepOutcome<()>, TaskError> {
    let transfer = store.begin_push(&task.transfer_id, task.attempt, clock.now()).await?;
    follow(transfer.trace.as_ref());
    let stopped = admit(&transfer, task.attempt, clock.now()).err();
    if let Some(code) =
        stopped.filter(|code| !(*code == FailureCode::Canceled && is_unnamed(&transfer)))
    {
        return Err(code.into());
    }
    if !transfer.needs_push() || deliver_again(store, clock.now(), &transfer).await? {
        return Ok(StepOutcome::Done(()));
    }
    let TaskInput { transfer_id: id, attempt } = task;
    let (guid, asked_at) = (&transfer.object_guid, clock.now());
    if let Some(key) = &transfer.known_key
        && !store.hold_key(id, *attempt, guid, key, asked_at).await?
    {
        return Ok(StepOutcome::RetryLater { reason: RetryReason::ExchangeKeyHeld });
    }
    // Read from the store that will date the object, so that no clock of ours
    // decides whether an object is older than this push.
    let requested_at = staging.store_time().await?;
    let before = match &transfer.known_key {
        Some(key) => Some((key, FoundObject::before(staging.head(key).await?))),
        None => None,
    };
    let this = OutstandingPush {
        requested_at,
        pushed_at: asked_at,
        is_repeated: false,
        transfer_id: id.clone(),
        guid: guid.clone(),
    };
    let announced = store.announce_push(id, &this).await?;
    let answer = match source.push(guid).await {
        Ok(answer) => answer,
        Err(error) => {
            if error.is_refusal() {
                store.push_named(id).await?;
            }
            return Err(error.into());
        }
    };
    let owed = OwedKey { key: answer.filename.clone(), requested_at };
    let times = Times { requested_at, asked_at, pushed_at: clock.now() };
    let named = match checked(&transfer, answer, times, rules) {
        Ok(pushed) => reserve_name(store, &transfer, pushed).await,
        refused => refused,
    };
    let pushed = match named {
        Ok(pushed) => pushed,
        Err(refused) => {
            // The source has pushed, so its object has to be found again and removed.
            if is_object_key(&owed.key) {
                store.owe_key(id, *attempt, &owed).await?;
            }
            store.push_named(id).await?;
            return Err(refused);
        }
    };
    let found = match before {
        Some((key, found)) if *key == owed.key => Some(found),
        // Without it the clock alone decides: a failure here is none of the push.
        _ => staging.head(&owed.key).await.ok().map(FoundObject::after),
    };
    let pushed = PushedSource { found, ..pushed };
    // An earlier try whose answer was lost may have pushed as well.
    let is_repeated = announced != this;
    let push = OutstandingPush { pushed_at: pushed.pushed_at, is_repeated, ..announced };
    let record = store.record_push(id, *attempt, &push, &pushed).await?;
    store.push_named(id).await?;
    if let Some(code) = stopped {
        return Err(code.into());
    }
    // In both of the other cases the document is pushed again: the object of this push may
    // be deleted or replaced.
    Ok(match record {
        PushRecord::Recorded => StepOutcome::Done(()),
        PushRecord::Releasing => {
            StepOutcome::RetryLater { reason: RetryReason::ExchangeKeyReleasing }
        }
        PushRecord::HeldByAnother => {
            StepOutcome::RetryLater { reason: RetryReason::ExchangeKeyHeld }
        }
    })
}

/// Whether an earlier try may have pushed without an answer that named its key. The source
/// is asked once more then, even when the transfer is canceled: until the key is known, the
/// object of that push is neither kept apart from other documents nor cleaned up.
fn is_unnamed(transfer: &Transfer) -> bool {
    transfer.needs_push() && transfer.known_key.is_none() && transfer.pushes > 1
}

/// Whether the document lies in the delivery bucket, and is this transfer's now.
async fn deliver_again(
    store: &(impl TransferStore + ArtifactStore),
    now: Timestamp,
    transfer: &Transfer,
) -> Result<bool, TaskError> {
    // A transfer that pushes again uses an exchange key, which its record has to keep.
    if transfer.push_again {
        return Ok(false);
    }
    let Some(found) = reusable_artifact(store, now, transfer).await? else { return Ok(false) };
    // It is in no exchange bucket. Keys that earlier runs may still be owed an object under
    // stay in the record.
    let source = PushedSource {
        key: String::new(),
        name: found.name,
        mime: found.mime,
        size: found.size,
        requested_at: now,
        found: None,
        asked_at: None,
        pushed_at: now,
        must_end_by: None,
    };
    let artifact = Artifact { key: found.key, size: found.size };
    let Transfer { transfer_id, attempt, .. } = transfer;
    store.record_reuse(transfer_id, *attempt, &source, &artifact).await?;
    Ok(true)
}

/// Numbers the document's name when another document of its batch has the same: they go
/// into one folder, where one would replace the other or be refused.
async fn reserve_name(
    store: &impl BundleStore,
    transfer: &Transfer,
    pushed: PushedSource,
) -> Result<PushedSource, TaskError> {
    let Some(drive) =
        transfer.target.drive().filter(|_| transfer.transfer_id.in_bundle().is_some())
    else {
        return Ok(pushed);
    };
    let purge_at = later(pushed.pushed_at, NAME_TTL);
    for number in 0..u32::from(MOST_DOCUMENTS) {
        let name = pushed.name.numbered(number).map_err(|_| FailureCode::DestinationRefused)?;
        drive.folder.admit(&name).map_err(|_| FailureCode::DestinationRefused)?;
        if store.claim_name(&transfer.transfer_id, &name, purge_at).await? {
            return Ok(PushedSource { name, ..pushed });
        }
    }
    Err(FailureCode::DestinationConflict.into())
}

/// Whether an object can have this key.
fn is_object_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= LONGEST_KEY_BYTES
}

/// When a push was made.
struct Times {
    /// The exchange store's time just before it.
    requested_at: Timestamp,
    /// Our time just before it.
    asked_at: Timestamp,
    /// Our time after its answer.
    pushed_at: Timestamp,
}

fn checked(
    transfer: &Transfer,
    answer: SourceAnswer,
    times: Times,
    rules: &DeadlineRules,
) -> Result<PushedSource, TaskError> {
    let key = answer.filename;
    if !is_object_key(&key) || key.chars().any(char::is_control) {
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
    let Times { requested_at, asked_at, pushed_at } = times;
    Ok(PushedSource {
        key,
        name,
        mime,
        size,
        requested_at,
        found: None,
        asked_at: Some(asked_at),
        pushed_at,
        must_end_by: Some(rules.for_size(transfer.pool, size, pushed_at)),
    })
}

//! Step `push`: makes the source push the document towards the exchange bucket, and records its
//! answer.

use docferry_domain::document::{Artifact, DocumentName};
use docferry_domain::failure::FailureCode;
use docferry_domain::job::MAX_DOCUMENTS;
use docferry_domain::transfer::{
    DeadlineRules, FoundObject, LateArrivalKey, OutstandingPush, PushedSource, Transfer,
};
use jiff::{SignedDuration, Timestamp};

use crate::delivery::artifact::reusable_artifact;
use crate::ports::{
    ArtifactStore, BatchStore, Clock, DocumentSource, ExchangeKeyStore as _, ExchangeStore,
    PushAdapters, PushRecord, PushStore as _, SourceAnswer, TransferStore,
};
use crate::task::ensure_active;
use crate::time::saturating_add;
use crate::trace::set_current;
use crate::{RetryReason, StepOutcome, TaskError, TaskInput};

/// OneDrive's largest file: 250 GB.
const LARGEST_DOCUMENT_BYTES: u64 = 250_000_000_000;
/// Longest key of an S3 object, in bytes.
const LONGEST_KEY_BYTES: usize = 1024;

/// Retention of the file names that a batch's documents have reserved: longer than its last
/// retry may run.
const NAME_TTL: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Ports of [`push`].
#[derive(Debug)]
pub struct PushPorts<'a, P: PushAdapters> {
    /// Transfer records.
    pub store: &'a P::Store,
    /// The document source.
    pub source: &'a P::Source,
    /// The exchange bucket.
    pub exchange: &'a P::Exchange,
    /// Source of the current time.
    pub clock: &'a P::Clock,
}

/// Pushes the document of a transfer towards the exchange bucket. A download whose document is
/// already in the delivery bucket is delivered from there, without a push.
///
/// May run twice: a recorded push is not repeated. A push whose record was lost is repeated,
/// and writes the same file again.
///
/// The source names the exchange key only after it has pushed. If an earlier push of the
/// document named a key, that key is claimed before the next push. The first push may produce a
/// key that another document uses; `poll` then waits for the key.
///
/// # Errors
/// A [`TaskError`] whose code says whether to retry.
pub async fn push<P: PushAdapters>(
    ports: &PushPorts<'_, P>,
    rules: &DeadlineRules,
    task: &TaskInput,
) -> Result<StepOutcome<()>, TaskError> {
    let &PushPorts { store, source, exchange, clock } = ports;
    let transfer = store.begin_push(&task.transfer_id, task.execution_number, clock.now()).await?;
    set_current(transfer.trace.as_ref());
    let stop_code = ensure_active(&transfer, task.execution_number, clock.now()).err();
    if let Some(code) =
        stop_code.filter(|code| !(*code == FailureCode::Canceled && is_unnamed(&transfer)))
    {
        return Err(code.into());
    }
    if !transfer.needs_push() || deliver_existing_artifact(store, clock.now(), &transfer).await? {
        return Ok(StepOutcome::Done(()));
    }
    let TaskInput { transfer_id: id, execution_number } = task;
    let (guid, asked_at) = (&transfer.object_guid, clock.now());
    if let Some(key) = &transfer.known_key
        && !store.acquire_key(id, *execution_number, guid, key, asked_at).await?
    {
        return Ok(StepOutcome::RetryLater { reason: RetryReason::ExchangeKeyHeld });
    }
    // Read from the store that will date the object, so that our own clock does not decide
    // whether an object is older than this push.
    let requested_at = exchange.store_time().await?;
    let before = match &transfer.known_key {
        Some(key) => Some((key, FoundObject::before(exchange.head(key).await?))),
        None => None,
    };
    let announcement = OutstandingPush {
        requested_at,
        pushed_at: asked_at,
        is_repeated: false,
        transfer_id: id.clone(),
        guid: guid.clone(),
    };
    let stored = store.announce_push(id, &announcement).await?;
    let answer = match source.push(guid).await {
        Ok(answer) => answer,
        Err(error) => {
            if error.is_refusal() {
                store.withdraw_announcement(id).await?;
            }
            return Err(error.into());
        }
    };
    let owed = LateArrivalKey { key: answer.filename.clone(), requested_at };
    let times = PushTimes { requested_at, asked_at, pushed_at: clock.now() };
    let recorded_source = match validated(&transfer, answer, times, rules) {
        Ok(pushed) => reserve_name(store, &transfer, pushed).await,
        refused => refused,
    };
    let pushed = match recorded_source {
        Ok(pushed) => pushed,
        Err(refused) => {
            // The source has pushed although its answer is unusable: record the key, so that
            // the object is found and deleted later.
            if is_object_key(&owed.key) {
                store.record_owed_key(id, *execution_number, &owed).await?;
            }
            store.withdraw_announcement(id).await?;
            return Err(refused);
        }
    };
    let found = match before {
        Some((key, found)) if *key == owed.key => Some(found),
        // Without the result the clock alone decides, so a failure here does not fail the push.
        _ => exchange.head(&owed.key).await.ok().map(FoundObject::after),
    };
    let pushed = PushedSource { found, ..pushed };
    // The stored announcement is that of an earlier try, which may also have pushed.
    let is_repeated = stored != announcement;
    let push = OutstandingPush { pushed_at: pushed.pushed_at, is_repeated, ..stored };
    let record = store.record_push(id, *execution_number, &push, &pushed).await?;
    store.withdraw_announcement(id).await?;
    if let Some(code) = stop_code {
        return Err(code.into());
    }
    // In the last two cases the document has to be pushed again, because the object of this
    // push may be deleted or replaced.
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

/// Returns whether an earlier try may have pushed without an answer that named its key. The
/// source is then called once more, even when the transfer is canceled: until the key is known,
/// the object of that push can be neither distinguished from other documents nor deleted.
fn is_unnamed(transfer: &Transfer) -> bool {
    transfer.needs_push() && transfer.known_key.is_none() && transfer.pushes > 1
}

/// Delivers the document from the delivery bucket if it is there already. Returns whether it
/// was.
async fn deliver_existing_artifact(
    store: &(impl TransferStore + ArtifactStore),
    now: Timestamp,
    transfer: &Transfer,
) -> Result<bool, TaskError> {
    // A transfer that has to push again already uses an exchange key, which must stay in its
    // record.
    if transfer.push_again {
        return Ok(false);
    }
    let Some(found) = reusable_artifact(store, now, transfer).await? else { return Ok(false) };
    // There is no exchange object, so the source has no key. Keys under which earlier runs may
    // still receive an object stay in the record.
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
    let Transfer { transfer_id, execution_number, .. } = transfer;
    store.record_reuse(transfer_id, *execution_number, &source, &artifact).await?;
    Ok(true)
}

/// Reserves the document's name within its batch, with a number if another document has the
/// name. The documents of a batch go into one folder, where equal names would conflict or
/// overwrite each other.
async fn reserve_name(
    store: &impl BatchStore,
    transfer: &Transfer,
    pushed: PushedSource,
) -> Result<PushedSource, TaskError> {
    let Some(drive) =
        transfer.target.drive().filter(|_| transfer.transfer_id.batch_and_number().is_some())
    else {
        return Ok(pushed);
    };
    let purge_at = saturating_add(pushed.pushed_at, NAME_TTL);
    for number in 0..u32::from(MAX_DOCUMENTS) {
        let name = pushed.name.numbered(number).map_err(|_| FailureCode::DestinationRefused)?;
        drive.folder.check_path(&name).map_err(|_| FailureCode::DestinationRefused)?;
        if store.claim_name(&transfer.transfer_id, &name, purge_at).await? {
            return Ok(PushedSource { name, ..pushed });
        }
    }
    Err(FailureCode::DestinationConflict.into())
}

/// Returns whether this is a valid S3 object key.
fn is_object_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= LONGEST_KEY_BYTES
}

/// Times of a push.
struct PushTimes {
    /// The exchange store's time just before the push.
    requested_at: Timestamp,
    /// Our time just before the push.
    asked_at: Timestamp,
    /// Our time after the source's answer.
    pushed_at: Timestamp,
}

/// Validates the source's answer.
fn validated(
    transfer: &Transfer,
    answer: SourceAnswer,
    times: PushTimes,
    rules: &DeadlineRules,
) -> Result<PushedSource, TaskError> {
    let key = answer.filename;
    if !is_object_key(&key) || key.chars().any(char::is_control) {
        return Err(FailureCode::SourceNameInvalid.into());
    }
    let name = DocumentName::adapted_from(&key).map_err(|_| FailureCode::SourceNameInvalid)?;
    if let Some(drive) = transfer.target.drive() {
        drive.folder.check_path(&name).map_err(|_| FailureCode::DestinationRefused)?;
    }
    if answer.size > LARGEST_DOCUMENT_BYTES {
        return Err(FailureCode::DestinationRefused.into());
    }
    let SourceAnswer { mime, size, .. } = answer;
    let PushTimes { requested_at, asked_at, pushed_at } = times;
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

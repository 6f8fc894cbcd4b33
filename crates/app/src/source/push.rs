//! Step `push`: asks the document source to push the document into the exchange bucket, and
//! records the source's response. This is the first step of the workflow.
//!
//! The *exchange key* is the name of the object in the exchange bucket. The source chooses it, and
//! docferry learns it only from the response. To *announce* a push is to record it before the
//! source is called, so that other transfers know that an object of this document may arrive.

use docferry_domain::document::{Artifact, DocumentName};
use docferry_domain::failure::FailureCode;
use docferry_domain::job::MAX_DOCUMENTS;
use docferry_domain::transfer::{
    DeadlineRules, FoundObject, LateArrivalKey, OutstandingPush, PushedSource, Transfer,
};
use jiff::{SignedDuration, Timestamp};

use crate::delivery::artifact::reusable_artifact;
use crate::document::is_withdrawn;
use crate::ports::{
    ArtifactStore, BatchStore, Clock, DocumentSource, ExchangeKeyStore as _, ExchangeStore,
    PushAdapters, PushRecord, PushStore as _, SourceAnswer, TransferStore,
};
use crate::task::ensure_active;
use crate::time::saturating_add;
use crate::trace::set_current;
use crate::{RetryReason, StepOutcome, TaskError, TaskInput};

/// Largest file that OneDrive accepts: 250 GB.
const LARGEST_DOCUMENT_BYTES: u64 = 250_000_000_000;

/// Length of the longest permitted key of an S3 object, in bytes.
const LONGEST_KEY_BYTES: usize = 1024;

/// Time after which the store may delete the file name that a document of a batch has reserved. The
/// last retry of the batch ends before that.
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
    /// The document registry.
    pub registry: &'a P::Registry,
    /// Source of the current time.
    pub clock: &'a P::Clock,
}

/// Pushes the document of a transfer into the exchange bucket. A download whose document is
/// already in the delivery bucket is delivered from there, without a push.
///
/// The step can be repeated. It does not repeat a push that was recorded. It repeats a push whose
/// record was lost, which writes the same object again.
///
/// If an earlier push of the document named an exchange key, this function claims that key before
/// the next push. The key of the first push is unknown before the push, so another document may
/// already use it. The step `poll` then waits until the key is free.
///
/// # Errors
/// A [`TaskError`] whose code says whether to retry.
pub async fn push<P: PushAdapters>(
    ports: &PushPorts<'_, P>,
    rules: &DeadlineRules,
    task: &TaskInput,
) -> Result<StepOutcome<()>, TaskError> {
    let &PushPorts { store, source, exchange, clock, .. } = ports;
    let transfer = store.begin_push(&task.transfer_id, task.execution_number, clock.now()).await?;
    set_current(transfer.spec.trace.as_ref());
    let stop_code = reason_to_stop(ports, task, &transfer).await?;
    if let Some(code) = stop_code
        && !has_to_push_although_stopped(code, &transfer)
    {
        return Err(code.into());
    }
    if !transfer.needs_push() {
        return Ok(StepOutcome::Done(()));
    }
    // A stopped transfer delivers nothing, although it pushes.
    if stop_code.is_none() && deliver_existing_artifact(store, clock.now(), &transfer).await? {
        return Ok(StepOutcome::Done(()));
    }
    let TaskInput { transfer_id: id, execution_number } = task;
    let (guid, asked_at) = (&transfer.object_guid, clock.now());
    if let Some(key) = &transfer.known_key
        && !store.acquire_key(id, *execution_number, guid, key, asked_at).await?
    {
        return Ok(StepOutcome::RetryLater { reason: RetryReason::ExchangeKeyHeld });
    }
    // The exchange store dates the object. Its clock also dates the request, so that a difference
    // between two clocks cannot make the object look older than this push.
    let requested_at = exchange.store_time().await?;
    let object_before_push = match &transfer.known_key {
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
    let stored_announcement = store.announce_push(id, &announcement).await?;
    let response = match source.push(guid).await {
        Ok(response) => response,
        Err(error) => {
            if error.is_refusal() {
                store.withdraw_announcement(id).await?;
            }
            return Err(error.into());
        }
    };
    // The object of this push may arrive under this key even if the push is not recorded.
    let late_key = LateArrivalKey { key: response.filename.clone(), requested_at };
    let times = PushTimes { requested_at, asked_at, pushed_at: clock.now() };
    let validated = match validate(&transfer, response, times, rules) {
        Ok(pushed) => reserve_name(store, &transfer, pushed).await,
        Err(error) => Err(error),
    };
    let pushed = match validated {
        Ok(pushed) => pushed,
        Err(error) => {
            // The source has pushed although its response cannot be used. The key is recorded, so
            // that the object is found and deleted later.
            if is_object_key(&late_key.key) {
                store.record_late_arrival_key(id, *execution_number, &late_key).await?;
            }
            store.withdraw_announcement(id).await?;
            return Err(error);
        }
    };
    let found = match object_before_push {
        Some((key, found)) if *key == late_key.key => Some(found),
        // If this read fails, the push goes on. The times alone then decide whether an object is
        // that of this push.
        _ => exchange.head(&late_key.key).await.ok().map(FoundObject::after),
    };
    let pushed = PushedSource { found, ..pushed };
    // If an earlier try has announced the push, the store keeps that announcement. The earlier try
    // may also have pushed.
    let is_repeated = stored_announcement != announcement;
    let push = OutstandingPush { pushed_at: pushed.pushed_at, is_repeated, ..stored_announcement };
    let record = store.record_push(id, *execution_number, &push, &pushed).await?;
    store.withdraw_announcement(id).await?;
    if let Some(code) = stop_code {
        return Err(code.into());
    }
    Ok(match record {
        PushRecord::Recorded => StepOutcome::Done(()),
        // The document has to be pushed again in the following two cases, because the object of
        // this push may be deleted or replaced.
        PushRecord::Releasing => {
            StepOutcome::RetryLater { reason: RetryReason::ExchangeKeyReleasing }
        }
        PushRecord::HeldByAnother => {
            StepOutcome::RetryLater { reason: RetryReason::ExchangeKeyHeld }
        }
    })
}

/// Returns the code with which the transfer has to stop; `None` if the transfer may continue.
async fn reason_to_stop<P: PushAdapters>(
    ports: &PushPorts<'_, P>,
    task: &TaskInput,
    transfer: &Transfer,
) -> Result<Option<FailureCode>, TaskError> {
    Ok(match ensure_active(transfer, task.execution_number, ports.clock.now()) {
        Err(code) => Some(code),
        Ok(()) => {
            is_withdrawn(ports.registry, transfer).await?.then_some(FailureCode::DocumentWithdrawn)
        }
    })
}

/// Returns whether a transfer that has to stop with this code pushes once more, to learn the key of
/// an earlier push.
fn has_to_push_although_stopped(code: FailureCode, transfer: &Transfer) -> bool {
    let may_push = matches!(code, FailureCode::Canceled | FailureCode::DocumentWithdrawn);
    may_push && may_have_unnamed_push(transfer)
}

/// Returns whether an earlier try may have pushed although the response with the key was lost. The
/// source is then called once more, even when the transfer is canceled. Without the key,
/// docferry can neither distinguish the object of that push from other documents nor delete it.
fn may_have_unnamed_push(transfer: &Transfer) -> bool {
    transfer.needs_push() && transfer.known_key.is_none() && transfer.pushes > 1
}

/// Delivers the document from the delivery bucket if it is there already. Returns whether the
/// document was delivered.
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
    let Some(reusable) = reusable_artifact(store, now, transfer).await? else {
        return Ok(false);
    };
    // There is no exchange object, so the source has no key. The record of the transfer still
    // contains the keys under which objects of earlier runs may arrive.
    let artifact = Artifact::from(&reusable);
    let source = PushedSource {
        key: String::new(),
        name: reusable.name,
        mime: reusable.mime,
        size: reusable.size,
        requested_at: now,
        found: None,
        asked_at: None,
        pushed_at: now,
        must_end_by: None,
    };
    let Transfer { transfer_id, execution_number, .. } = transfer;
    store.record_reuse(transfer_id, *execution_number, &source, &artifact).await?;
    Ok(true)
}

/// Reserves the document's name within its batch. If another document of the batch has the name, a
/// number is added to it. The documents of a batch go into one folder, where documents with equal
/// names would conflict or overwrite each other.
async fn reserve_name(
    store: &impl BatchStore,
    transfer: &Transfer,
    pushed: PushedSource,
) -> Result<PushedSource, TaskError> {
    let is_in_batch = transfer.transfer_id.batch_and_number().is_some();
    let Some(drive) = transfer.target.drive().filter(|_| is_in_batch) else {
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

/// Returns whether `key` has a length that S3 permits for an object key.
fn is_object_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= LONGEST_KEY_BYTES
}

/// Times of a push.
struct PushTimes {
    /// Time just before the push, by the exchange store's clock.
    requested_at: Timestamp,
    /// Time just before the push, by docferry's clock.
    asked_at: Timestamp,
    /// Time after the source's response, by docferry's clock.
    pushed_at: Timestamp,
}

/// Validates the source's response, and converts it to the form in which the record of the transfer
/// stores it.
fn validate(
    transfer: &Transfer,
    response: SourceAnswer,
    times: PushTimes,
    rules: &DeadlineRules,
) -> Result<PushedSource, TaskError> {
    let SourceAnswer { filename: key, mime, size } = response;
    if !is_object_key(&key) || key.chars().any(char::is_control) {
        return Err(FailureCode::SourceNameInvalid.into());
    }
    let name = DocumentName::adapted_from(&key).map_err(|_| FailureCode::SourceNameInvalid)?;
    if let Some(drive) = transfer.target.drive() {
        drive.folder.check_path(&name).map_err(|_| FailureCode::DestinationRefused)?;
    }
    if size > LARGEST_DOCUMENT_BYTES {
        return Err(FailureCode::DestinationRefused.into());
    }
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

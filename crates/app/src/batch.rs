//! Batches: many documents in one job. Each document is a transfer of its own, scheduled like
//! any other; the batch holds what they share.

use docferry_domain::callback::CallbackUrl;
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::{FileId, ObjectGuid, TransferId};
use docferry_domain::job::{Batch, BatchCounts, IdempotencyRecord, MAX_DOCUMENTS, OnItemError};
use docferry_domain::person::Person;
use docferry_domain::phase::Phase;
use docferry_domain::slots::{Priority, SlotState};
use docferry_domain::transfer::{NewTransfer, Outcome, SCHEMA_VERSION, Target, Transfer};
use futures::{TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};

use crate::job::retry::resume_documents;
use crate::ports::{Clock, CreateResult, FIRST_CHECK_DELAY, Store, Workflow, WriteError};
use crate::slots::scheduler::SlotScheduler;
use crate::time::saturating_add;
use crate::transfer::cancel::withdraw;
use crate::transfer::create::InitiateSettings;
use crate::{StepOutcome, TaskError, trace};

/// Documents that are written or read at once.
const PAGE: usize = 25;

/// Number of parallel writes.
pub(crate) const PARALLEL_WRITES: usize = 8;

/// Age at which a batch that was not committed is abandoned: the process that was recording it
/// has died.
const ABANDONED_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// A validated request for a batch.
#[derive(Debug, Clone)]
pub struct NewBatch {
    /// The principal that requests the batch.
    pub owner: String,
    /// The person on whose behalf it is requested, if that is not the owner.
    pub on_behalf_of: Option<Person>,
    /// The documents, 1 to [`MAX_DOCUMENTS`], each with the number by which a client of the
    /// downloads API requested it.
    pub documents: Vec<(ObjectGuid, Option<FileId>)>,
    /// Where the documents are delivered.
    pub target: Target,
    /// Priority of the documents in the queue.
    pub priority: Priority,
    /// Retention of the delivery; `None` when docferry does not decide it.
    pub keep_until: Option<Timestamp>,
    /// URL that is notified of the end of the batch.
    pub callback: Option<CallbackUrl>,
    /// Policy for the other documents when one fails.
    pub on_item_error: OnItemError,
}

/// Result of initiating a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Initiated {
    /// The batch is committed.
    Promised(Batch),
    /// The request repeats an earlier one with the same idempotency key.
    Before(IdempotencyRecord),
}

/// Records a batch and its documents, and queues the documents.
///
/// The batch is committed when all of its documents are recorded, not before. After a crash
/// before that, nothing runs, and `sweep` ends the batch. After a later crash, `sweep` queues
/// the documents.
///
/// # Errors
/// [`FailureCode::StoreUnavailable`]: the batch is not accepted.
pub async fn initiate_batch<S, W, C>(
    scheduler: &SlotScheduler<'_, S, W, C>,
    settings: InitiateSettings,
    bundle_id: TransferId,
    new: NewBatch,
    request: Option<&IdempotencyRecord>,
) -> Result<Initiated, TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let (store, now) = (scheduler.store, scheduler.clock.now());
    let trace = trace::current();
    let count = u16::try_from(new.documents.len()).ok().filter(|n| (1..=MAX_DOCUMENTS).contains(n));
    let bundle = Batch {
        schema_version: SCHEMA_VERSION,
        bundle_id,
        owner: new.owner.clone(),
        on_behalf_of: new.on_behalf_of.clone(),
        documents: count.ok_or(FailureCode::Internal)?,
        on_item_error: new.on_item_error,
        created_at: now,
        keep_until: new.keep_until,
        callback: new.callback.clone(),
        trace: trace.clone(),
        deadline: None,
        phase: Phase::Accepted,
        retries: 0,
        resuming: false,
        documents_stopped: false,
        cancel_requested: false,
        ended_at: None,
        failure: None,
        failed_documents: 0,
    };
    let id = &bundle.bundle_id;
    let deadline = saturating_add(now, settings.transfer_deadline);
    let purge_at = saturating_add(deadline, settings.record_ttl);
    if let CreateResult::Before(request) = store.record_batch(&bundle, request).await? {
        return Ok(Initiated::Before(request));
    }
    let document = |(number, (guid, file_id)): (u16, &(ObjectGuid, Option<FileId>))| {
        let new_transfer = NewTransfer {
            owner: new.owner.clone(),
            on_behalf_of: new.on_behalf_of.clone(),
            object_guid: guid.clone(),
            file_id: *file_id,
            target: new.target.clone(),
            priority: new.priority,
            keep_until: new.keep_until,
            // Receivers are notified of the end of the whole batch only.
            callback: None,
        };
        let transfer = Transfer::new(id.document(number), new_transfer, now, deadline);
        Transfer { turn: SlotState::Idle, trace: trace.clone(), ..transfer }
    };
    let documents: Vec<Transfer> = (0..).zip(&new.documents).map(document).collect();
    for page in documents.chunks(PAGE) {
        store.add_documents(page, purge_at).await?;
    }
    store.commit_batch(id).await?;
    if let Err(error) = start_documents(scheduler, settings.record_ttl, id, &documents).await {
        let code = error.code.as_str();
        tracing::warn!(bundle.id = id.as_str(), error.code = code, "documents not queued");
    }
    Ok(Initiated::Promised(Batch { phase: Phase::Uploading, ..bundle }))
}

/// Queues the documents of a batch that was just committed, or stops them if a cancel was
/// requested while they were being recorded.
async fn start_documents<S, W, C>(
    scheduler: &SlotScheduler<'_, S, W, C>,
    record_ttl: SignedDuration,
    id: &TransferId,
    documents: &[Transfer],
) -> Result<(), TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let stored = scheduler.store.bundle(id).await?;
    if stored.is_some_and(|(bundle, _)| bundle.cancel_requested) {
        return advance_batch(scheduler, record_ttl, id).await.map(drop);
    }
    enqueue(scheduler, documents).await
}

/// Queues the documents that have not begun and are not queued yet, and grants free slots.
pub(crate) async fn enqueue<S, W, C>(
    scheduler: &SlotScheduler<'_, S, W, C>,
    documents: &[Transfer],
) -> Result<(), TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let idle = |document: &&Transfer| {
        document.phase == Phase::Accepted && document.turn == SlotState::Idle
    };
    stream::iter(documents.iter().filter(idle).map(Ok::<_, TaskError>))
        .try_for_each_concurrent(PARALLEL_WRITES, async |document| {
            match scheduler.store.enqueue(document, document.must_end_by()).await {
                // The document was canceled meanwhile.
                Ok(()) | Err(WriteError::Ended) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
        .await?;
    if let Some(first) = documents.first() {
        scheduler.fill_slots_best_effort(first.pool).await;
    }
    Ok(())
}

/// Requests the cancellation of all documents of a batch. Delivered documents stay. Returns
/// `false` when the owner has no such batch that is active.
///
/// # Errors
/// Those of the store; once the cancel request is recorded, `sweep` continues it.
pub async fn cancel_batch<S, W, C>(
    scheduler: &SlotScheduler<'_, S, W, C>,
    record_ttl: SignedDuration,
    owner: &str,
    id: &TransferId,
) -> Result<bool, TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let due = saturating_add(scheduler.clock.now(), FIRST_CHECK_DELAY);
    if scheduler.store.cancel_batch(id, owner, due).await?.is_none() {
        return Ok(false);
    }
    let _sweep_goes_on = advance_batch(scheduler, record_ttl, id).await?;
    Ok(true)
}

/// Advances a batch: restarts or stops documents if that was requested, and ends the batch
/// after its last document. Run after each of its documents has ended.
///
/// # Errors
/// Those of the store; can be repeated.
pub(crate) async fn advance_batch<S, W, C>(
    scheduler: &SlotScheduler<'_, S, W, C>,
    record_ttl: SignedDuration,
    id: &TransferId,
) -> Result<StepOutcome<()>, TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let store = scheduler.store;
    let mut read = store.bundle(id).await?;
    if let Some((bundle, counts)) = read.as_ref().filter(|(bundle, _)| bundle.resuming) {
        // The counts may be outdated: some deliveries may not be available any more.
        // `resume_documents` checks each of them.
        if bundle.cancel_requested && counts.completed < bundle.documents {
            // No further document is restarted; those that were restarted are stopped below.
            store.mark_documents_resumed(id, bundle.retries).await?;
        } else {
            let resumed = resume_documents(scheduler, record_ttl, bundle).await?;
            if let StepOutcome::RetryLater { .. } = resumed {
                return Ok(resumed);
            }
        }
        read = store.bundle(id).await?;
    }
    if let Some((bundle, _)) = read.as_ref().filter(|(bundle, counts)| bundle.stops(counts)) {
        stop_documents(scheduler, record_ttl, bundle).await?;
        store.documents_stopped(id, bundle.retries).await?;
        read = store.bundle(id).await?;
    }
    if let Some((bundle, counts)) = read
        && let Some(outcome) = bundle.outcome(&counts)
        && !bundle.phase.is_terminal()
    {
        end_batch(scheduler, record_ttl, (&bundle, &counts), outcome).await?;
    }
    Ok(StepOutcome::Done(()))
}

/// Runs [`advance_batch`] and repairs the effects of a crash: ends a batch that was never committed, and
/// queues documents that are in no queue.
///
/// # Errors
/// As [`advance_batch`].
pub(crate) async fn recover_batch<S, W, C>(
    scheduler: &SlotScheduler<'_, S, W, C>,
    record_ttl: SignedDuration,
    id: &TransferId,
) -> Result<StepOutcome<()>, TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let (store, now) = (scheduler.store, scheduler.clock.now());
    let Some((bundle, counts)) = store.bundle(id).await? else { return Ok(StepOutcome::Done(())) };
    if bundle.phase == Phase::Accepted {
        if now.duration_since(bundle.created_at) > ABANDONED_AFTER {
            let outcome = Outcome::Failed(FailureCode::Internal);
            end_batch(scheduler, record_ttl, (&bundle, &counts), outcome).await?;
        }
        return Ok(StepOutcome::Done(()));
    }
    let advanced = advance_batch(scheduler, record_ttl, id).await?;
    if let StepOutcome::RetryLater { .. } = advanced {
        return Ok(advanced);
    }
    let mut pages = std::pin::pin!(pages(store, &bundle));
    while let Some(page) = pages.try_next().await? {
        enqueue(scheduler, &page).await?;
    }
    Ok(StepOutcome::Done(()))
}

/// Requests the cancellation of all documents that have not ended.
async fn stop_documents<S, W, C>(
    scheduler: &SlotScheduler<'_, S, W, C>,
    record_ttl: SignedDuration,
    bundle: &Batch,
) -> Result<(), TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let mut pages = std::pin::pin!(pages(scheduler.store, bundle));
    while let Some(page) = pages.try_next().await? {
        let active = page.into_iter().filter(|document| !document.phase.is_terminal());
        stream::iter(active.map(Ok::<_, TaskError>))
            .try_for_each_concurrent(PARALLEL_WRITES, async |document| {
                let id = &document.transfer_id;
                // Limited to this run, so that a slow call cannot cancel documents of the next
                // run.
                let stopped = scheduler.store.request_cancel(id, &bundle.owner, bundle.retries);
                match stopped.await? {
                    Some(document) => withdraw(scheduler, record_ttl, document).await.map(drop),
                    None => Ok(()),
                }
            })
            .await?;
    }
    Ok(())
}

/// Returns the documents of a batch as a stream of pages.
pub(crate) fn pages<'a>(
    store: &'a impl Store,
    bundle: &'a Batch,
) -> impl futures::Stream<Item = Result<Vec<Transfer>, TaskError>> + 'a {
    stream::try_unfold(0, move |from: u16| async move {
        if from >= bundle.documents {
            return Ok(None);
        }
        let page = store.documents(&bundle.bundle_id, from, PAGE).await?;
        let last = page.last().and_then(|document| document.transfer_id.batch_and_number());
        Ok(last.map(|(_, number)| (page, number.saturating_add(1))))
    })
}

/// Ends a batch with this outcome.
async fn end_batch<S, W, C>(
    scheduler: &SlotScheduler<'_, S, W, C>,
    record_ttl: SignedDuration,
    (bundle, counts): (&Batch, &BatchCounts),
    outcome: Outcome,
) -> Result<(), TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let now: Timestamp = scheduler.clock.now();
    let purge_at = saturating_add(now, record_ttl);
    Ok(scheduler.store.end_batch(bundle, counts, outcome, now, purge_at).await?)
}

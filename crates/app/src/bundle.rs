//! Many documents in one go: each is a transfer of its own, admitted like all
//! others; the bundle is what they have in common.

use docferry_domain::{
    Bundle, BundleCounts, CallbackUrl, FailureCode, FileId, MOST_DOCUMENTS, NamedRequest,
    NewTransfer, ObjectGuid, OnItemError, Outcome, Person, Phase, Priority, SCHEMA_VERSION, Target,
    Transfer, TransferId, Turn,
};
use futures::{TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};

use crate::admit::Admitter;
use crate::control::withdraw;
use crate::initiate::{InitiateSettings, later};
use crate::ports::{Clock, Entered, FIRST_LOOK, Store, Workflow, WriteError};
use crate::retry::resume_documents;
use crate::{StepOutcome, TaskError, trace};

/// Documents that are written or looked at in one go.
const PAGE: usize = 25;

/// Writes that are under way at once.
pub(crate) const AT_ONCE: usize = 8;

/// A bundle that was not promised by then never will be: whoever wrote it is gone.
const ABANDONED: SignedDuration = SignedDuration::from_mins(5);

/// What somebody asks for, checked.
#[derive(Debug, Clone)]
pub struct NewBundle {
    /// The principal that asks.
    pub owner: String,
    /// For whom, when that is somebody else.
    pub on_behalf_of: Option<Person>,
    /// The documents, 1 to [`MOST_DOCUMENTS`], and how a client of the downloads API
    /// named them.
    pub documents: Vec<(ObjectGuid, Option<FileId>)>,
    /// Where they go.
    pub target: Target,
    /// How urgent they are.
    pub priority: Priority,
    /// Until when what is delivered is kept; `None` when that is not ours to say.
    pub keep_until: Option<Timestamp>,
    /// Where its end is told to.
    pub callback: Option<CallbackUrl>,
    /// What becomes of all when one fails.
    pub on_item_error: OnItemError,
}

/// A bundle that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Initiated {
    /// It is promised.
    Promised(Bundle),
    /// A request of that name came before.
    Before(NamedRequest),
}

/// Records a bundle and its documents, and puts these into the queue.
///
/// It is promised when all of them are recorded, not before: a crash until then
/// leaves nothing that works, and `sweep` ends it. One after that is made up for by
/// `sweep`.
///
/// # Errors
/// [`FailureCode::StoreUnavailable`]: nothing is promised.
pub async fn initiate_bundle<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    settings: InitiateSettings,
    bundle_id: TransferId,
    new: NewBundle,
    request: Option<&NamedRequest>,
) -> Result<Initiated, TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let (store, now) = (admitter.store, admitter.clock.now());
    let trace = trace::current();
    let count =
        u16::try_from(new.documents.len()).ok().filter(|n| (1..=MOST_DOCUMENTS).contains(n));
    let bundle = Bundle {
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
    let deadline = later(now, settings.transfer_deadline);
    let purge_at = later(deadline, settings.record_ttl);
    if let Entered::Before(request) = store.enter_bundle(&bundle, request).await? {
        return Ok(Initiated::Before(request));
    }
    let document = |(number, (guid, file_id)): (u16, &(ObjectGuid, Option<FileId>))| {
        let one = NewTransfer {
            owner: new.owner.clone(),
            on_behalf_of: new.on_behalf_of.clone(),
            object_guid: guid.clone(),
            file_id: *file_id,
            target: new.target.clone(),
            priority: new.priority,
            keep_until: new.keep_until,
            // Told of is the end of the whole.
            callback: None,
        };
        let made = Transfer::new(id.document(number), one, now, deadline);
        Transfer { turn: Turn::Idle, trace: trace.clone(), ..made }
    };
    let documents: Vec<Transfer> = (0..).zip(&new.documents).map(document).collect();
    for page in documents.chunks(PAGE) {
        store.add_documents(page, purge_at).await?;
    }
    store.open_bundle(id).await?;
    if let Err(error) = let_go(admitter, settings.record_ttl, id, &documents).await {
        tracing::warn!(bundle.id = id.as_str(), error.code = error.code.as_str(), "not queued yet");
    }
    Ok(Initiated::Promised(Bundle { phase: Phase::Uploading, ..bundle }))
}

/// What is done once a bundle is promised: its documents go, unless somebody asked it
/// to stop while they were being written down.
async fn let_go<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    record_ttl: SignedDuration,
    id: &TransferId,
    documents: &[Transfer],
) -> Result<(), TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let stands = admitter.store.bundle(id).await?;
    if stands.is_some_and(|(bundle, _)| bundle.cancel_requested) {
        return tend(admitter, record_ttl, id).await.map(drop);
    }
    enqueue(admitter, documents).await
}

/// Puts those into the queue that wait for nothing yet, and admits.
pub(crate) async fn enqueue<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    documents: &[Transfer],
) -> Result<(), TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let idle =
        |document: &&Transfer| document.phase == Phase::Accepted && document.turn == Turn::Idle;
    stream::iter(documents.iter().filter(idle).map(Ok::<_, TaskError>))
        .try_for_each_concurrent(AT_ONCE, async |document| {
            match admitter.store.enqueue(document, document.must_end_by()).await {
                // Somebody has stopped it meanwhile.
                Ok(()) | Err(WriteError::Ended) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
        .await?;
    if let Some(first) = documents.first() {
        admitter.admit_or_leave(first.pool).await;
    }
    Ok(())
}

/// Asks all documents of a bundle to stop. What was delivered stays. `false` when
/// the caller has no such bundle that runs.
///
/// # Errors
/// The store's; once the wish is recorded, `sweep` goes on with it.
pub async fn cancel_bundle<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    record_ttl: SignedDuration,
    owner: &str,
    id: &TransferId,
) -> Result<bool, TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let due = later(admitter.clock.now(), FIRST_LOOK);
    if admitter.store.cancel_bundle(id, owner, due).await?.is_none() {
        return Ok(false);
    }
    let _sweep_goes_on = tend(admitter, record_ttl, id).await?;
    Ok(true)
}

/// What becomes of a bundle now: its documents are stopped when they are to be, and
/// with the last of them it ends. Run after each of its documents has ended.
///
/// # Errors
/// The store's; it may be run any number of times.
pub(crate) async fn tend<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    record_ttl: SignedDuration,
    id: &TransferId,
) -> Result<StepOutcome<()>, TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let store = admitter.store;
    let mut read = store.bundle(id).await?;
    if let Some((bundle, counts)) = read.as_ref().filter(|(bundle, _)| bundle.resuming) {
        // That all were delivered may not be true any more: whoever resumes them looks.
        if bundle.cancel_requested && counts.completed < bundle.documents {
            // Nothing more begins; what runs again already is stopped below.
            store.documents_resumed(id, bundle.retries).await?;
        } else {
            let resumed = resume_documents(admitter, record_ttl, bundle).await?;
            if let StepOutcome::RetryLater { .. } = resumed {
                return Ok(resumed);
            }
        }
        read = store.bundle(id).await?;
    }
    if let Some((bundle, _)) = read.as_ref().filter(|(bundle, counts)| bundle.stops(counts)) {
        stop_documents(admitter, record_ttl, bundle).await?;
        store.documents_stopped(id, bundle.retries).await?;
        read = store.bundle(id).await?;
    }
    if let Some((bundle, counts)) = read
        && let Some(outcome) = bundle.outcome(&counts)
        && !bundle.phase.is_terminal()
    {
        end(admitter, record_ttl, (&bundle, &counts), outcome).await?;
    }
    Ok(StepOutcome::Done(()))
}

/// [`tend`], and what a crash has left: a bundle that was never promised is ended,
/// documents that stand in no queue are put into it.
///
/// # Errors
/// As [`tend`].
pub(crate) async fn sweep_bundle<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    record_ttl: SignedDuration,
    id: &TransferId,
) -> Result<StepOutcome<()>, TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let (store, now) = (admitter.store, admitter.clock.now());
    let Some((bundle, counts)) = store.bundle(id).await? else { return Ok(StepOutcome::Done(())) };
    if bundle.phase == Phase::Accepted {
        if now.duration_since(bundle.created_at) > ABANDONED {
            let outcome = Outcome::Failed(FailureCode::Internal);
            end(admitter, record_ttl, (&bundle, &counts), outcome).await?;
        }
        return Ok(StepOutcome::Done(()));
    }
    let tended = tend(admitter, record_ttl, id).await?;
    if let StepOutcome::RetryLater { .. } = tended {
        return Ok(tended);
    }
    let mut pages = std::pin::pin!(pages(store, &bundle));
    while let Some(page) = pages.try_next().await? {
        enqueue(admitter, &page).await?;
    }
    Ok(StepOutcome::Done(()))
}

async fn stop_documents<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    record_ttl: SignedDuration,
    bundle: &Bundle,
) -> Result<(), TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let mut pages = std::pin::pin!(pages(admitter.store, bundle));
    while let Some(page) = pages.try_next().await? {
        let run = page.into_iter().filter(|document| !document.phase.is_terminal());
        stream::iter(run.map(Ok::<_, TaskError>))
            .try_for_each_concurrent(AT_ONCE, async |document| {
                let id = &document.transfer_id;
                // One that is slow must not stop what runs again by now.
                let stopped = admitter.store.request_cancel(id, &bundle.owner, bundle.retries);
                match stopped.await? {
                    Some(document) => withdraw(admitter, record_ttl, document).await.map(drop),
                    None => Ok(()),
                }
            })
            .await?;
    }
    Ok(())
}

/// The documents of a bundle, a page at a time.
pub(crate) fn pages<'a>(
    store: &'a impl Store,
    bundle: &'a Bundle,
) -> impl futures::Stream<Item = Result<Vec<Transfer>, TaskError>> + 'a {
    stream::try_unfold(0, move |from: u16| async move {
        if from >= bundle.documents {
            return Ok(None);
        }
        let page = store.documents(&bundle.bundle_id, from, PAGE).await?;
        let last = page.last().and_then(|document| document.transfer_id.in_bundle());
        Ok(last.map(|(_, number)| (page, number.saturating_add(1))))
    })
}

async fn end<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    record_ttl: SignedDuration,
    (bundle, counts): (&Bundle, &BundleCounts),
    outcome: Outcome,
) -> Result<(), TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let now: Timestamp = admitter.clock.now();
    let purge_at = later(now, record_ttl);
    Ok(admitter.store.end_bundle(bundle, counts, outcome, now, purge_at).await?)
}

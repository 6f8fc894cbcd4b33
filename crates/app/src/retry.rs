//! A job that has ended runs again, under the same id.

use docferry_domain::{Bundle, Phase, Target, Transfer, TransferId};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};

use crate::admit::Admitter;
use crate::bundle::{enqueue, pages, tend};
use crate::download::{Job, JobSettings, Promised, head_of};
use crate::initiate::later;
use crate::ports::{Clock, FIRST_LOOK, Store, Workflow};
use crate::{RetryReason, StepOutcome, TaskError};

/// Documents that are resumed at once. All of them write the counts of their job and
/// look at whether it is being resumed, in transactions: DynamoDB refuses one of two at
/// once that touch the same item, and more would only run into each other, and into who
/// wants to stop the job.
const RESUMED_AT_ONCE: usize = 2;

/// What came of a wish to run a job again.
#[derive(Debug, Clone)]
pub enum Retried {
    /// It runs again.
    Promised {
        /// The job.
        job: Promised,
        /// How often it has run, this time included.
        attempts: u32,
    },
    /// It has not ended, or it was completed and is there to be fetched.
    NotEnded,
    /// It was never promised: not all of its documents are known.
    Abandoned,
    /// It has run as often as it may.
    Spent,
    /// What it left is still being removed: a moment later it may run.
    Unsettled,
    /// It is a document of a job, which runs again as a whole.
    Part,
    /// There is no such job.
    Unknown,
}

/// Runs a job again that failed, was canceled or has expired; at most `max_retries`
/// times. Of a job of many, what was delivered and can still be had stays so, and the
/// rest runs again.
///
/// # Errors
/// The store's: asking again is harmless. Once it is written down that a job of many
/// runs again, `sweep` goes on with it.
pub async fn retry_job<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    settings: JobSettings,
    max_retries: u32,
    owner: &str,
    id: &TransferId,
) -> Result<Retried, TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let now = admitter.clock.now();
    let ttl = settings.initiate.record_ttl;
    let Some(job) = head_of(admitter.store, admitter.clock, ttl, owner, id).await? else {
        return Ok(Retried::Unknown);
    };
    let retries = job.retries();
    if id.in_bundle().is_some() {
        return Ok(Retried::Part);
    }
    if !job.state(now).may_run_again() {
        return Ok(Retried::NotEnded);
    }
    if matches!(&job, Job::Many { bundle, counts, .. } if bundle.was_abandoned(counts)) {
        return Ok(Retried::Abandoned);
    }
    if retries >= max_retries {
        return Ok(Retried::Spent);
    }
    let keep_until = later(now, settings.job_ttl);
    let begun = match &job {
        Job::One(read) => {
            let deadline = later(now, settings.initiate.transfer_deadline);
            let again = (**read).clone().again_at(now, deadline, Some(keep_until));
            read.settled && again_in_turn(admitter, read, &again).await?
        }
        Job::Many { bundle, .. } => {
            let due = later(now, FIRST_LOOK);
            let deadline = later(now, settings.initiate.transfer_deadline);
            admitter.store.resume_bundle(bundle, keep_until, deadline, due).await?
        }
    };
    if !begun {
        return Ok(Retried::Unsettled);
    }
    if matches!(job, Job::Many { .. })
        && let Err(error) = tend(admitter, ttl, id).await
    {
        let code = error.code.as_str();
        tracing::warn!(bundle.id = id.as_str(), error.code = code, "bundle resumed in part");
    }
    // The first run counts as well.
    let attempts = retries.saturating_add(2);
    Ok(Retried::Promised { job: Promised { job_id: id.clone(), keep_until }, attempts })
}

async fn again_in_turn<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    read: &Transfer,
    again: &Transfer,
) -> Result<bool, TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    // It waits for a slot, and its workflow begins when it gets one.
    let begun = admitter.store.run_again(read, again, again.must_end_by()).await?;
    if begun {
        admitter.admit_or_leave(again.pool).await;
    }
    Ok(begun)
}

/// Starts those documents of a bundle again that were not delivered, or whose delivery
/// cannot be had any more. Begins anywhere: those that run again already are known by
/// their retries.
///
/// # Errors
/// The store's.
///
/// [`StepOutcome::RetryLater`] while a document is not settled, or when the bundle is not
/// being resumed any more.
pub(crate) async fn resume_documents<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    record_ttl: SignedDuration,
    bundle: &Bundle,
) -> Result<StepOutcome<()>, TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let (store, now) = (admitter.store, admitter.clock.now());
    let purge_at = later(bundle.keep_until.unwrap_or(now), record_ttl);
    let mut unsettled = 0_usize;
    let mut pages = std::pin::pin!(pages(store, bundle));
    while let Some(page) = pages.try_next().await? {
        let again: Vec<Transfer> = stream::iter(page)
            .map(|document| resume(store, bundle, document, purge_at, now))
            .buffer_unordered(RESUMED_AT_ONCE)
            .try_filter_map(|resumed| {
                let left = usize::from(matches!(resumed, Resumed::Unsettled));
                unsettled += left;
                std::future::ready(Ok(match resumed {
                    Resumed::Again(again) => Some(*again),
                    Resumed::Stays | Resumed::Unsettled => None,
                }))
            })
            .try_collect()
            .await?;
        // Who stops it has to look what there is; nothing of it begins.
        if !bundle.cancel_requested {
            enqueue(admitter, &again).await?;
        }
    }
    if unsettled > 0 {
        return Ok(StepOutcome::RetryLater { reason: RetryReason::CleanupUnfinished });
    }
    store.documents_resumed(&bundle.bundle_id, bundle.retries).await?;
    Ok(StepOutcome::Done(()))
}

enum Resumed {
    Again(Box<Transfer>),
    Stays,
    Unsettled,
}

async fn resume<S: Store>(
    store: &S,
    bundle: &Bundle,
    document: Transfer,
    purge_at: Timestamp,
    now: Timestamp,
) -> Result<Resumed, TaskError> {
    let keep_until = bundle.keep_until.unwrap_or(now);
    if document.retries >= bundle.retries || !document.phase.is_terminal() {
        return Ok(Resumed::Stays);
    }
    if document.phase == Phase::Completed && can_be_had(store, &document, keep_until).await? {
        store.keep_longer(&document.transfer_id, keep_until, purge_at).await?;
        return Ok(Resumed::Stays);
    }
    if !document.settled {
        if document.pushes > 0 || document.started_at.is_some() {
            return Ok(Resumed::Unsettled);
        }
        // It had not begun, so there is nothing to clean up; who ended it died, or it stood
        // in no queue and nobody looks after it.
        store.mark_settled(&document.transfer_id, document.attempt).await?;
    }
    let deadline = bundle.deadline.unwrap_or(keep_until);
    let again = document.clone().again_at(now, deadline, Some(keep_until));
    // It may have sat out runs in which it stayed as it was.
    let again = Transfer { retries: bundle.retries, ..again };
    let begun = store.run_again(&document, &again, later(now, FIRST_LOOK)).await?;
    Ok(if begun { Resumed::Again(Box::new(again)) } else { Resumed::Unsettled })
}

/// Whether what a document has delivered is there, and stays until then.
async fn can_be_had<S: Store>(
    store: &S,
    document: &Transfer,
    until: Timestamp,
) -> Result<bool, TaskError> {
    match (&document.target, &document.delivery) {
        (Target::Onedrive(_), _) => Ok(true),
        (Target::Download(_), Some(docferry_domain::Delivery::Download(artifact))) => {
            Ok(store.keep_artifact(&artifact.key, until).await?)
        }
        (Target::Download(_), _) => Ok(false),
    }
}

//! Retry of a job that has ended: another run under the same id.

use docferry_domain::{Bundle, Phase, Target, Transfer, TransferId};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};

use crate::admit::Admitter;
use crate::bundle::{enqueue, pages, tend};
use crate::download::{Job, JobSettings, Promised, head_of};
use crate::initiate::later;
use crate::ports::{Clock, FIRST_LOOK, Store, Workflow};
use crate::{RetryReason, StepOutcome, TaskError};

/// Number of documents that are restarted in parallel. Each restart is a transaction that
/// writes the batch's counts and checks that the batch is resuming. Of two concurrent DynamoDB
/// transactions that touch the same item, one is refused; more parallelism would only cause
/// conflicts, among themselves and with a cancel request.
const PARALLEL_RESTARTS: usize = 2;

/// Result of a retry request.
#[derive(Debug, Clone)]
pub enum Retried {
    /// The job runs again.
    Promised {
        /// The accepted job.
        job: Promised,
        /// Number of runs, including this one.
        attempts: u32,
    },
    /// It has not ended, or it was completed and its delivery is still available.
    NotEnded,
    /// It was never committed: not all of its documents are recorded.
    Abandoned,
    /// The maximum number of retries is reached.
    Spent,
    /// The last run is still being cleaned up; retry a moment later.
    Unsettled,
    /// It is a document of a batch, which can only be retried as a whole.
    Part,
    /// There is no such job.
    Unknown,
}

/// Retries a job that failed, was canceled or has expired, at most `max_retries` times. In a
/// batch, documents whose delivery is still available keep it, and the others run again.
///
/// # Errors
/// Those of the store; the call can be repeated. Once the retry of a batch is recorded, `sweep`
/// continues it.
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
    let started = match &job {
        Job::One(read) => {
            let deadline = later(now, settings.initiate.transfer_deadline);
            let next_run = (**read).clone().again_at(now, deadline, Some(keep_until));
            read.settled && start_run(admitter, read, &next_run).await?
        }
        Job::Many { bundle, .. } => {
            let due = later(now, FIRST_LOOK);
            let deadline = later(now, settings.initiate.transfer_deadline);
            admitter.store.resume_bundle(bundle, keep_until, deadline, due).await?
        }
    };
    if !started {
        return Ok(Retried::Unsettled);
    }
    if matches!(job, Job::Many { .. })
        && let Err(error) = tend(admitter, ttl, id).await
    {
        let code = error.code.as_str();
        tracing::warn!(bundle.id = id.as_str(), error.code = code, "batch only partly resumed");
    }
    // Counts the first run and this one.
    let attempts = retries.saturating_add(2);
    Ok(Retried::Promised { job: Promised { job_id: id.clone(), keep_until }, attempts })
}

/// Records the next run of a transfer and grants free slots.
async fn start_run<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    read: &Transfer,
    next_run: &Transfer,
) -> Result<bool, TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    // The transfer is queued; its workflow starts when it is granted a slot.
    let started = admitter.store.run_again(read, next_run, next_run.must_end_by()).await?;
    if started {
        admitter.admit_or_leave(next_run.pool).await;
    }
    Ok(started)
}

/// Restarts the documents of a batch that were not delivered, or whose delivery is not
/// available any more. Can be interrupted and repeated: documents that were already restarted
/// are recognized by their number of retries.
///
/// Returns [`StepOutcome::RetryLater`] while a document is not settled, or when the batch is
/// not resuming any more.
///
/// # Errors
/// Those of the store.
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
        let restarted: Vec<Transfer> = stream::iter(page)
            .map(|document| restart(store, bundle, document, purge_at, now))
            .buffer_unordered(PARALLEL_RESTARTS)
            .try_filter_map(|resumed| {
                unsettled += usize::from(matches!(resumed, Resumed::Unsettled));
                std::future::ready(Ok(match resumed {
                    Resumed::Restarted(transfer) => Some(*transfer),
                    Resumed::Unchanged | Resumed::Unsettled => None,
                }))
            })
            .try_collect()
            .await?;
        // When the batch is canceled, the restarted documents are stopped instead of queued.
        if !bundle.cancel_requested {
            enqueue(admitter, &restarted).await?;
        }
    }
    if unsettled > 0 {
        return Ok(StepOutcome::RetryLater { reason: RetryReason::CleanupUnfinished });
    }
    store.documents_resumed(&bundle.bundle_id, bundle.retries).await?;
    Ok(StepOutcome::Done(()))
}

/// Result of resuming one document.
enum Resumed {
    /// It runs again, with this record.
    Restarted(Box<Transfer>),
    /// It keeps its delivery, or was already restarted.
    Unchanged,
    /// Its last run is not cleaned up yet, or its record has changed.
    Unsettled,
}

/// Restarts a document, unless its delivery is still available.
async fn restart<S: Store>(
    store: &S,
    bundle: &Bundle,
    document: Transfer,
    purge_at: Timestamp,
    now: Timestamp,
) -> Result<Resumed, TaskError> {
    let keep_until = bundle.keep_until.unwrap_or(now);
    if document.retries >= bundle.retries || !document.phase.is_terminal() {
        return Ok(Resumed::Unchanged);
    }
    if document.phase == Phase::Completed && retain_delivery(store, &document, keep_until).await? {
        store.keep_longer(&document.transfer_id, keep_until, purge_at).await?;
        return Ok(Resumed::Unchanged);
    }
    if !document.settled {
        // A document that had begun is settled by `finalize`.
        if document.pushes > 0 || document.started_at.is_some() {
            return Ok(Resumed::Unsettled);
        }
        // It had not begun, so there is nothing to clean up. It is unsettled because the
        // process that ended it died, or because it was never queued.
        store.mark_settled(&document.transfer_id, document.attempt).await?;
    }
    let deadline = bundle.deadline.unwrap_or(keep_until);
    let next_run = document.clone().again_at(now, deadline, Some(keep_until));
    // The document may have skipped earlier runs, in which it kept its delivery.
    let next_run = Transfer { retries: bundle.retries, ..next_run };
    let started = store.run_again(&document, &next_run, later(now, FIRST_LOOK)).await?;
    Ok(if started { Resumed::Restarted(Box::new(next_run)) } else { Resumed::Unsettled })
}

/// Retains a document's delivery until `until`. Returns `false` when it is not available any
/// more.
async fn retain_delivery<S: Store>(
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

//! Retry of a job that has ended, as its owner requests it. A retry is another run of the job under
//! the same id. A job is a single transfer, or a batch of documents.

use docferry_domain::audit::RequestOrigin;
use docferry_domain::document::DocumentKey;
use docferry_domain::ids::TransferId;
use docferry_domain::transfer::Transfer;

use super::get::{Job, job_of};
use super::types::{AcceptedJob, JobSettings};
use crate::TaskError;
use crate::batch::advance_batch;
use crate::document::{DocumentCaller, JobDocuments};
use crate::ports::{
    BatchRetry, Clock, FIRST_CHECK_DELAY, JobStore as _, Registry, SlotAdapters, Store,
};
use crate::slots::scheduler::SlotScheduler;
use crate::time::saturating_add;

/// Result of a retry request.
#[derive(Debug, Clone)]
pub enum RetryResult {
    /// The job runs again.
    Accepted {
        /// The accepted job.
        job: AcceptedJob,
        /// Number of runs, including this one.
        attempts: u32,
    },
    /// The job cannot be retried: it has not ended, or its delivery is available.
    NotEnded,
    /// The job is a batch that was abandoned before all of its documents were recorded.
    Abandoned,
    /// The maximum number of retries is reached.
    RetriesExhausted,
    /// The last run is still being cleaned up. The owner can retry the job a moment later.
    Unsettled,
    /// The id is that of a document of a batch. Only the whole batch can be retried.
    Part,
    /// The caller may no longer receive these documents of the job. The response is the same as for
    /// [`RetryResult::Unknown`].
    Hidden(Vec<DocumentKey>),
    /// There is no such job.
    Unknown,
}

/// Settings for retries of jobs.
#[derive(Debug, Clone, Copy)]
pub struct RetrySettings {
    /// Deadline and retention of the new run.
    pub job: JobSettings,
    /// Maximum number of retries of a job.
    pub max_retries: u32,
}

/// Request for a retry.
#[derive(Debug, Clone)]
pub struct RetryRequest<'a> {
    /// The principal that requests the retry.
    pub owner: &'a str,
    /// The caller, who still has to be entitled to see all documents of the job.
    pub caller: DocumentCaller,
    /// Circumstances of the request, for the audit trail.
    pub origin: Option<RequestOrigin>,
    /// Id of the job.
    pub id: &'a TransferId,
    /// Settings.
    pub settings: RetrySettings,
}

/// Retries a job that failed, was canceled or has expired, at most `max_retries` times. In a
/// batch, only documents without an available delivery run again.
///
/// # Errors
/// The errors of the store. The call can be repeated. If the call fails after it has recorded the
/// retry of a batch, the *sweeper* (the background repair) restarts the documents.
pub async fn retry_job<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    registry: &impl Registry,
    request: RetryRequest<'_>,
) -> Result<RetryResult, TaskError> {
    let RetryRequest { owner, caller, origin, id, settings } = request;
    let RetrySettings { job: job_settings, max_retries } = settings;
    let now = scheduler.clock.now();
    let ttl = job_settings.initiate.record_ttl;
    let Some(job) = job_of(scheduler.store, scheduler.clock, ttl, owner, id).await? else {
        return Ok(RetryResult::Unknown);
    };
    let access = JobDocuments::of(registry, &caller, job.documents(), now).await?;
    let hidden = access.hidden(job.documents());
    if !hidden.is_empty() {
        return Ok(RetryResult::Hidden(hidden));
    }
    let retries = job.retries();
    if id.batch_and_number().is_some() {
        return Ok(RetryResult::Part);
    }
    if !job.state(now).can_be_retried() {
        return Ok(RetryResult::NotEnded);
    }
    if matches!(&job, Job::Many { batch, counts, .. } if batch.was_abandoned(counts)) {
        return Ok(RetryResult::Abandoned);
    }
    if retries >= max_retries {
        return Ok(RetryResult::RetriesExhausted);
    }
    let retain_until = saturating_add(now, job_settings.job_ttl);
    let started = match &job {
        Job::One(read) => {
            let deadline = saturating_add(now, job_settings.initiate.transfer_deadline);
            let mut next_run = (**read).clone().for_retry_at(now, deadline, Some(retain_until));
            next_run.audit.origin = origin;
            read.closed && start_run(scheduler, read, &next_run).await?
        }
        Job::Many { batch, .. } => {
            let due = saturating_add(now, FIRST_CHECK_DELAY);
            let deadline = saturating_add(now, job_settings.initiate.transfer_deadline);
            let retry = BatchRetry { retain_until, deadline, due, origin };
            scheduler.store.resume_batch(batch, &retry).await?
        }
    };
    if !started {
        return Ok(RetryResult::Unsettled);
    }
    if matches!(job, Job::Many { .. })
        && let Err(error) = advance_batch(scheduler, ttl, id).await
    {
        let code = error.code.as_str();
        tracing::warn!(batch.id = id.as_str(), error.code = code, "batch only partly resumed");
    }
    // The first run is not a retry, and `retries` does not include this run.
    let attempts = retries.saturating_add(2);
    Ok(RetryResult::Accepted { job: AcceptedJob { job_id: id.clone(), retain_until }, attempts })
}

/// Records the next run of a transfer, and then grants free slots (rights to move bytes) to queued
/// transfers.
///
/// Returns `false` if the transfer has changed since it was `read`, or is not cleaned up yet.
async fn start_run<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    read: &Transfer,
    next_run: &Transfer,
) -> Result<bool, TaskError> {
    // The restarted transfer joins the queue. Its workflow starts when it gets a slot.
    let started = scheduler.store.restart_transfer(read, next_run, next_run.must_end_by()).await?;
    if started {
        scheduler.fill_slots_best_effort(next_run.pool).await;
    }
    Ok(started)
}

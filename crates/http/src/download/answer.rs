//! Conversion of jobs into the responses of the API.

use std::time::Duration;

use docferry_app::job::Job;
use docferry_app::ports::PresignedUrl;
use docferry_contract::job::{
    JobError, JobItem, JobResult, JobStatus, JobTransientError, Progress, Timestamps, time,
};
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::job::{JobSnapshot, JobState, next_poll_ms};
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Failure, Transfer, TransientError, percent};
use docferry_domain::upload::eta_seconds;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use crate::error::ApiError;

/// Fields that jobs with one document and batch jobs have in common.
struct JobSummary {
    /// Progress, 0 to 100.
    percent: u8,
    /// Number of the current run, from 1.
    attempts: u32,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    updated_at: Timestamp,
    ended_at: Option<Timestamp>,
    failure: Option<Failure>,
    /// Number of documents that ended without a delivery in the current run.
    failed_items: u16,
}

impl JobSummary {
    fn of(job: &Job) -> Self {
        match job {
            Job::One(transfer) => Self {
                percent: percent(transfer),
                attempts: transfer.retries + 1,
                created_at: transfer.created_at,
                started_at: transfer.started_at,
                updated_at: updated_at(transfer),
                ended_at: transfer.ended_at,
                failure: transfer.failure.clone(),
                failed_items: failed_items(transfer),
            },
            Job::Many { batch, counts, documents } => Self {
                percent: batch.percent(counts),
                attempts: batch.retries + 1,
                created_at: batch.created_at,
                started_at: documents.iter().filter_map(|document| document.started_at).min(),
                updated_at: documents
                    .iter()
                    .map(updated_at)
                    .chain([batch.created_at])
                    .max()
                    .unwrap_or(batch.created_at),
                ended_at: batch.ended_at,
                failure: batch.failure.clone(),
                // While documents are being resumed, the counts are those of the previous run.
                failed_items: if batch.resuming { 0 } else { counts.failed() },
            },
        }
    }
}

/// Returns 1 for a transfer that ended without a delivery, otherwise 0.
pub(super) fn failed_items(transfer: &Transfer) -> u16 {
    matches!(transfer.phase, Phase::Failed | Phase::Canceled).into()
}

/// Returns the time of the latest recorded event of a transfer.
pub(super) fn updated_at(transfer: &Transfer) -> Timestamp {
    let events = [
        transfer.ended_at,
        transfer.object.as_ref().map(|object| object.arrived_at),
        transfer.source.as_ref().map(|source| source.pushed_at),
        transfer.started_at,
        transfer
            .checkpoint
            .as_ref()
            .and_then(|checkpoint| checkpoint.throughput)
            .map(|throughput| throughput.at),
    ];
    events.into_iter().flatten().max().unwrap_or(transfer.created_at).max(transfer.created_at)
}

/// Returns the status of a job. `detail` selects the detailed progress; `url` is the download URL
/// of a completed job with one document.
pub(super) fn status_document(
    job: &Job,
    id: &TransferId,
    now: Timestamp,
    detail: bool,
    url: Option<&PresignedUrl>,
) -> JobStatus {
    let summary = JobSummary::of(job);
    let state = job.state(now);
    let throughput = throughput(job, now);
    let items: Vec<_> = documents(job).map(|document| item_document(document, now)).collect();
    let result = url.map(job_result);
    JobStatus {
        job_id: id.to_string(),
        status: state.as_str(),
        progress: if detail {
            Progress::Detail {
                percent: summary.percent,
                bytes_done: items.iter().map(|item| item.bytes_done).sum(),
                bytes_total: items.iter().map(|item| item.bytes_total).sum(),
                bytes_per_second: throughput.map(|throughput| throughput.per_second),
                phase: job.phase().as_str(),
            }
        } else {
            Progress::Percent(summary.percent)
        },
        eta_seconds: throughput.and_then(|throughput| throughput.eta),
        attempts: summary.attempts,
        tries: tries(job),
        last_transient_error: last_transient_error(job),
        failed_items: summary.failed_items,
        timestamps: Timestamps {
            queued_at: time(summary.created_at),
            started_at: summary.started_at.map(time),
            updated_at: time(summary.updated_at),
            completed_at: summary.ended_at.map(time),
        },
        completed_at: summary.ended_at.map(time),
        next_poll_in_ms: next_poll_ms(
            state,
            summary.percent,
            now.duration_since(summary.created_at),
        ),
        url: result.as_ref().map(|result| result.url.clone()),
        result,
        error: (state == JobState::Failed)
            .then(|| job_error(summary.failure.as_ref(), summary.ended_at))
            .flatten(),
        items,
    }
}

/// Returns the tries of the current step: the maximum over the running documents, or over all
/// documents when none is running.
fn tries(job: &Job) -> u32 {
    let running = documents(job).filter(|document| !document.phase.is_terminal());
    let most = running.map(Transfer::tries).max();
    most.or_else(|| documents(job).map(Transfer::tries).max()).unwrap_or(1)
}

fn last_transient_error(job: &Job) -> Option<JobTransientError> {
    let errors = documents(job).filter_map(|document| document.last_transient_error.as_ref());
    let TransientError { code, at } = errors.max_by_key(|error| error.at)?;
    Some(JobTransientError { code: code.as_str(), message: code.message(), at: time(*at) })
}

/// Returns the snapshot of a job from which the events of its stream are derived.
pub(super) fn snapshot(job: &Job, now: Timestamp) -> JobSnapshot {
    let summary = JobSummary::of(job);
    JobSnapshot {
        run_number: summary.attempts,
        state: job.state(now),
        percent: summary.percent,
        bytes_done: documents(job).map(|document| document.bytes_done).sum(),
    }
}

/// Returns the time until the next poll; `None` once the job cannot change any more.
pub(super) fn next_poll(job: &Job, now: Timestamp) -> Option<Duration> {
    let summary = JobSummary::of(job);
    let age = now.duration_since(summary.created_at);
    next_poll_ms(job.state(now), summary.percent, age).map(|ms| Duration::from_millis(ms.into()))
}

/// Returns the reason why a job has ended in this state without a result.
pub(super) fn end_error(job: &Job, state: JobState) -> JobError {
    let summary = JobSummary::of(job);
    let last_attempt_at = summary.ended_at.map(time);
    if state == JobState::Expired {
        let (code, _, message) = ApiError::Gone.texts();
        return JobError { code, message, last_attempt_at };
    }
    let code = summary.failure.map_or(FailureCode::Internal, |failure| failure.code);
    JobError { code: code.as_str(), message: code.message(), last_attempt_at }
}

/// Measured throughput of a job, and the time that it needs for the remaining bytes.
#[derive(Debug, Clone, Copy)]
struct JobThroughput {
    /// Bytes per second, over all documents.
    per_second: u64,
    /// Estimated remaining time in seconds.
    eta: Option<u64>,
}

/// Returns the throughput of a job; `None` while no document is moving or none has a recent
/// measurement. The remaining time is known only once the sizes of all documents are.
fn throughput(job: &Job, now: Timestamp) -> Option<JobThroughput> {
    let is_running = |document: &&Transfer| !document.phase.is_terminal();
    let measured = |document: &Transfer| {
        let measured = document.checkpoint.as_ref().and_then(|checkpoint| checkpoint.throughput);
        measured.filter(|_| document.phase == Phase::Uploading)
    };
    let speed = |document: &Transfer| measured(document)?.per_second(now);
    let per_second = documents(job).filter_map(speed).reduce(u64::saturating_add)?;
    let remaining: Option<u64> = documents(job)
        .filter(is_running)
        .map(|document| {
            let source = document.source.as_ref().filter(|_| document.phase > Phase::Pushing)?;
            let unsent = source.size.saturating_sub(document.bytes_done);
            // Estimate of the bytes that have moved since the last measured checkpoint.
            let moved =
                measured(document).map_or(0, |measured| measured.estimated_bytes_since(now));
            Some(unsent.saturating_sub(moved))
        })
        .sum();
    let eta = remaining.and_then(|remaining| eta_seconds(remaining, per_second));
    Some(JobThroughput { per_second, eta })
}

/// Returns the download URL of a job with its time of expiry.
pub(super) fn job_result(url: &PresignedUrl) -> JobResult {
    JobResult { url: url.url.expose_secret().to_owned(), expires_at: time(url.expires_at) }
}

/// Returns the documents of a job: one, or all of a batch.
fn documents(job: &Job) -> impl Iterator<Item = &Transfer> {
    let documents = match job {
        Job::One(transfer) => std::slice::from_ref(&**transfer),
        Job::Many { documents, .. } => documents,
    };
    documents.iter()
}

/// Returns the status of one document of a job.
fn item_document(document: &Transfer, now: Timestamp) -> JobItem {
    let state = JobState::of(document.phase, document.retain_until, now);
    JobItem {
        file_id: document.file_id,
        job_id: document.transfer_id.to_string(),
        status: state.as_str(),
        progress: percent(document),
        bytes_done: document.bytes_done,
        bytes_total: document.source.as_ref().map(|source| source.size),
        error: (state == JobState::Failed)
            .then(|| job_error(document.failure.as_ref(), document.ended_at))
            .flatten(),
    }
}

/// Returns the error of a failed job or document.
pub(super) fn job_error(failure: Option<&Failure>, at: Option<Timestamp>) -> Option<JobError> {
    let code = failure?.code;
    let last_attempt_at = at.map(time);
    Some(JobError { code: code.as_str(), message: code.message(), last_attempt_at })
}

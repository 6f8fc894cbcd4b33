//! Conversion of jobs of the domain into JSON responses of the downloads API: the status of a job,
//! its download URL, and its errors.

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
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::throughput::throughput;
use crate::error::ApiError;

/// Level of detail of the progress in a status, from the query parameter `progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum ProgressLevel {
    /// Percentage only.
    #[default]
    Plain,
    /// Percentage, bytes, throughput and phase.
    Detail,
}

/// Fields of the status that exist for both kinds of jobs: transfers of one document and batches.
struct JobSummary {
    /// Progress, 0 to 100.
    percent: u8,
    /// Number of the current run: 1 for the first run, and one more for each retry.
    run_number: u32,
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
                run_number: transfer.retries + 1,
                created_at: transfer.created_at,
                started_at: transfer.started_at,
                updated_at: updated_at(transfer),
                ended_at: transfer.ended_at,
                failure: transfer.failure.clone(),
                failed_items: failed_items(transfer),
            },
            Job::Many { batch, counts, documents } => Self {
                percent: batch.percent(counts),
                run_number: batch.retries + 1,
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
                // While a retry is resetting the documents, the counts still belong to the previous
                // run.
                failed_items: if batch.resuming { 0 } else { counts.failed() },
            },
        }
    }
}

/// Returns the number of failed documents of a job with one document: 1 if its transfer ended
/// without a delivery, and 0 if not.
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

/// Returns the status of a job. `url` is the download URL of a completed job with one document.
pub(super) fn job_status(
    job: &Job,
    id: &TransferId,
    now: Timestamp,
    level: ProgressLevel,
    url: Option<&PresignedUrl>,
) -> JobStatus {
    let summary = JobSummary::of(job);
    let state = job.state(now);
    let throughput = throughput(documents(job), now);
    let items: Vec<_> = documents(job).iter().map(|document| item_status(document, now)).collect();
    let progress = match level {
        ProgressLevel::Plain => Progress::Percent(summary.percent),
        ProgressLevel::Detail => Progress::Detail {
            percent: summary.percent,
            bytes_done: items.iter().map(|item| item.bytes_done).sum(),
            bytes_total: items.iter().map(|item| item.bytes_total).sum(),
            bytes_per_second: throughput.map(|throughput| throughput.per_second),
            phase: job.phase().as_str(),
        },
    };
    let result = url.map(job_result);
    JobStatus {
        job_id: id.to_string(),
        status: state.as_str(),
        progress,
        eta_seconds: throughput.and_then(|throughput| throughput.eta_seconds),
        attempts: summary.run_number,
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

/// Returns the number of tries of the current step. For a batch, this is the maximum over the
/// running documents. If none is running, it is the maximum over all documents.
fn tries(job: &Job) -> u32 {
    let running = documents(job).iter().filter(|document| !document.phase.is_terminal());
    let max_tries = running.map(Transfer::tries).max();
    max_tries.or_else(|| documents(job).iter().map(Transfer::tries).max()).unwrap_or(1)
}

/// Returns the latest transient error of all documents of a job.
fn last_transient_error(job: &Job) -> Option<JobTransientError> {
    let errors =
        documents(job).iter().filter_map(|document| document.last_transient_error.as_ref());
    let TransientError { code, at } = errors.max_by_key(|error| error.at)?;
    Some(JobTransientError { code: code.as_str(), message: code.message(), at: time(*at) })
}

/// Returns the snapshot of a job. The events of the job's stream are derived from it.
pub(super) fn snapshot(job: &Job, now: Timestamp) -> JobSnapshot {
    let summary = JobSummary::of(job);
    JobSnapshot {
        run_number: summary.run_number,
        state: job.state(now),
        percent: summary.percent,
        bytes_done: documents(job).iter().map(|document| document.bytes_done).sum(),
    }
}

/// Returns the time until the next poll, or `None` if the job cannot change any more.
pub(super) fn next_poll_delay(job: &Job, now: Timestamp) -> Option<Duration> {
    let summary = JobSummary::of(job);
    let age = now.duration_since(summary.created_at);
    next_poll_ms(job.state(now), summary.percent, age).map(|ms| Duration::from_millis(ms.into()))
}

/// Returns the error of a job that has ended without a result. `state` is the state of the job.
pub(super) fn end_error(job: &Job, state: JobState) -> JobError {
    let summary = JobSummary::of(job);
    let last_attempt_at = summary.ended_at.map(time);
    if state == JobState::Expired {
        let texts = ApiError::Gone.texts();
        return JobError { code: texts.code, message: texts.detail, last_attempt_at };
    }
    let code = summary.failure.map_or(FailureCode::Internal, |failure| failure.code);
    JobError { code: code.as_str(), message: code.message(), last_attempt_at }
}

/// Returns the download URL of a job with its time of expiry.
pub(super) fn job_result(url: &PresignedUrl) -> JobResult {
    JobResult { url: url.url.expose_secret().to_owned(), expires_at: time(url.expires_at) }
}

/// Returns the documents of a job, which has one document or is a batch of many.
fn documents(job: &Job) -> &[Transfer] {
    match job {
        Job::One(transfer) => std::slice::from_ref(&**transfer),
        Job::Many { documents, .. } => documents,
    }
}

/// Returns the status of one document of a job.
fn item_status(document: &Transfer, now: Timestamp) -> JobItem {
    let state = JobState::of(document.phase, document.spec.retain_until, now);
    JobItem {
        file_id: document.file_id,
        obj_guid: document.file_id.is_none().then(|| document.object_guid.as_str().to_owned()),
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
pub(super) fn job_error(
    failure: Option<&Failure>,
    ended_at: Option<Timestamp>,
) -> Option<JobError> {
    let code = failure?.code;
    let last_attempt_at = ended_at.map(time);
    Some(JobError { code: code.as_str(), message: code.message(), last_attempt_at })
}

//! A job as callers see it.

use std::time::Duration;

use docferry_app::download::Job;
use docferry_app::ports::PresignedUrl;
use docferry_contract::job::{
    JobError, JobItem, JobResult, JobStatus, JobTransientError, Progress, Timestamps, time,
};
use docferry_domain::{
    Failure, FailureCode, JobState, Phase, Standing, Transfer, TransferId, TransientError,
    eta_seconds, next_poll_ms, percent,
};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use crate::problem::ApiError;

/// What the two kinds of jobs have in common.
struct Facts {
    percent: u8,
    attempts: u32,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    updated_at: Timestamp,
    ended_at: Option<Timestamp>,
    failure: Option<Failure>,
    failed_items: u16,
}

impl Facts {
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
            Job::Many { bundle, counts, documents } => Self {
                percent: bundle.percent(counts),
                attempts: bundle.retries + 1,
                created_at: bundle.created_at,
                started_at: documents.iter().filter_map(|document| document.started_at).min(),
                updated_at: documents
                    .iter()
                    .map(updated_at)
                    .chain([bundle.created_at])
                    .max()
                    .unwrap_or(bundle.created_at),
                ended_at: bundle.ended_at,
                failure: bundle.failure.clone(),
                // While documents are being resumed, the counts are those of the last run.
                failed_items: if bundle.resuming { 0 } else { counts.failed() },
            },
        }
    }
}

/// 1 for a transfer that ended without a delivery.
pub(super) fn failed_items(transfer: &Transfer) -> u16 {
    matches!(transfer.phase, Phase::Failed | Phase::Canceled).into()
}

/// The last that is known of a transfer.
pub(super) fn updated_at(transfer: &Transfer) -> Timestamp {
    let known = [
        transfer.ended_at,
        transfer.object.as_ref().map(|object| object.arrived_at),
        transfer.source.as_ref().map(|source| source.pushed_at),
        transfer.started_at,
        transfer.checkpoint.as_ref().and_then(|kept| kept.pace).map(|pace| pace.at),
    ];
    known.into_iter().flatten().max().unwrap_or(transfer.created_at).max(transfer.created_at)
}

/// The status of a job; `url` is where to fetch what it has delivered.
pub(super) fn describe(
    job: &Job,
    id: &TransferId,
    now: Timestamp,
    detail: bool,
    url: Option<&PresignedUrl>,
) -> JobStatus {
    let facts = Facts::of(job);
    let state = job.state(now);
    let moving = moving(job, now);
    let items: Vec<_> = documents(job).map(|document| item(document, now)).collect();
    let result = url.map(result);
    JobStatus {
        job_id: id.to_string(),
        status: state.as_str(),
        progress: if detail {
            Progress::Detail {
                percent: facts.percent,
                bytes_done: items.iter().map(|item| item.bytes_done).sum(),
                bytes_total: items.iter().map(|item| item.bytes_total).sum(),
                bytes_per_second: moving.map(|moving| moving.per_second),
                phase: job.phase().as_str(),
            }
        } else {
            Progress::Percent(facts.percent)
        },
        eta_seconds: moving.and_then(|moving| moving.eta),
        attempts: facts.attempts,
        tries: tries(job),
        last_transient_error: last_transient_error(job),
        failed_items: facts.failed_items,
        timestamps: Timestamps {
            queued_at: time(facts.created_at),
            started_at: facts.started_at.map(time),
            updated_at: time(facts.updated_at),
            completed_at: facts.ended_at.map(time),
        },
        completed_at: facts.ended_at.map(time),
        next_poll_in_ms: next_poll_ms(state, facts.percent, now.duration_since(facts.created_at)),
        url: result.as_ref().map(|result| result.url.clone()),
        result,
        error: (state == JobState::Failed)
            .then(|| error(facts.failure.as_ref(), facts.ended_at))
            .flatten(),
        items,
    }
}

/// Tries of the present step: of the documents that run, or else of all.
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

/// How a job stands, for those who follow it.
pub(super) fn standing(job: &Job, now: Timestamp) -> Standing {
    let facts = Facts::of(job);
    Standing {
        attempt: facts.attempts,
        state: job.state(now),
        percent: facts.percent,
        bytes_done: documents(job).map(|document| document.bytes_done).sum(),
    }
}

/// When to look again; `None` once nothing changes any more.
pub(super) fn next_poll(job: &Job, now: Timestamp) -> Option<Duration> {
    let facts = Facts::of(job);
    let age = now.duration_since(facts.created_at);
    next_poll_ms(job.state(now), facts.percent, age).map(|ms| Duration::from_millis(ms.into()))
}

/// Why a job has ended in this state without a result.
pub(super) fn ending(job: &Job, state: JobState) -> JobError {
    let facts = Facts::of(job);
    let last_attempt_at = facts.ended_at.map(time);
    if state == JobState::Expired {
        let (code, _, message) = ApiError::Gone.words();
        return JobError { code, message, last_attempt_at };
    }
    let code = facts.failure.map_or(FailureCode::Internal, |failure| failure.code);
    JobError { code: code.as_str(), message: code.message(), last_attempt_at }
}

/// How fast a job moves bytes now, and when it will be done by that.
#[derive(Debug, Clone, Copy)]
struct Moving {
    per_second: u64,
    eta: Option<u64>,
}

/// `None` while nothing moves, or nobody can tell how fast. Its end can be told once
/// the sizes of all documents are known.
fn moving(job: &Job, now: Timestamp) -> Option<Moving> {
    let running = |document: &&Transfer| !document.phase.is_terminal();
    let pace = |document: &Transfer| {
        let pace = document.checkpoint.as_ref().and_then(|kept| kept.pace);
        pace.filter(|_| document.phase == Phase::Uploading)
    };
    let speed = |document: &Transfer| pace(document)?.per_second(now);
    let per_second = documents(job).filter_map(speed).reduce(u64::saturating_add)?;
    let left: Option<u64> = documents(job)
        .filter(running)
        .map(|document| {
            let known = document.source.as_ref().filter(|_| document.phase > Phase::Pushing)?;
            let left = known.size.saturating_sub(document.bytes_done);
            // Bytes go on moving after the checkpoint that was measured last.
            Some(left.saturating_sub(pace(document).map_or(0, |pace| pace.moved_since(now))))
        })
        .sum();
    Some(Moving { per_second, eta: left.and_then(|left| eta_seconds(left, per_second)) })
}

/// Where to fetch what a job has delivered.
pub(super) fn result(url: &PresignedUrl) -> JobResult {
    JobResult { url: url.url.expose_secret().to_owned(), expires_at: time(url.expires_at) }
}

fn documents(job: &Job) -> impl Iterator<Item = &Transfer> {
    let documents = match job {
        Job::One(transfer) => std::slice::from_ref(&**transfer),
        Job::Many { documents, .. } => documents,
    };
    documents.iter()
}

fn item(document: &Transfer, now: Timestamp) -> JobItem {
    let state = JobState::of(document.phase, document.keep_until, now);
    JobItem {
        file_id: document.file_id,
        job_id: document.transfer_id.to_string(),
        status: state.as_str(),
        progress: percent(document),
        bytes_done: document.bytes_done,
        bytes_total: document.source.as_ref().map(|source| source.size),
        error: (state == JobState::Failed)
            .then(|| error(document.failure.as_ref(), document.ended_at))
            .flatten(),
    }
}

pub(super) fn error(failure: Option<&Failure>, at: Option<Timestamp>) -> Option<JobError> {
    let code = failure?.code;
    let last_attempt_at = at.map(time);
    Some(JobError { code: code.as_str(), message: code.message(), last_attempt_at })
}

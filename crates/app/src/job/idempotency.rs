//! Idempotent requests: repeating one with the same key returns the first response.

use docferry_domain::job::IdempotencyRecord;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{NewTransfer, Transfer};

use super::types::{AcceptedJob, IdempotencyKey, JobRejection};
use crate::TaskError;
use crate::batch::{CreateBatchResult, NewBatch, initiate_batch};
use crate::ports::{BatchStore, Clock, CreateResult, JobStore as _, SlotAdapters, Store};
use crate::slots::scheduler::SlotScheduler;
use crate::time::saturating_add;
use crate::transfer::create::{InitiateSettings, new_id, new_transfer};

/// Records one transfer as [`initiate`](crate::transfer::create::initiate) does, with an idempotency
/// key: repeating the request returns the first response.
///
/// The idempotency record expires before the record of the transfer, so the first response
/// never names a transfer that no longer exists.
///
/// # Errors
/// See [`JobRejection`], except for [`JobRejection::Unknown`].
pub async fn initiate_idempotent<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    settings: InitiateSettings,
    new: NewTransfer,
    name: &IdempotencyKey,
) -> Result<AcceptedJob, JobRejection> {
    let now = scheduler.clock.now();
    let job =
        AcceptedJob { job_id: new_id(now), retain_until: saturating_add(now, settings.record_ttl) };
    let new_record = Wanted::One(Box::new(new_transfer(settings, job.job_id.clone(), new, now)));
    record_idempotent(scheduler, settings, &new_record, Some(name), &job).await
}

/// The record that a request creates.
pub(super) enum Wanted {
    One(Box<Transfer>),
    Many(Box<NewBatch>),
}

/// Records a job with its request's idempotency key, or returns the response of the first
/// request with that key.
pub(super) async fn record_idempotent<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    settings: InitiateSettings,
    new_record: &Wanted,
    name: Option<&IdempotencyKey>,
    job: &AcceptedJob,
) -> Result<AcceptedJob, JobRejection> {
    let request = name.cloned().map(|IdempotencyKey { key, fingerprint }| IdempotencyRecord {
        key,
        fingerprint,
        job_id: job.job_id.clone(),
        retain_until: job.retain_until,
    });
    // Two rounds: if the first request with the key was abandoned, its idempotency record is
    // deleted and the key is used for this request.
    for _ in 0..2 {
        let recorded = record(scheduler, settings, new_record, job, request.as_ref());
        let Some(existing) = recorded.await? else { return Ok(job.clone()) };
        if let Some(accepted) = first_response(scheduler.store, name, &existing).await? {
            return Ok(accepted);
        }
        scheduler.store.delete_idempotency_record(&existing).await.map_err(TaskError::from)?;
    }
    Err(JobRejection::Pending)
}

/// Returns the response of the first request with that key, without creating anything; `None`
/// when there was none.
///
/// # Errors
/// As [`initiate_job`](super::initiate_job).
pub async fn first_accepted_job<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    name: Option<&IdempotencyKey>,
) -> Result<Option<AcceptedJob>, JobRejection> {
    let Some(IdempotencyKey { key, .. }) = name else { return Ok(None) };
    let (store, now) = (scheduler.store, scheduler.clock.now());
    match store.request(key, now).await.map_err(TaskError::from)? {
        Some(existing) => first_response(store, name, &existing).await,
        None => Ok(None),
    }
}

/// Returns the response of the earlier request with that key; `None` when that request was
/// abandoned.
async fn first_response(
    store: &impl BatchStore,
    name: Option<&IdempotencyKey>,
    existing: &IdempotencyRecord,
) -> Result<Option<AcceptedJob>, JobRejection> {
    let batch = store.batch(&existing.job_id).await.map_err(TaskError::from)?;
    if batch.as_ref().is_some_and(|(batch, counts)| batch.was_abandoned(counts)) {
        return Ok(None);
    }
    if name.is_some_and(|name| name.fingerprint != existing.fingerprint) {
        return Err(JobRejection::KeyReused);
    }
    if batch.is_some_and(|(batch, _)| batch.phase == Phase::Accepted) {
        return Err(JobRejection::Pending);
    }
    Ok(Some(AcceptedJob { job_id: existing.job_id.clone(), retain_until: existing.retain_until }))
}

/// Records the job. Returns the idempotency record of an earlier request with that key, if
/// there is one; then nothing is recorded.
async fn record<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    settings: InitiateSettings,
    new_record: &Wanted,
    job: &AcceptedJob,
    request: Option<&IdempotencyRecord>,
) -> Result<Option<IdempotencyRecord>, TaskError> {
    Ok(match new_record {
        Wanted::One(transfer) => match scheduler.create_transfer(transfer, request).await? {
            CreateResult::AlreadyExists(existing) => Some(existing),
            CreateResult::Done | CreateResult::SlotsChanged => None,
        },
        Wanted::Many(batch) => {
            let (id, many) = (job.job_id.clone(), (**batch).clone());
            match initiate_batch(scheduler, settings, id, many, request).await? {
                CreateBatchResult::Created(_) => None,
                CreateBatchResult::AlreadyExists(existing) => Some(existing),
            }
        }
    })
}

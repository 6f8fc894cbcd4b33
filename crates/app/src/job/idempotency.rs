//! Idempotent requests for jobs and transfers.
//!
//! A caller can send an *idempotency key* with a request. If the caller repeats the request with
//! the same key, docferry creates nothing and returns the response of the first request. The
//! *idempotency record* stores the key, a fingerprint of the request, and the response.
//!
//! A request may create a *batch*, a job of many documents. If its process dies before all of its
//! documents are recorded, the batch is *abandoned*, and a repeated request may use the key again.

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

/// Maximum number of rounds in which a request tries to record its job. If an earlier request with
/// the key was abandoned, the first round deletes its idempotency record, and the second round uses
/// the key for this request.
const MAX_ROUNDS: usize = 2;

/// Records one transfer with an idempotency key. A repeated request returns the response of the
/// first request. Without a key, callers use [`initiate`](crate::transfer::create::initiate).
///
/// The idempotency record expires before the record of the transfer. A repeated request therefore
/// never returns the id of a transfer that no longer exists.
///
/// # Errors
/// See [`JobRejection`], except for [`JobRejection::Unknown`].
pub async fn initiate_idempotent<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    settings: InitiateSettings,
    new: NewTransfer,
    idempotency_key: &IdempotencyKey,
) -> Result<AcceptedJob, JobRejection> {
    let now = scheduler.clock.now();
    let job =
        AcceptedJob { job_id: new_id(now), retain_until: saturating_add(now, settings.record_ttl) };
    let new_record = NewRecord::One(Box::new(new_transfer(settings, job.job_id.clone(), new, now)));
    record_idempotent(scheduler, settings, &new_record, Some(idempotency_key), &job).await
}

/// The record that a request creates.
pub(super) enum NewRecord {
    /// A transfer, for a job of one document.
    One(Box<Transfer>),
    /// A batch, for a job of many documents.
    Many(Box<NewBatch>),
}

/// Records a job with its request's idempotency key, or returns the response of the first
/// request with that key.
pub(super) async fn record_idempotent<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    settings: InitiateSettings,
    new_record: &NewRecord,
    idempotency_key: Option<&IdempotencyKey>,
    job: &AcceptedJob,
) -> Result<AcceptedJob, JobRejection> {
    let request =
        idempotency_key.cloned().map(|IdempotencyKey { key, fingerprint }| IdempotencyRecord {
            key,
            fingerprint,
            job_id: job.job_id.clone(),
            retain_until: job.retain_until,
        });
    for _ in 0..MAX_ROUNDS {
        let earlier = record_job(scheduler, settings, new_record, job, request.as_ref());
        let Some(earlier_record) = earlier.await? else { return Ok(job.clone()) };
        if let Some(accepted) =
            first_response(scheduler.store, idempotency_key, &earlier_record).await?
        {
            return Ok(accepted);
        }
        scheduler
            .store
            .delete_idempotency_record(&earlier_record)
            .await
            .map_err(TaskError::from)?;
    }
    Err(JobRejection::Pending)
}

/// Returns the response of the first request with this key; `None` when there was no such request.
/// Creates nothing.
///
/// # Errors
/// The errors of [`initiate_job`](super::initiate_job).
pub async fn first_accepted_job<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    idempotency_key: Option<&IdempotencyKey>,
) -> Result<Option<AcceptedJob>, JobRejection> {
    let Some(IdempotencyKey { key, .. }) = idempotency_key else { return Ok(None) };
    let (store, now) = (scheduler.store, scheduler.clock.now());
    match store.request(key, now).await.map_err(TaskError::from)? {
        Some(earlier_record) => first_response(store, idempotency_key, &earlier_record).await,
        None => Ok(None),
    }
}

/// Returns the response of the earlier request with the same key; `None` if its batch was
/// abandoned.
async fn first_response(
    store: &impl BatchStore,
    idempotency_key: Option<&IdempotencyKey>,
    earlier_record: &IdempotencyRecord,
) -> Result<Option<AcceptedJob>, JobRejection> {
    let batch = store.batch(&earlier_record.job_id).await.map_err(TaskError::from)?;
    if batch.as_ref().is_some_and(|(batch, counts)| batch.was_abandoned(counts)) {
        return Ok(None);
    }
    if idempotency_key.is_some_and(|sent| sent.fingerprint != earlier_record.fingerprint) {
        return Err(JobRejection::KeyReused);
    }
    if batch.is_some_and(|(batch, _)| batch.phase == Phase::Accepted) {
        return Err(JobRejection::Pending);
    }
    Ok(Some(AcceptedJob {
        job_id: earlier_record.job_id.clone(),
        retain_until: earlier_record.retain_until,
    }))
}

/// Records the job and returns `None`. If an earlier request has used the key, records nothing and
/// returns the idempotency record of the earlier request.
async fn record_job<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    settings: InitiateSettings,
    new_record: &NewRecord,
    job: &AcceptedJob,
    request: Option<&IdempotencyRecord>,
) -> Result<Option<IdempotencyRecord>, TaskError> {
    Ok(match new_record {
        NewRecord::One(transfer) => match scheduler.create_transfer(transfer, request).await? {
            CreateResult::AlreadyExists(earlier_record) => Some(earlier_record),
            CreateResult::Done | CreateResult::SlotsChanged => None,
        },
        NewRecord::Many(batch) => {
            let (id, batch) = (job.job_id.clone(), (**batch).clone());
            match initiate_batch(scheduler, settings, id, batch, request).await? {
                CreateBatchResult::Created(_) => None,
                CreateBatchResult::AlreadyExists(earlier_record) => Some(earlier_record),
            }
        }
    })
}

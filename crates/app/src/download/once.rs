//! Idempotent requests: repeating one with the same key returns the first response.

use docferry_domain::{NamedRequest, NewTransfer, Phase, Transfer};

use super::initiate::{NotPromised, Promised, RequestName};
use crate::TaskError;
use crate::admit::Admitter;
use crate::bundle::{Initiated, NewBundle, initiate_bundle};
use crate::initiate::{InitiateSettings, later, new_id, new_transfer};
use crate::ports::{BundleStore, Clock, Entered, Store, Workflow};

/// Records one transfer as [`initiate`](crate::initiate::initiate) does, with an idempotency
/// key: repeating the request returns the first response.
///
/// The idempotency record expires before the record of the transfer, so the first response
/// never names a transfer that no longer exists.
///
/// # Errors
/// See [`NotPromised`], except for [`NotPromised::Unknown`].
pub async fn initiate_once<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    settings: InitiateSettings,
    new: NewTransfer,
    name: &RequestName,
) -> Result<Promised, NotPromised>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let now = admitter.clock.now();
    let job = Promised { job_id: new_id(now), keep_until: later(now, settings.record_ttl) };
    let new_record = Wanted::One(Box::new(new_transfer(settings, job.job_id.clone(), new, now)));
    record_once(admitter, settings, &new_record, Some(name), &job).await
}

/// The record that a request creates.
pub(super) enum Wanted {
    One(Box<Transfer>),
    Many(Box<NewBundle>),
}

/// Records a job with its request's idempotency key, or returns the response of the first
/// request with that key.
pub(super) async fn record_once<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    settings: InitiateSettings,
    new_record: &Wanted,
    name: Option<&RequestName>,
    job: &Promised,
) -> Result<Promised, NotPromised>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let request = name.cloned().map(|RequestName { key, fingerprint }| NamedRequest {
        key,
        fingerprint,
        job_id: job.job_id.clone(),
        keep_until: job.keep_until,
    });
    // Two rounds: if the first request with the key was abandoned, its idempotency record is
    // deleted and the key is used for this request.
    for _ in 0..2 {
        let recorded = record(admitter, settings, new_record, job, request.as_ref());
        let Some(existing) = recorded.await? else { return Ok(job.clone()) };
        if let Some(accepted) = first_response(admitter.store, name, &existing).await? {
            return Ok(accepted);
        }
        admitter.store.forget_request(&existing).await.map_err(TaskError::from)?;
    }
    Err(NotPromised::Pending)
}

/// Returns the response of the first request with that key, without creating anything; `None`
/// when there was none.
///
/// # Errors
/// As [`initiate_job`](super::initiate_job).
pub async fn promised_before<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    name: Option<&RequestName>,
) -> Result<Option<Promised>, NotPromised>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let Some(RequestName { key, .. }) = name else { return Ok(None) };
    let (store, now) = (admitter.store, admitter.clock.now());
    match store.request(key, now).await.map_err(TaskError::from)? {
        Some(existing) => first_response(store, name, &existing).await,
        None => Ok(None),
    }
}

/// Returns the response of the earlier request with that key; `None` when that request was
/// abandoned.
async fn first_response(
    store: &impl BundleStore,
    name: Option<&RequestName>,
    existing: &NamedRequest,
) -> Result<Option<Promised>, NotPromised> {
    let batch = store.bundle(&existing.job_id).await.map_err(TaskError::from)?;
    if batch.as_ref().is_some_and(|(bundle, counts)| bundle.was_abandoned(counts)) {
        return Ok(None);
    }
    if name.is_some_and(|name| name.fingerprint != existing.fingerprint) {
        return Err(NotPromised::OtherRequest);
    }
    if batch.is_some_and(|(bundle, _)| bundle.phase == Phase::Accepted) {
        return Err(NotPromised::Pending);
    }
    Ok(Some(Promised { job_id: existing.job_id.clone(), keep_until: existing.keep_until }))
}

/// Records the job. Returns the idempotency record of an earlier request with that key, if
/// there is one; then nothing is recorded.
async fn record<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    settings: InitiateSettings,
    new_record: &Wanted,
    job: &Promised,
    request: Option<&NamedRequest>,
) -> Result<Option<NamedRequest>, TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    Ok(match new_record {
        Wanted::One(transfer) => match admitter.enter(transfer, request).await? {
            Entered::Before(existing) => Some(existing),
            Entered::Done | Entered::SlotsChanged => None,
        },
        Wanted::Many(bundle) => {
            let (id, many) = (job.job_id.clone(), (**bundle).clone());
            match initiate_bundle(admitter, settings, id, many, request).await? {
                Initiated::Promised(_) => None,
                Initiated::Before(existing) => Some(existing),
            }
        }
    })
}

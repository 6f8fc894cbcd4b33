//! Idempotent requests: repeating one under the same name returns the first answer.

use docferry_domain::{NamedRequest, NewTransfer, Phase, Transfer};

use super::initiate::{NotPromised, Promised, RequestName};
use crate::TaskError;
use crate::admit::Admitter;
use crate::bundle::{Initiated, NewBundle, initiate_bundle};
use crate::initiate::{InitiateSettings, later, new_id, new_transfer};
use crate::ports::{BundleStore, Clock, Entered, Store, Workflow};

/// Records one transfer as [`initiate`](crate::initiate::initiate) does, under a name:
/// repeating the request returns the first answer.
///
/// The name expires before the record of the transfer does, so the first answer never
/// names a transfer that is gone.
///
/// # Errors
/// See [`NotPromised`]; [`NotPromised::Unknown`] is not among them.
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
    let wanted = Wanted::One(Box::new(new_transfer(settings, job.job_id.clone(), new, now)));
    record_once(admitter, settings, &wanted, Some(name), &job).await
}

/// The record that a request makes.
pub(super) enum Wanted {
    One(Box<Transfer>),
    Many(Box<NewBundle>),
}

/// Records a job under its request's name, or returns the answer of the first request of
/// that name.
pub(super) async fn record_once<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    settings: InitiateSettings,
    wanted: &Wanted,
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
    // Twice: a name whose request came to nothing is free again.
    for _ in 0..2 {
        let recorded = record(admitter, settings, wanted, job, request.as_ref());
        let Some(before) = recorded.await? else { return Ok(job.clone()) };
        if let Some(promised) = again(admitter.store, name, &before).await? {
            return Ok(promised);
        }
        admitter.store.forget_request(&before).await.map_err(TaskError::from)?;
    }
    Err(NotPromised::Pending)
}

/// What the first request of that name was promised, without making anything: `None`
/// when there was none.
///
/// # Errors
/// As [`initiate_job`].
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
        Some(before) => again(store, name, &before).await,
        None => Ok(None),
    }
}

/// The answer that the earlier request of that name got: `None` when it came to nothing.
async fn again(
    store: &impl BundleStore,
    name: Option<&RequestName>,
    before: &NamedRequest,
) -> Result<Option<Promised>, NotPromised> {
    let stands = store.bundle(&before.job_id).await.map_err(TaskError::from)?;
    if stands.as_ref().is_some_and(|(bundle, counts)| bundle.was_abandoned(counts)) {
        return Ok(None);
    }
    if name.is_some_and(|name| name.fingerprint != before.fingerprint) {
        return Err(NotPromised::OtherRequest);
    }
    if stands.is_some_and(|(bundle, _)| bundle.phase == Phase::Accepted) {
        return Err(NotPromised::Pending);
    }
    Ok(Some(Promised { job_id: before.job_id.clone(), keep_until: before.keep_until }))
}

/// The earlier request of that name, if there was one: nothing is recorded then.
async fn record<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    settings: InitiateSettings,
    wanted: &Wanted,
    job: &Promised,
    request: Option<&NamedRequest>,
) -> Result<Option<NamedRequest>, TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    Ok(match wanted {
        Wanted::One(transfer) => match admitter.enter(transfer, request).await? {
            Entered::Before(before) => Some(before),
            Entered::Done | Entered::SlotsChanged => None,
        },
        Wanted::Many(bundle) => {
            let (id, many) = (job.job_id.clone(), (**bundle).clone());
            match initiate_bundle(admitter, settings, id, many, request).await? {
                Initiated::Promised(_) => None,
                Initiated::Before(before) => Some(before),
            }
        }
    })
}

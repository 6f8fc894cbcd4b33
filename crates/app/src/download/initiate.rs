//! A caller asks for a job: what it is promised, and again when it asks again.

use docferry_domain::{
    CallbackUrl, FileId, NamedRequest, NewTransfer, ObjectGuid, OnItemError, Person, Phase,
    Priority, Target, Transfer, TransferId,
};
use jiff::{SignedDuration, Timestamp};

use crate::admit::Admitter;
use crate::bundle::{Initiated, NewBundle, initiate_bundle};
use crate::initiate::{InitiateSettings, later, new_bundle_id, new_id};
use crate::ports::{BundleStore, Clock, DocumentIndex, Entered, Store, Workflow};
use crate::{TaskError, trace};

/// What somebody asks for, checked but for whether there are such documents.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// The principal that asks.
    pub owner: String,
    /// For whom, when that is somebody else.
    pub on_behalf_of: Option<Person>,
    /// The documents, 1 to 1000.
    pub files: Vec<FileId>,
    /// A job of one document that was asked for as one.
    pub is_single: bool,
    /// Where they go.
    pub target: Target,
    /// How urgent they are.
    pub priority: Priority,
    /// What becomes of all when one fails.
    pub on_item_error: OnItemError,
    /// Where its end is told to.
    pub callback: Option<CallbackUrl>,
    /// The name that its caller gave the request.
    pub name: Option<RequestName>,
}

/// By which a caller knows a request that it may send again. Both are hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestName {
    /// Of the caller and its name for the request.
    pub key: String,
    /// Of what it asks for.
    pub fingerprint: String,
}

/// Limits of jobs.
#[derive(Debug, Clone, Copy)]
pub struct JobSettings {
    /// For each transfer.
    pub initiate: InitiateSettings,
    /// How long a job and what it has delivered are kept, from the request on.
    pub job_ttl: SignedDuration,
}

/// A job that was promised.
#[derive(Debug, Clone)]
pub struct Promised {
    /// What to poll with.
    pub job_id: TransferId,
    /// Until when it and what it delivers are kept.
    pub keep_until: Timestamp,
}

/// Why a job was not promised.
#[derive(Debug, thiserror::Error)]
pub enum NotPromised {
    /// Nobody knows these documents; by their places in the request.
    #[error("some documents are not known")]
    Unknown(Vec<usize>),
    /// The name was given to a request for something else.
    #[error("the name was given to another request")]
    OtherRequest,
    /// The first request of that name is still being recorded.
    #[error("the request is still being recorded")]
    Pending,
    /// The service cannot do it now.
    #[error(transparent)]
    Failed(#[from] TaskError),
}

/// Records a job and lets it go when it is its turn. A request that has a name makes
/// one job, however often it comes: the first answer is given again, also when its
/// documents are not known any more.
///
/// # Errors
/// See [`NotPromised`].
pub async fn initiate_job<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    index: &impl DocumentIndex,
    settings: JobSettings,
    new: NewJob,
) -> Result<Promised, NotPromised>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let documents = match look_up(index, &new.files).await {
        Ok(documents) => documents,
        Err(refused) => {
            let before = promised_before(admitter, new.name.as_ref()).await?;
            return before.ok_or(refused);
        }
    };
    let now = admitter.clock.now();
    let job_id = if new.is_single { new_id(now) } else { new_bundle_id(now) };
    let job = Promised { job_id, keep_until: later(now, settings.job_ttl) };
    let request = new.name.clone().map(|RequestName { key, fingerprint }| NamedRequest {
        key,
        fingerprint,
        job_id: job.job_id.clone(),
        keep_until: job.keep_until,
    });
    // Twice: a name whose request came to nothing is free again.
    for _ in 0..2 {
        let recorded = record(admitter, settings, &new, &documents, &job, request.as_ref());
        let Some(before) = recorded.await? else { return Ok(job) };
        if let Some(promised) = again(admitter.store, new.name.as_ref(), &before).await? {
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

/// Where the documents of these numbers are.
async fn look_up(
    index: &impl DocumentIndex,
    files: &[FileId],
) -> Result<Vec<(ObjectGuid, Option<FileId>)>, NotPromised> {
    let known = index.look_up(files).await.map_err(TaskError::from)?;
    let guid = |file: &FileId| known.get(file).map(|document| document.object_guid.clone());
    let found: Vec<Option<ObjectGuid>> = files.iter().map(guid).collect();
    let unknown: Vec<_> = (0..found.len()).filter(|&n| found[n].is_none()).collect();
    if !unknown.is_empty() {
        return Err(NotPromised::Unknown(unknown));
    }
    Ok(found.into_iter().flatten().zip(files.iter().copied().map(Some)).collect())
}

/// The earlier request of that name, if there was one: nothing is recorded then.
async fn record<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    settings: JobSettings,
    new: &NewJob,
    documents: &[(ObjectGuid, Option<FileId>)],
    job: &Promised,
    request: Option<&NamedRequest>,
) -> Result<Option<NamedRequest>, TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let NewJob { owner, on_behalf_of, target, priority, on_item_error, callback, .. } = new.clone();
    let keep_until = Some(job.keep_until);
    let id = job.job_id.clone();
    let single = documents.first().filter(|_| new.is_single).cloned();
    if let Some((object_guid, file_id)) = single {
        let one = NewTransfer {
            owner,
            on_behalf_of,
            object_guid,
            file_id,
            target,
            priority,
            keep_until,
            callback,
        };
        let now = admitter.clock.now();
        let deadline = later(now, settings.initiate.transfer_deadline);
        let made = Transfer::new(id, one, now, deadline);
        let transfer = Transfer { trace: trace::current(), ..made };
        let entered = admitter.enter(&transfer, request).await?;
        return Ok(match entered {
            Entered::Before(before) => Some(before),
            Entered::Done | Entered::SlotsChanged => None,
        });
    }
    let documents = documents.to_vec();
    let many = NewBundle {
        owner,
        on_behalf_of,
        documents,
        target,
        priority,
        keep_until,
        callback,
        on_item_error,
    };
    Ok(match initiate_bundle(admitter, settings.initiate, id, many, request).await? {
        Initiated::Promised(_) => None,
        Initiated::Before(before) => Some(before),
    })
}

//! Jobs of the downloads API: one document is a transfer, many are a bundle.

use docferry_domain::{
    Artifact, Bundle, BundleCounts, CallbackUrl, Delivery, DocumentName, FileId, JobState,
    NamedRequest, NewTransfer, ObjectGuid, OnItemError, Person, Phase, Priority, Target, Transfer,
    TransferId,
};
use jiff::{SignedDuration, Timestamp};

use crate::admit::Admitter;
use crate::bundle::{Initiated, NewBundle, cancel_bundle, initiate_bundle};
use crate::control::terminate;
use crate::initiate::{InitiateSettings, later, new_bundle_id, new_id};
use crate::ports::{
    BundleStore, Clock, DocumentIndex, Entered, Store, StoreError, TransferStore, Workflow,
};
use crate::query::is_kept;
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
/// one job, however often it comes: the first answer is given again.
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
    let known = index.look_up(&new.files).await.map_err(TaskError::from)?;
    let guid = |file: &FileId| known.get(file).map(|document| document.object_guid.clone());
    let found: Vec<Option<ObjectGuid>> = new.files.iter().map(guid).collect();
    let unknown: Vec<_> = (0..found.len()).filter(|&n| found[n].is_none()).collect();
    if !unknown.is_empty() {
        return Err(NotPromised::Unknown(unknown));
    }
    let documents: Vec<_> =
        found.into_iter().flatten().zip(new.files.iter().copied().map(Some)).collect();
    let now = admitter.clock.now();
    let job_id = if new.is_single { new_id(now) } else { new_bundle_id(now) };
    let job = Promised { job_id, keep_until: later(now, settings.job_ttl) };
    let request = new.name.clone().map(|RequestName { key, fingerprint }| NamedRequest {
        key,
        fingerprint,
        job_id: job.job_id.clone(),
        keep_until: job.keep_until,
    });
    let mut before =
        match record(admitter, settings, &new, &documents, &job, request.as_ref()).await? {
            None => return Ok(job),
            Some(before) => before,
        };
    let mut stands = admitter.store.bundle(&before.job_id).await.map_err(TaskError::from)?;
    // Once: a name whose request came to nothing is free again.
    if stands.as_ref().is_some_and(|(bundle, counts)| bundle.was_abandoned(counts)) {
        admitter.store.forget_request(&before).await.map_err(TaskError::from)?;
        match record(admitter, settings, &new, &documents, &job, request.as_ref()).await? {
            None => return Ok(job),
            Some(other) => before = other,
        }
        stands = admitter.store.bundle(&before.job_id).await.map_err(TaskError::from)?;
    }
    if request.is_some_and(|request| request.fingerprint != before.fingerprint) {
        return Err(NotPromised::OtherRequest);
    }
    if stands.is_some_and(|(bundle, _)| bundle.phase == Phase::Accepted) {
        return Err(NotPromised::Pending);
    }
    Ok(Promised { job_id: before.job_id, keep_until: before.keep_until })
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

/// A job as it stands.
#[derive(Debug, Clone)]
pub enum Job {
    /// Of one document, or one document of a job of many.
    One(Box<Transfer>),
    /// Of many.
    Many {
        /// What they have in common.
        bundle: Box<Bundle>,
        /// How far they are.
        counts: BundleCounts,
        /// Each of them, where they were asked for.
        documents: Vec<Transfer>,
    },
}

impl Job {
    /// Where it stands.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self {
            Self::One(transfer) => transfer.phase,
            Self::Many { bundle, .. } => bundle.phase,
        }
    }

    /// How it stands, for whoever asked for it.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> JobState {
        match self {
            Self::One(transfer) => JobState::of(transfer.phase, transfer.keep_until, now),
            Self::Many { bundle, .. } => JobState::of(bundle.phase, bundle.keep_until, now),
        }
    }

    /// What it has delivered for being fetched, and what that is called; a job of many
    /// has it document by document.
    #[must_use]
    pub fn artifact(&self) -> Option<(&Artifact, &DocumentName, Option<&str>)> {
        let Self::One(transfer) = self else { return None };
        let (delivery, source) = (transfer.delivery.as_ref()?, transfer.source.as_ref()?);
        match delivery {
            Delivery::Download(artifact) if transfer.phase == Phase::Completed => {
                Some((artifact, &source.name, source.mime.as_deref()))
            }
            _ => None,
        }
    }

    /// How often its owner had it run again.
    #[must_use]
    pub const fn retries(&self) -> u32 {
        match self {
            Self::One(transfer) => transfer.retries,
            Self::Many { bundle, .. } => bundle.retries,
        }
    }

    fn owner(&self) -> &str {
        match self {
            Self::One(transfer) => &transfer.owner,
            Self::Many { bundle, .. } => &bundle.owner,
        }
    }

    fn is_shown(&self, record_ttl: SignedDuration, owner: &str, now: Timestamp) -> bool {
        let ended_at = match self {
            Self::One(transfer) => transfer.ended_at,
            Self::Many { bundle, .. } => bundle.ended_at,
        };
        self.owner() == owner && is_kept(ended_at, record_ttl, now)
    }
}

/// Most documents that are read of one job.
const ALL: usize = 1000;

/// The job, if it exists and belongs to `owner`: a foreign id looks exactly like an
/// unknown one. So does one that ended longer than `record_ttl` ago.
///
/// # Errors
/// Only the store's.
pub async fn job_of<S: TransferStore + BundleStore>(
    store: &S,
    clock: &impl Clock,
    record_ttl: SignedDuration,
    owner: &str,
    id: &TransferId,
) -> Result<Option<Job>, StoreError> {
    let job =
        match one_of(store, id).await? {
            Some(one) => Some(one),
            None => store.whole_bundle(id, ALL).await?.map(|(bundle, counts, documents)| {
                Job::Many { bundle: Box::new(bundle), counts, documents }
            }),
        };
    Ok(job.filter(|job| job.is_shown(record_ttl, owner, clock.now())))
}

/// As [`job_of`], but of a job of many without its documents: one read, however many.
///
/// # Errors
/// Only the store's.
pub(crate) async fn head_of<S: TransferStore + BundleStore>(
    store: &S,
    clock: &impl Clock,
    record_ttl: SignedDuration,
    owner: &str,
    id: &TransferId,
) -> Result<Option<Job>, StoreError> {
    let job = match one_of(store, id).await? {
        Some(one) => Some(one),
        None => store.bundle(id).await?.map(|(bundle, counts)| Job::Many {
            bundle: Box::new(bundle),
            counts,
            documents: Vec::new(),
        }),
    };
    Ok(job.filter(|job| job.is_shown(record_ttl, owner, clock.now())))
}

/// The job of one document of that id.
async fn one_of(store: &impl TransferStore, id: &TransferId) -> Result<Option<Job>, StoreError> {
    let one = if id.is_of_bundle() { None } else { store.get(id).await? };
    Ok(one.map(|transfer| Job::One(Box::new(transfer))))
}

/// What came of a wish to stop a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canceling {
    /// It will be noticed at the next step or checkpoint.
    Asked,
    /// It had ended before.
    Ended,
    /// There is no such job.
    Unknown,
}

/// Asks a job to stop, as [`terminate`] does.
///
/// # Errors
/// The store's; asking again is harmless.
pub async fn cancel_job<S, W, C>(
    admitter: &Admitter<'_, S, W, C>,
    record_ttl: SignedDuration,
    owner: &str,
    id: &TransferId,
) -> Result<Canceling, TaskError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    match head_of(admitter.store, admitter.clock, record_ttl, owner, id).await? {
        None => Ok(Canceling::Unknown),
        Some(job) if job.phase().is_terminal() => Ok(Canceling::Ended),
        Some(Job::One(_)) => {
            terminate(admitter, record_ttl, owner, std::slice::from_ref(id)).await?;
            Ok(Canceling::Asked)
        }
        Some(Job::Many { .. }) => {
            cancel_bundle(admitter, record_ttl, owner, id).await?;
            Ok(Canceling::Asked)
        }
    }
}

//! Jobs of the downloads API: one document is a transfer, many are a bundle.

use docferry_domain::{
    Artifact, Bundle, BundleCounts, Delivery, DocumentName, FileId, JobState, NewTransfer,
    ObjectGuid, OnItemError, Phase, Priority, Target, Transfer, TransferId,
};
use jiff::{SignedDuration, Timestamp};

use crate::TaskError;
use crate::admit::Admitter;
use crate::bundle::{NewBundle, cancel_bundle, initiate_bundle};
use crate::control::terminate;
use crate::initiate::{InitiateSettings, initiate, later};
use crate::ports::{BundleStore, Clock, DocumentIndex, Store, StoreError, TransferStore, Workflow};

/// What somebody asks for, checked but for whether there are such documents.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// The principal that asks.
    pub owner: String,
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
    /// The service cannot do it now.
    #[error(transparent)]
    Failed(#[from] TaskError),
}

/// Records a job and lets it go when it is its turn.
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
    let mut documents: Vec<_> =
        found.into_iter().flatten().zip(new.files.iter().copied().map(Some)).collect();
    let keep_until = later(admitter.clock.now(), settings.job_ttl);
    let NewJob { owner, target, priority, on_item_error, .. } = new;
    let single = if new.is_single { documents.pop() } else { None };
    let job_id = if let Some((object_guid, file_id)) = single {
        let keep_until = Some(keep_until);
        let one = NewTransfer { owner, object_guid, file_id, target, priority, keep_until };
        initiate(admitter, settings.initiate, one).await?.transfer_id
    } else {
        let keep_until = Some(keep_until);
        let many = NewBundle { owner, documents, target, priority, keep_until, on_item_error };
        initiate_bundle(admitter, settings.initiate, many).await?.bundle_id
    };
    Ok(Promised { job_id, keep_until })
}

/// A job as it stands.
#[derive(Debug, Clone)]
pub enum Job {
    /// Of one document, or one document of a job of many.
    One(Box<Transfer>),
    /// Of many.
    Many {
        /// What they have in common.
        bundle: Bundle,
        /// How far they are.
        counts: BundleCounts,
        /// Each of them.
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

    fn owner(&self) -> &str {
        match self {
            Self::One(transfer) => &transfer.owner,
            Self::Many { bundle, .. } => &bundle.owner,
        }
    }

    fn ended_at(&self) -> Option<Timestamp> {
        match self {
            Self::One(transfer) => transfer.ended_at,
            Self::Many { bundle, .. } => bundle.ended_at,
        }
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
    let now = clock.now();
    let job = match store.get(id).await? {
        Some(transfer) => Job::One(Box::new(transfer)),
        None => match store.bundle(id).await? {
            Some((bundle, counts)) => {
                let documents = store.documents(id, 0, ALL).await?;
                Job::Many { bundle, counts, documents }
            }
            None => return Ok(None),
        },
    };
    let is_kept = job.ended_at().is_none_or(|ended| later(ended, record_ttl) > now);
    Ok(Some(job).filter(|job| job.owner() == owner && is_kept))
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
    match job_of(admitter.store, admitter.clock, record_ttl, owner, id).await? {
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

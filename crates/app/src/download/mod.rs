//! Jobs of the downloads API: one document is a transfer, many are a bundle.

mod initiate;
mod once;

use docferry_domain::{
    Artifact, Bundle, BundleCounts, Delivery, DocumentName, JobState, Phase, Transfer, TransferId,
};
use jiff::{SignedDuration, Timestamp};

use crate::TaskError;
use crate::admit::Admitter;
use crate::bundle::cancel_bundle;
use crate::control::terminate;
use crate::ports::{BundleStore, Clock, Store, StoreError, TransferStore, Workflow};
use crate::query::is_kept;

pub use initiate::{JobSettings, NewJob, NotPromised, Promised, RequestName, initiate_job};
pub use once::{initiate_once, promised_before};

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

    /// The one object that it has delivered for being fetched; `None` for a job of many,
    /// which has one a document.
    #[must_use]
    pub fn artifact(&self) -> Option<FetchableArtifact<'_>> {
        let Self::One(transfer) = self else { return None };
        FetchableArtifact::of(transfer)
    }

    /// Its documents that were delivered, in the order of the request.
    pub fn delivered(&self) -> impl Iterator<Item = &Transfer> {
        let documents = match self {
            Self::One(transfer) => std::slice::from_ref(&**transfer),
            Self::Many { documents, .. } => documents,
        };
        documents.iter().filter(|document| document.phase == Phase::Completed)
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

/// An object of the delivery bucket, with what a fetched copy of it is called.
#[derive(Debug, Clone, Copy)]
pub struct FetchableArtifact<'a> {
    /// The object.
    pub artifact: &'a Artifact,
    /// The name of the copy.
    pub name: &'a DocumentName,
    /// Its media type, if its source named one.
    pub mime: Option<&'a str>,
}

impl<'a> FetchableArtifact<'a> {
    /// The object that a completed download has delivered.
    #[must_use]
    pub fn of(transfer: &'a Transfer) -> Option<Self> {
        let source = transfer.source.as_ref()?;
        match transfer.delivery.as_ref()? {
            Delivery::Download(artifact) if transfer.phase == Phase::Completed => {
                Some(Self { artifact, name: &source.name, mime: source.mime.as_deref() })
            }
            _ => None,
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

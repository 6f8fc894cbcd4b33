//! Reading of jobs, for the routes that show, retry and cancel them. A job is one request of an
//! owner: a single transfer, or a batch of documents.

use docferry_domain::document::{Artifact, DocumentName};
use docferry_domain::ids::TransferId;
use docferry_domain::job::{Batch, BatchCounts, JobState};
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Delivery, Transfer};
use jiff::{SignedDuration, Timestamp};

use crate::ports::{BatchStore, Clock, StoreError, TransferStore};
use crate::transfer::get::is_retained;

/// Maximum number of documents read for one job.
const MAX_DOCUMENTS: usize = 1000;

/// A job with its current state.
#[derive(Debug, Clone)]
pub enum Job {
    /// A job of one document, or one document of a batch.
    One(Box<Transfer>),
    /// A job of many documents.
    Many {
        /// The batch.
        batch: Box<Batch>,
        /// Counts of its documents that have ended.
        counts: BatchCounts,
        /// Its documents, if they were read.
        documents: Vec<Transfer>,
    },
}

impl Job {
    /// Returns the phase of the job.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self {
            Self::One(transfer) => transfer.phase,
            Self::Many { batch, .. } => batch.phase,
        }
    }

    /// Returns the state of the job as shown to its owner.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> JobState {
        match self {
            Self::One(transfer) => JobState::of(transfer.phase, transfer.spec.retain_until, now),
            Self::Many { batch, .. } => JobState::of(batch.phase, batch.spec.retain_until, now),
        }
    }

    /// Returns the object that the job has delivered for download, if any. Returns `None` for a
    /// batch, because each of its documents has its own object.
    #[must_use]
    pub fn artifact(&self) -> Option<FetchableArtifact<'_>> {
        let Self::One(transfer) = self else { return None };
        FetchableArtifact::of(transfer)
    }

    /// Returns the documents of the job that were read, in the order of the request.
    #[must_use]
    pub fn documents(&self) -> &[Transfer] {
        match self {
            Self::One(transfer) => std::slice::from_ref(&**transfer),
            Self::Many { documents, .. } => documents,
        }
    }

    /// Returns the delivered documents of the job, in the order of the request.
    pub fn delivered(&self) -> impl Iterator<Item = &Transfer> {
        self.documents().iter().filter(|document| document.phase == Phase::Completed)
    }

    /// Returns how often the owner has retried the job.
    #[must_use]
    pub const fn retries(&self) -> u32 {
        match self {
            Self::One(transfer) => transfer.retries,
            Self::Many { batch, .. } => batch.retries,
        }
    }

    fn owner(&self) -> &str {
        match self {
            Self::One(transfer) => &transfer.spec.owner,
            Self::Many { batch, .. } => &batch.spec.owner,
        }
    }

    /// Returns whether `owner` owns the job and the job did not end more than `record_ttl` ago.
    fn is_shown(&self, record_ttl: SignedDuration, owner: &str, now: Timestamp) -> bool {
        let ended_at = match self {
            Self::One(transfer) => transfer.ended_at,
            Self::Many { batch, .. } => batch.ended_at,
        };
        self.owner() == owner && is_retained(ended_at, record_ttl, now)
    }
}

/// An object of the delivery bucket that can be fetched, with the file name of the download.
#[derive(Debug, Clone, Copy)]
pub struct FetchableArtifact<'a> {
    /// The object.
    pub artifact: &'a Artifact,
    /// File name of the download.
    pub name: &'a DocumentName,
    /// Media type, if the source named one.
    pub mime: Option<&'a str>,
}

impl<'a> FetchableArtifact<'a> {
    /// Returns the object that a completed download has delivered.
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

/// Returns the job. Returns `None` if the job does not exist, belongs to another owner, or ended
/// more than `record_ttl` ago. The caller cannot distinguish these cases.
///
/// # Errors
/// The errors of the store.
pub async fn job_of<S: TransferStore + BatchStore>(
    store: &S,
    clock: &impl Clock,
    record_ttl: SignedDuration,
    owner: &str,
    id: &TransferId,
) -> Result<Option<Job>, StoreError> {
    let job = match transfer_job(store, id).await? {
        Some(job) => Some(job),
        None => store.batch_with_documents(id, MAX_DOCUMENTS).await?.map(
            |(batch, counts, documents)| Job::Many { batch: Box::new(batch), counts, documents },
        ),
    };
    Ok(job.filter(|job| job.is_shown(record_ttl, owner, clock.now())))
}

/// Returns the job like [`job_of`], but does not read the documents of a batch.
///
/// # Errors
/// The errors of the store.
pub(crate) async fn job_without_documents<S: TransferStore + BatchStore>(
    store: &S,
    clock: &impl Clock,
    record_ttl: SignedDuration,
    owner: &str,
    id: &TransferId,
) -> Result<Option<Job>, StoreError> {
    let job = match transfer_job(store, id).await? {
        Some(job) => Some(job),
        None => store.batch(id).await?.map(|(batch, counts)| Job::Many {
            batch: Box::new(batch),
            counts,
            documents: Vec::new(),
        }),
    };
    Ok(job.filter(|job| job.is_shown(record_ttl, owner, clock.now())))
}

/// Returns the transfer with this id as a job. Returns `None` if there is no such transfer, or if
/// the id belongs to a batch.
async fn transfer_job(
    store: &impl TransferStore,
    id: &TransferId,
) -> Result<Option<Job>, StoreError> {
    let transfer = if id.is_batch() { None } else { store.get(id).await? };
    Ok(transfer.map(|transfer| Job::One(Box::new(transfer))))
}

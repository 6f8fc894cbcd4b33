//! Download job of one document, for the route that returns the content of a document.
//!
//! A request of this route contains no job id. docferry therefore finds the job by an *idempotency
//! record*: its key is derived from the caller and the document, and it stores the id of the job.

use docferry_domain::audit::RequestOrigin;
use docferry_domain::document::DocumentKey;
use docferry_domain::ids::TransferId;
use docferry_domain::job::{IdempotencyRecord, JobState, OnItemError};
use docferry_domain::job_spec::JobSpec;
use docferry_domain::person::Person;
use docferry_domain::slots::Priority;
use docferry_domain::transfer::{DownloadTarget, Target};

use super::create::{NewJob, initiate_job};
use super::get::job_of;
use super::idempotency::first_accepted_job;
use super::types::{AcceptedJob, IdempotencyKey, JobRejection, JobSettings};
use crate::TaskError;
use crate::document::DocumentCaller;
use crate::ports::{Clock as _, JobStore as _, Registry, SlotAdapters, Store};
use crate::slots::scheduler::SlotScheduler;

/// Request for the content of a document. The route has already checked that the caller may see the
/// document.
#[derive(Debug, Clone)]
pub struct ContentRequest {
    /// The principal that requests the content and owns the job.
    pub owner: String,
    /// Circumstances of the request, for the audit trail.
    pub origin: Option<RequestOrigin>,
    /// The person against whose limit of parallel transfers the download counts.
    pub person: Person,
    /// The caller, whose entitlement is checked again when a job is created.
    pub requester: DocumentCaller,
    /// The document.
    pub document: DocumentKey,
    /// Key of the idempotency record, derived from the caller and the document.
    pub key: IdempotencyKey,
}

/// Download job of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentJob {
    /// The copy of the document is available.
    Ready(TransferId),
    /// The job has not completed.
    Pending(TransferId),
}

/// Whether a job may be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewWork {
    /// A job may be created.
    Accepted,
    /// Only an existing job may be returned, because the service is in drain mode.
    Refused,
}

/// Returns the download job of the document, and creates the job if necessary. All requests of a
/// caller for the document find the same job, until the job expires. A new job replaces a job that
/// failed, was canceled or has expired.
///
/// With [`NewWork::Refused`], creates no job, and returns `None` if there is no usable job.
///
/// # Errors
/// See [`JobRejection`]. [`JobRejection::Unknown`] if the document was withdrawn in the meantime.
pub async fn content_job<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    registry: &impl Registry,
    settings: JobSettings,
    new_work: NewWork,
    request: ContentRequest,
) -> Result<Option<ContentJob>, JobRejection> {
    let ContentRequest { owner, origin, person, requester, document, key } = request;
    if let Some(earlier) = first_accepted_job(scheduler, Some(&key)).await? {
        if let Some(usable) = usable_job(scheduler, settings, &owner, &earlier).await? {
            return Ok(Some(usable));
        }
        if new_work == NewWork::Accepted {
            let AcceptedJob { job_id, retain_until } = earlier;
            let IdempotencyKey { key, fingerprint } = key.clone();
            let record = IdempotencyRecord { key, fingerprint, job_id, retain_until };
            let deleted = scheduler.store.delete_idempotency_record(&record).await;
            deleted.map_err(TaskError::from)?;
        }
    }
    if new_work == NewWork::Refused {
        return Ok(None);
    }
    let new_job = NewJob {
        spec: JobSpec::of_owner(owner),
        origin,
        documents: vec![document],
        requester,
        is_single: true,
        target: Target::Download(DownloadTarget { person }),
        priority: Priority::Normal,
        on_item_error: OnItemError::default(),
        name: Some(key),
    };
    let accepted = initiate_job(scheduler, registry, settings, new_job).await?;
    Ok(Some(ContentJob::Pending(accepted.job_id)))
}

/// Returns an earlier job, unless it ended without a copy or its copy is no longer available.
async fn usable_job<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    settings: JobSettings,
    owner: &str,
    earlier: &AcceptedJob,
) -> Result<Option<ContentJob>, JobRejection> {
    let (store, clock) = (scheduler.store, scheduler.clock);
    let record_ttl = settings.initiate.record_ttl;
    let job = job_of(store, clock, record_ttl, owner, &earlier.job_id).await;
    let Some(job) = job.map_err(TaskError::from)? else { return Ok(None) };
    let id = earlier.job_id.clone();
    Ok(match job.state(clock.now()) {
        JobState::Queued | JobState::Running => Some(ContentJob::Pending(id)),
        JobState::Completed => job.artifact().map(|_| ContentJob::Ready(id)),
        JobState::Failed | JobState::Canceled | JobState::Expired => None,
    })
}

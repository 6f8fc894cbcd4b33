//! Creation of jobs. A job delivers one document (a transfer) or many documents (a batch).

use docferry_domain::audit::{AuditContext, RequestOrigin};
use docferry_domain::document::DocumentKey;
use docferry_domain::job::OnItemError;
use docferry_domain::job_spec::JobSpec;
use docferry_domain::slots::Priority;
use docferry_domain::transfer::{NewTransfer, Target};
use jiff::Timestamp;

use super::idempotency::{NewRecord, first_accepted_job, record_idempotent};
use super::types::{AcceptedJob, IdempotencyKey, JobRejection, JobSettings};
use crate::TaskError;
use crate::batch::{BatchDocument, NewBatch};
use crate::document::{Access, DocumentCaller, registered_documents};
use crate::ports::{Clock, Registry, SlotAdapters, Store};
use crate::slots::scheduler::SlotScheduler;
use crate::time::saturating_add;
use crate::transfer::create::{InitiateSettings, new_batch_id, new_id, new_transfer};

/// A request for a job, validated except that its documents have not been looked up.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Specification of the job. [`initiate_job`] sets the end of the retention and the trace.
    pub spec: JobSpec,
    /// Circumstances of the request, for the audit trail.
    pub origin: Option<RequestOrigin>,
    /// Keys of the documents, 1 to 1000 of them.
    pub documents: Vec<DocumentKey>,
    /// The caller, who has to be entitled to see all documents.
    pub requester: DocumentCaller,
    /// Whether a single document was requested, rather than a list.
    pub is_single: bool,
    /// Where the documents are delivered.
    pub target: Target,
    /// Priority of the documents in the queue for a slot, the right to move bytes.
    pub priority: Priority,
    /// Policy for the other documents when one fails.
    pub on_item_error: OnItemError,
    /// The request's idempotency key, if the caller sent one.
    pub name: Option<IdempotencyKey>,
}

/// Records a job, and starts it when it gets a slot. A repeated request with the same idempotency
/// key returns the response of the first request, even if its documents are no longer known.
///
/// # Errors
/// See [`JobRejection`].
pub async fn initiate_job<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    registry: &impl Registry,
    settings: JobSettings,
    new: NewJob,
) -> Result<AcceptedJob, JobRejection> {
    let now = scheduler.clock.now();
    let documents = match look_up(registry, &new, now).await {
        Ok(documents) => documents,
        Err(unknown) => {
            let existing = first_accepted_job(scheduler, new.name.as_ref()).await?;
            return existing.ok_or(unknown);
        }
    };
    let job_id = if new.is_single { new_id(now) } else { new_batch_id(now) };
    let job = AcceptedJob { job_id, retain_until: saturating_add(now, settings.job_ttl) };
    let name = new.name.clone();
    let record = build_record(settings.initiate, new, documents, &job, now);
    record_idempotent(scheduler, settings.initiate, &record, name.as_ref(), &job).await
}

/// Builds the record of a job: a transfer or a batch.
fn build_record(
    settings: InitiateSettings,
    new: NewJob,
    mut documents: Vec<BatchDocument>,
    job: &AcceptedJob,
    now: Timestamp,
) -> NewRecord {
    let NewJob { origin, target, priority, on_item_error, .. } = new;
    let spec = JobSpec { retain_until: Some(job.retain_until), ..new.spec };
    if new.is_single
        && let Some(BatchDocument { object_guid, file_id, subject }) = documents.pop()
    {
        let request = NewTransfer {
            spec,
            audit: AuditContext { origin, subject },
            object_guid,
            file_id,
            target,
            priority,
        };
        return NewRecord::One(Box::new(new_transfer(settings, job.job_id.clone(), request, now)));
    }
    NewRecord::Many(Box::new(NewBatch { spec, origin, documents, target, priority, on_item_error }))
}

/// Looks up the documents of a request in the registry. Returns them in the order of the request.
///
/// A service may also request an unregistered document by its GUID.
///
/// # Errors
/// [`JobRejection::Unknown`] if one of the documents does not exist, or if the caller may not see
/// it.
async fn look_up(
    registry: &impl Registry,
    new: &NewJob,
    now: Timestamp,
) -> Result<Vec<BatchDocument>, JobRejection> {
    let NewJob { documents, requester, .. } = new;
    let known = registered_documents(registry, requester, documents, now).await;
    let known = known.map_err(TaskError::from)?;
    let mut found = Vec::with_capacity(documents.len());
    let mut unknown = Vec::new();
    for (index, key) in documents.iter().enumerate() {
        match (known.get(key), key) {
            (Some(Access::Visible(record)), _) => found.push(BatchDocument {
                object_guid: record.obj_guid.clone(),
                // If the caller requested the document by GUID, responses must not name its number.
                file_id: record.file_id.filter(|_| !matches!(key, DocumentKey::Object(_))),
                subject: Some(record.subject.clone()),
            }),
            (None, DocumentKey::Object(guid)) if requester.may_see_unregistered() => {
                found.push(BatchDocument::of_guid(guid.clone()));
            }
            (Some(Access::Hidden) | None, _) => unknown.push(index),
        }
    }
    if unknown.is_empty() { Ok(found) } else { Err(JobRejection::Unknown(unknown)) }
}

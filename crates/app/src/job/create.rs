//! Creation of jobs. A job delivers one document (a transfer) or many documents (a batch).

use docferry_domain::callback::CallbackUrl;
use docferry_domain::ids::{FileId, ObjectGuid};
use docferry_domain::job::OnItemError;
use docferry_domain::person::Person;
use docferry_domain::slots::Priority;
use docferry_domain::transfer::{NewTransfer, Target};
use jiff::Timestamp;

use super::idempotency::{NewRecord, first_accepted_job, record_idempotent};
use super::types::{AcceptedJob, IdempotencyKey, JobRejection, JobSettings};
use crate::TaskError;
use crate::batch::NewBatch;
use crate::ports::{Clock, DocumentIndex, SlotAdapters, Store};
use crate::slots::scheduler::SlotScheduler;
use crate::time::saturating_add;
use crate::transfer::create::{InitiateSettings, new_batch_id, new_id, new_transfer};

/// A request for a job, validated except that its documents have not been looked up.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// The principal that requests the job.
    pub owner: String,
    /// The person on whose behalf it is requested, if that is not the owner.
    pub on_behalf_of: Option<Person>,
    /// Numbers of the documents, 1 to 1000 of them.
    pub files: Vec<FileId>,
    /// Whether a single document was requested, rather than a list.
    pub is_single: bool,
    /// Where the documents are delivered.
    pub target: Target,
    /// Priority in the queue.
    pub priority: Priority,
    /// Policy for the other documents when one fails.
    pub on_item_error: OnItemError,
    /// URL that is notified of the end of the job.
    pub callback: Option<CallbackUrl>,
    /// The request's idempotency key, if the caller sent one.
    pub name: Option<IdempotencyKey>,
}

/// Records a job and starts it once it has a slot. Requests are idempotent: repeating one with
/// the same key returns the first response, even when its documents are no longer known.
///
/// # Errors
/// See [`JobRejection`].
pub async fn initiate_job<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    index: &impl DocumentIndex,
    settings: JobSettings,
    new: NewJob,
) -> Result<AcceptedJob, JobRejection> {
    let documents = match look_up(index, &new.files).await {
        Ok(documents) => documents,
        Err(unknown) => {
            let existing = first_accepted_job(scheduler, new.name.as_ref()).await?;
            return existing.ok_or(unknown);
        }
    };
    let now = scheduler.clock.now();
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
    mut documents: Vec<(ObjectGuid, Option<FileId>)>,
    job: &AcceptedJob,
    now: Timestamp,
) -> NewRecord {
    let NewJob { owner, on_behalf_of, target, priority, on_item_error, callback, .. } = new;
    let retain_until = Some(job.retain_until);
    if new.is_single
        && let Some((object_guid, file_id)) = documents.pop()
    {
        let request = NewTransfer {
            owner,
            on_behalf_of,
            object_guid,
            file_id,
            target,
            priority,
            retain_until,
            callback,
        };
        return NewRecord::One(Box::new(new_transfer(settings, job.job_id.clone(), request, now)));
    }
    NewRecord::Many(Box::new(NewBatch {
        owner,
        on_behalf_of,
        documents,
        target,
        priority,
        retain_until,
        callback,
        on_item_error,
    }))
}

/// Looks up the documents with these numbers. Returns them in the same order.
///
/// # Errors
/// [`JobRejection::Unknown`] when a document is not in the index.
async fn look_up(
    index: &impl DocumentIndex,
    files: &[FileId],
) -> Result<Vec<(ObjectGuid, Option<FileId>)>, JobRejection> {
    let known = index.look_up(files).await.map_err(TaskError::from)?;
    let guid = |file: &FileId| known.get(file).map(|document| document.object_guid.clone());
    let guids: Vec<Option<ObjectGuid>> = files.iter().map(guid).collect();
    let unknown: Vec<_> = (0..guids.len()).filter(|&index| guids[index].is_none()).collect();
    if !unknown.is_empty() {
        return Err(JobRejection::Unknown(unknown));
    }
    Ok(guids.into_iter().flatten().zip(files.iter().copied().map(Some)).collect())
}

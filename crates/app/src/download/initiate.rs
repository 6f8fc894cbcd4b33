//! A caller asks for a job: what it is promised, and again when it asks again.

use docferry_domain::{
    CallbackUrl, FileId, NewTransfer, ObjectGuid, OnItemError, Person, Priority, Target, TransferId,
};
use jiff::{SignedDuration, Timestamp};

use super::once::{Wanted, promised_before, record_once};
use crate::TaskError;
use crate::admit::Admitter;
use crate::bundle::NewBundle;
use crate::initiate::{InitiateSettings, later, new_bundle_id, new_id, new_transfer};
use crate::ports::{Clock, DocumentIndex, Store, Workflow};

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
    let name = new.name.clone();
    let wanted = wanted(settings.initiate, new, documents, &job, now);
    record_once(admitter, settings.initiate, &wanted, name.as_ref(), &job).await
}

/// A job's transfer, or its many documents.
fn wanted(
    settings: InitiateSettings,
    new: NewJob,
    mut documents: Vec<(ObjectGuid, Option<FileId>)>,
    job: &Promised,
    now: Timestamp,
) -> Wanted {
    let NewJob { owner, on_behalf_of, target, priority, on_item_error, callback, .. } = new;
    let keep_until = Some(job.keep_until);
    if new.is_single
        && let Some((object_guid, file_id)) = documents.pop()
    {
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
        return Wanted::One(Box::new(new_transfer(settings, job.job_id.clone(), one, now)));
    }
    Wanted::Many(Box::new(NewBundle {
        owner,
        on_behalf_of,
        documents,
        target,
        priority,
        keep_until,
        callback,
        on_item_error,
    }))
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

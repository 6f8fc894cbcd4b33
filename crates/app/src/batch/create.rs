//! Creation of batches. A batch is a job that delivers many documents, each of which is a transfer.

use docferry_domain::audit::{AuditContext, RequestOrigin};
use docferry_domain::document::Subject;
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::{FileId, ObjectGuid, TransferId};
use docferry_domain::job::{Batch, IdempotencyRecord, MAX_DOCUMENTS, OnItemError};
use docferry_domain::job_spec::JobSpec;
use docferry_domain::phase::Phase;
use docferry_domain::slots::{Priority, SlotState};
use docferry_domain::transfer::{NewTransfer, Target, Transfer};
use jiff::SignedDuration;

use crate::batch::advance::advance_batch;
use crate::batch::documents::{PAGE, enqueue};
use crate::ports::{BatchStore as _, Clock, CreateResult, SlotAdapters, Store};
use crate::slots::scheduler::SlotScheduler;
use crate::time::saturating_add;
use crate::transfer::create::InitiateSettings;
use crate::{TaskError, trace};

/// A validated request for a batch.
#[derive(Debug, Clone)]
pub struct NewBatch {
    /// Specification of the batch. [`initiate_batch`] sets the trace.
    pub spec: JobSpec,
    /// Circumstances of the request, for the audit trail.
    pub origin: Option<RequestOrigin>,
    /// The documents, 1 to [`MAX_DOCUMENTS`].
    pub documents: Vec<BatchDocument>,
    /// Where the documents are delivered.
    pub target: Target,
    /// Priority of the documents in the queue.
    pub priority: Priority,
    /// Policy for the other documents when one fails.
    pub on_item_error: OnItemError,
}

/// A document of a new batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchDocument {
    /// Id of the document at its source.
    pub object_guid: ObjectGuid,
    /// Number of the document, if a client of the downloads API requested it by number.
    pub file_id: Option<FileId>,
    /// Court file or patient that the document concerns, if the document is registered.
    pub subject: Option<Subject>,
}

impl BatchDocument {
    /// Returns an unregistered document, of which only the GUID is known.
    #[must_use]
    pub const fn of_guid(object_guid: ObjectGuid) -> Self {
        Self { object_guid, file_id: None, subject: None }
    }
}

/// Result of initiating a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateBatchResult {
    /// The batch is committed.
    Created(Box<Batch>),
    /// The request repeats an earlier one with the same idempotency key.
    AlreadyExists(IdempotencyRecord),
}

/// Records a batch and its documents, and queues the documents. `request` is the idempotency record
/// of the request, if it has a key.
///
/// The batch is *committed* when all of its documents are recorded. No document runs before the
/// commit. If the process dies, the sweeper (the background repair) continues: it ends a batch that
/// is not committed, and queues the documents of a committed batch.
///
/// # Errors
/// [`FailureCode::StoreUnavailable`] when the batch is not accepted.
pub async fn initiate_batch<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    settings: InitiateSettings,
    batch_id: TransferId,
    new: NewBatch,
    request: Option<&IdempotencyRecord>,
) -> Result<CreateBatchResult, TaskError> {
    let (store, now) = (scheduler.store, scheduler.clock.now());
    let document_count =
        u16::try_from(new.documents.len()).ok().filter(|count| (1..=MAX_DOCUMENTS).contains(count));
    let document_count = document_count.ok_or(FailureCode::Internal)?;
    let spec = JobSpec { trace: trace::current(), ..new.spec };
    let batch = Batch::new(batch_id, spec, document_count, new.on_item_error, now);
    let id = &batch.batch_id;
    let deadline = saturating_add(now, settings.transfer_deadline);
    let purge_at = saturating_add(deadline, settings.record_ttl);
    if let CreateResult::AlreadyExists(request) = store.record_batch(&batch, request).await? {
        return Ok(CreateBatchResult::AlreadyExists(request));
    }
    let document = |(number, document): (u16, &BatchDocument)| {
        let new_transfer = NewTransfer {
            spec: batch.spec.for_document(),
            audit: AuditContext { origin: new.origin.clone(), subject: document.subject.clone() },
            object_guid: document.object_guid.clone(),
            file_id: document.file_id,
            target: new.target.clone(),
            priority: new.priority,
        };
        let transfer = Transfer::new(id.document(number), new_transfer, now, deadline);
        Transfer { slot_state: SlotState::Idle, ..transfer }
    };
    let documents: Vec<Transfer> = (0..).zip(&new.documents).map(document).collect();
    for page in documents.chunks(PAGE) {
        store.add_documents(page, purge_at).await?;
    }
    store.commit_batch(id).await?;
    if let Err(error) = start_documents(scheduler, settings.record_ttl, id, &documents).await {
        let code = error.code.as_str();
        tracing::warn!(batch.id = id.as_str(), error.code = code, "documents not queued");
    }
    Ok(CreateBatchResult::Created(Box::new(Batch { phase: Phase::Uploading, ..batch })))
}

/// Queues the documents of a batch after the commit. If a cancel was requested before the commit,
/// stops the documents instead.
async fn start_documents<P: SlotAdapters<Store: Store>>(
    scheduler: &SlotScheduler<'_, P>,
    record_ttl: SignedDuration,
    id: &TransferId,
    documents: &[Transfer],
) -> Result<(), TaskError> {
    let stored = scheduler.store.batch(id).await?;
    if stored.is_some_and(|(batch, _)| batch.cancel_requested) {
        return advance_batch(scheduler, record_ttl, id).await.map(drop);
    }
    enqueue(scheduler, documents).await
}

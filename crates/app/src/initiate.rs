//! A caller asks for a document: record it, start the workflow, answer with an id.

use docferry_domain::{
    DriveFolder, ObjectGuid, Phase, Recipient, SCHEMA_VERSION, Transfer, TransferId,
};
use jiff::{SignedDuration, Timestamp};

use crate::TaskError;
use crate::ports::{Clock, TransferStore, Workflow};

/// What a caller asks for, checked.
#[derive(Debug, Clone)]
pub struct NewTransfer {
    /// The principal that asks.
    pub owner: String,
    /// The document.
    pub object_guid: ObjectGuid,
    /// Who gets it.
    pub recipient: Recipient,
    /// The folder as given.
    pub file_path: Option<String>,
    /// The folder, checked.
    pub folder: DriveFolder,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct InitiateSettings {
    /// From the request to a terminal state, at most.
    pub transfer_deadline: SignedDuration,
}

/// Records a transfer and starts its workflow.
///
/// The record is written first, so that no workflow ever runs without one. From
/// then on the transfer is promised: a workflow that cannot be started now is
/// started by `sweep` within minutes.
///
/// # Errors
/// [`FailureCode::StoreUnavailable`](docferry_domain::FailureCode::StoreUnavailable):
/// nothing is promised. A record whose answer was lost may be carried out all the
/// same.
pub async fn initiate(
    store: &impl TransferStore,
    workflow: &impl Workflow,
    clock: &impl Clock,
    settings: InitiateSettings,
    new: NewTransfer,
) -> Result<Transfer, TaskError> {
    let now = clock.now();
    let transfer = Transfer {
        schema_version: SCHEMA_VERSION,
        transfer_id: new_id(now),
        owner: new.owner,
        object_guid: new.object_guid,
        recipient: new.recipient,
        file_path: new.file_path,
        folder: new.folder,
        created_at: now,
        deadline: later(now, settings.transfer_deadline),
        attempt: 1,
        phase: Phase::Accepted,
        cancel_requested: false,
        ending: None,
        started_at: None,
        ended_at: None,
        source: None,
        object: None,
        epoch: 0,
        checkpoint: None,
        bytes_done: 0,
        resume_at: None,
        delivery: None,
        failure: None,
    };
    store.create(&transfer).await?;
    if let Err(error) = workflow.start(&transfer.transfer_id, transfer.attempt).await {
        tracing::warn!(
            transfer.id = transfer.transfer_id.as_str(),
            error.cause = std::error::Error::source(&error).map(ToString::to_string),
            "not started yet"
        );
    }
    Ok(transfer)
}

/// Time-ordered (UUID version 7), so that ids of one day lie together.
fn new_id(now: Timestamp) -> TransferId {
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
    let time = uuid::Timestamp::from_unix_time(seconds, nanos, 0, 0);
    TransferId::from_u128(uuid::Uuid::new_v7(time).as_u128())
}

/// `time + duration`, or the end of time.
pub(crate) fn later(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

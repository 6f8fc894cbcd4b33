//! Stored record of a transfer, which delivers one document to one destination.
//!
//! The API and all steps of the workflow read this record. The input of a workflow execution
//! contains only the id of the transfer and the number of the execution.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::AuditContext;
use crate::failure::FailureCode;
use crate::ids::{FileId, ObjectGuid, TransferId};
use crate::job_spec::JobSpec;
use crate::phase::Phase;
use crate::slots::{Pool, Priority, SlotState};
use crate::transfer::{
    ArrivedObject, Delivery, FailedTries, Failure, LateArrivalKey, PushedSource, Target,
    TransientError,
};
use crate::upload::Checkpoint;

/// Version of the stored record format. A reader accepts every version up to its own.
pub const SCHEMA_VERSION: u32 = 1;

/// Stored record of the transfer of one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transfer {
    /// Version of the stored record format, at most [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Id of the transfer, which the caller uses for polling.
    pub transfer_id: TransferId,
    /// Specification that the transfer has in common with every job.
    #[serde(flatten)]
    pub spec: JobSpec,
    /// Facts for the audit trail.
    #[serde(default, skip_serializing_if = "AuditContext::is_empty")]
    pub audit: AuditContext,
    /// Id of the document in the object store.
    pub object_guid: ObjectGuid,
    /// Number of the document, if it was requested through the downloads API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<FileId>,
    /// Destination of the document.
    #[serde(flatten)]
    pub target: Target,
    /// Time of the request.
    pub created_at: Timestamp,
    /// Time by which the transfer must have ended, whatever the document's size. See
    /// [`Transfer::must_end_by`].
    pub deadline: Timestamp,
    /// Number of the Step Functions execution that works on the transfer. It starts at 1 and
    /// grows by 1 with each execution.
    #[serde(rename = "attempt")]
    pub execution_number: u32,
    /// Number of times that the owner requested a retry of the ended transfer.
    #[serde(default)]
    pub retries: u32,
    /// Number of executions in all previous runs.
    #[serde(default)]
    #[serde(rename = "pastAttempts")]
    pub past_executions: u32,
    /// Present phase.
    pub phase: Phase,
    /// Slot pool that the transfer uses.
    #[serde(default)]
    pub pool: Pool,
    /// Priority in the queue for slots.
    #[serde(default)]
    pub priority: Priority,
    /// Slot state: idle, queued for a slot, or holding one.
    #[serde(default)]
    #[serde(rename = "turn")]
    pub slot_state: SlotState,
    /// Whether cancellation was requested. A running step notices it at its next
    /// checkpoint.
    #[serde(default)]
    pub cancel_requested: bool,
    /// Reason why the transfer is being ended. `finalize` writes it before it closes anything,
    /// so that no new work begins. It is still known after `finalize` was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<FailureCode>,
    /// Time of the request for the present run, which decides the place in the queue. It is
    /// `None` in the first run and in records of older versions. [`Transfer::queue_time`]
    /// returns the time for these cases as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<Timestamp>,
    /// Time at which the present run got its first slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "admittedAt")]
    pub slot_granted_at: Option<Timestamp>,
    /// Time at which work on the present run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Time at which the present run ended, with any outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Number of pushes requested from the source, including a push that is about to be
    /// requested. Each push may copy the document to the exchange bucket once.
    #[serde(default)]
    pub pushes: u32,
    /// Whether the object under the exchange key may be another document. In that case the
    /// source has to push again before the next check for the arrival.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub push_again: bool,
    /// Exchange key that the source named last for the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_key: Option<String>,
    /// Keys under which an object of an earlier push may still arrive. The key in `source` is
    /// not included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(rename = "owedKeys")]
    pub late_arrival_keys: Vec<LateArrivalKey>,
    /// Description of the document from the response to the last push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<PushedSource>,
    /// The object in the exchange bucket, recorded when `poll` finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ArrivedObject>,
    /// Fencing epoch. It grows with each invocation that takes over the upload. Writes of an
    /// invocation with an older epoch fail.
    #[serde(default)]
    pub epoch: u64,
    /// Upload checkpoint, written after each acknowledged fragment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    /// Maximum number of bytes acknowledged in this run, which status responses show. It does
    /// not decrease when the upload starts over in a new session.
    #[serde(default)]
    pub bytes_done: u64,
    /// End of a pause that the drive asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_at: Option<Timestamp>,
    /// The verified delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// Why the transfer ended without a delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Whether the run has ended and all its resources are closed, so that a retry may start.
    /// An object of this run may still arrive in the exchange bucket later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[serde(rename = "settled")]
    pub closed: bool,
    /// Number of failed tries of each step in the present run.
    #[serde(flatten)]
    pub failed_tries: FailedTries,
    /// Last failure in this run that caused another try of a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transient_error: Option<TransientError>,
}

/// A validated request for a transfer.
#[derive(Debug, Clone)]
pub struct NewTransfer {
    /// Specification that the transfer has in common with every job.
    pub spec: JobSpec,
    /// Facts for the audit trail.
    pub audit: AuditContext,
    /// Id of the document in the object store.
    pub object_guid: ObjectGuid,
    /// Number of the document, if it was requested through the downloads API.
    pub file_id: Option<FileId>,
    /// Destination of the document.
    pub target: Target,
    /// Priority in the queue for slots.
    pub priority: Priority,
}

impl Transfer {
    /// Returns the record of an accepted transfer on which no work has begun.
    #[must_use]
    pub fn new(
        transfer_id: TransferId,
        request: NewTransfer,
        created_at: Timestamp,
        deadline: Timestamp,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            transfer_id,
            spec: request.spec,
            audit: request.audit,
            object_guid: request.object_guid,
            file_id: request.file_id,
            pool: request.target.pool(),
            target: request.target,
            created_at,
            deadline,
            execution_number: 1,
            retries: 0,
            past_executions: 0,
            phase: Phase::Accepted,
            priority: request.priority,
            slot_state: SlotState::Queued,
            cancel_requested: false,
            ending: None,
            queued_at: None,
            slot_granted_at: None,
            started_at: None,
            ended_at: None,
            pushes: 0,
            push_again: false,
            known_key: None,
            late_arrival_keys: Vec::new(),
            source: None,
            object: None,
            epoch: 0,
            checkpoint: None,
            bytes_done: 0,
            resume_at: None,
            delivery: None,
            failure: None,
            closed: false,
            failed_tries: FailedTries::default(),
            last_transient_error: None,
        }
    }
}

//! Output of `docferry admin inspect`: the stored state of a transfer, without secrets. `text.rs`
//! formats these types for people, and `--json` serializes them.
//!
//! The types are an allow list: an attribute without a field here is not shown. For an item of any
//! other kind, only its sort key is shown.

use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::phase::Phase;
use docferry_domain::slots::{Pool, Priority, SlotState};
use docferry_domain::transfer::Transfer;
use jiff::Timestamp;
use serde::Serialize;

use super::item::{Item, milliseconds, text};

/// The whole output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Inspection {
    pub(super) transfer_id: TransferId,
    pub(super) record: Option<Record>,
    /// The upload session, without its URL.
    pub(super) session: Option<Session>,
    /// References of transfers to the object in the exchange bucket.
    pub(super) references: Option<References>,
    /// Sort keys of the items under the transfer's id that have no field here.
    pub(super) other_items: Vec<String>,
    /// The latest Step Functions executions, oldest first.
    pub(super) executions: Vec<Execution>,
    /// Explanation of the state, and what an operator can do.
    pub(super) advice: String,
    /// Current time, from which the text computes ages.
    #[serde(skip)]
    pub(super) now: Timestamp,
}

/// The record of the transfer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) phase: &'static str,
    /// Number of the current Step Functions execution.
    #[serde(rename = "attempt")]
    pub(super) execution_number: u32,
    /// Fencing token of the upload. Each call of the function that uploads increments it, so that
    /// writes of an earlier call fail.
    pub(super) epoch: u64,
    /// Pool of slots that the transfer uses. A slot is the right to move bytes.
    pub(super) pool: Pool,
    pub(super) priority: Priority,
    /// Whether the transfer holds a slot or waits for a slot.
    #[serde(rename = "turn")]
    pub(super) slot_state: SlotState,
    pub(super) cancel_requested: bool,
    /// Code of a failure that is decided but not yet recorded as the end of the transfer.
    pub(super) ending: Option<FailureCode>,
    pub(super) failure: Option<FailureCode>,
    pub(super) obj_guid: String,
    pub(super) bytes_done: u64,
    pub(super) size: Option<u64>,
    pub(super) checkpoint: Option<Checkpoint>,
    pub(super) delivery: Option<Delivery>,
    pub(super) created_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    /// Time at which the object store accepted the request to push the document.
    pub(super) pushed_at: Option<Timestamp>,
    /// Time at which the document arrived in the exchange bucket.
    pub(super) arrived_at: Option<Timestamp>,
    /// End of a pause for which Microsoft Graph asked.
    pub(super) resume_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) deadline: Timestamp,
    /// Time at which the sweeper, the service's periodic repair, processes the transfer; `None`
    /// once the transfer has ended and is cleaned up.
    pub(super) next_look_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) names: Option<PersonalData>,
}

/// Checkpoint, from which the next call of the function resumes the upload. All sizes are in bytes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Checkpoint {
    /// Bytes that the drive has acknowledged.
    pub(super) offset: u64,
    /// Bytes covered by the hash.
    pub(super) hashed_to: u64,
    pub(super) fragment_bytes: u64,
    /// Number of upload sessions opened so far.
    pub(super) sessions: u32,
}

/// The recorded delivery of the document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Delivery {
    /// Size in bytes.
    pub(super) size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) quick_xor_hash: Option<String>,
    /// Whether the drive changed the file after the upload.
    pub(super) rewritten: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) evidence: Option<docferry_domain::document::Evidence>,
}

impl Delivery {
    fn from_domain(delivery: &docferry_domain::transfer::Delivery) -> Self {
        match delivery {
            docferry_domain::transfer::Delivery::Onedrive(item) => Self {
                size: item.size,
                quick_xor_hash: Some(item.quick_xor_hash.clone()),
                rewritten: item.rewritten,
                evidence: item.evidence,
            },
            docferry_domain::transfer::Delivery::Download(artifact) => {
                Self { size: artifact.size, quick_xor_hash: None, rewritten: false, evidence: None }
            }
        }
    }
}

/// Personal data, which is shown on request only.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PersonalData {
    pub(super) owner: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<String>,
    pub(super) file_path: Option<String>,
    pub(super) file_name: Option<String>,
    pub(super) exchange_key: Option<String>,
}

/// The upload session. Its URL is a secret and is not read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Session {
    /// The `epoch` of the transfer's record when the session was opened.
    pub(super) epoch: Option<u64>,
    /// Expiry of the session according to the drive.
    pub(super) expires_at: Option<Timestamp>,
}

/// References of transfers to an exchange key, which names an object in the exchange bucket.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct References {
    /// Number of transfers that refer to the key.
    pub(super) count: usize,
    /// Whether the inspected transfer is one of them.
    pub(super) this_transfer: bool,
    /// The transfer that holds the lease for deleting the object.
    pub(super) deleting_by: Option<String>,
    /// End of the lease.
    pub(super) deleting_until: Option<Timestamp>,
    /// Time at which the object was deleted, by the exchange store's clock.
    pub(super) deleted_at: Option<Timestamp>,
}

/// A Step Functions execution of the transfer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Execution {
    pub(super) name: String,
    /// Status of Step Functions in lower case, or `missing`.
    pub(super) state: String,
    pub(super) started_at: Option<Timestamp>,
    pub(super) stopped_at: Option<Timestamp>,
    pub(super) error: Option<String>,
}

impl Execution {
    /// Describes an execution that Step Functions does not know.
    pub(super) fn missing(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            state: "missing".to_owned(),
            started_at: None,
            stopped_at: None,
            error: None,
        }
    }
}

impl Record {
    /// Converts a transfer. The caller sets `next_look_at` and `names`.
    pub(super) fn of(transfer: &Transfer) -> Self {
        let source = transfer.source.as_ref();
        Self {
            phase: Phase::as_str(transfer.phase),
            execution_number: transfer.execution_number,
            epoch: transfer.epoch,
            pool: transfer.pool,
            priority: transfer.priority,
            slot_state: transfer.slot_state,
            cancel_requested: transfer.cancel_requested,
            ending: transfer.ending,
            failure: transfer.failure.as_ref().map(|failure| failure.code),
            obj_guid: transfer.object_guid.as_str().to_owned(),
            bytes_done: transfer.bytes_done,
            size: source.map(|source| source.size),
            checkpoint: transfer.checkpoint.as_ref().map(|checkpoint| Checkpoint {
                offset: checkpoint.offset,
                hashed_to: checkpoint.hash.len,
                fragment_bytes: checkpoint.fragment_bytes,
                sessions: checkpoint.sessions,
            }),
            delivery: transfer.delivery.as_ref().map(Delivery::from_domain),
            created_at: transfer.created_at,
            started_at: transfer.started_at,
            pushed_at: source.map(|source| source.pushed_at),
            arrived_at: transfer.object.as_ref().map(|object| object.arrived_at),
            resume_at: transfer.resume_at,
            ended_at: transfer.ended_at,
            deadline: transfer.deadline,
            next_look_at: None,
            names: None,
        }
    }
}

impl PersonalData {
    pub(super) fn of(transfer: &Transfer) -> Self {
        let (source, drive) = (transfer.source.as_ref(), transfer.target.drive());
        Self {
            owner: transfer.spec.owner.clone(),
            email: drive.map(|drive| drive.recipient.as_str().to_owned()),
            file_path: drive.and_then(|drive| drive.file_path.clone()),
            file_name: source.map(|source| source.name.as_str().to_owned()),
            exchange_key: source.map(|source| source.key.clone()),
        }
    }
}

impl References {
    /// Reads the item with the references to an exchange key.
    pub(super) fn read(item: &Item, id: &TransferId) -> Self {
        let transfer_ids = item.get("refs").and_then(|refs| refs.as_ss().ok());
        Self {
            count: transfer_ids.map_or(0, Vec::len),
            this_transfer: transfer_ids
                .is_some_and(|ids| ids.iter().any(|transfer_id| transfer_id == id.as_str())),
            deleting_by: text(item, "releasingBy"),
            deleting_until: milliseconds(item, "releasingUntil"),
            deleted_at: milliseconds(item, "releasedAt"),
        }
    }
}

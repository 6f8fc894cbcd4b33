//! Order of the queue: the state of a transfer towards its pool, its priority and its queue
//! entry.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::TransferId;
use crate::person::Person;

/// Priority of a transfer, as an offset to the time at which its run was requested. A
/// transfer that waits long enough comes first whatever its priority, so none starves.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Queued as if requested ten minutes later.
    Low,
    /// Queued by the time of the request.
    #[default]
    Normal,
    /// Queued as if requested ten minutes earlier.
    High,
}

impl Priority {
    const OFFSET: SignedDuration = SignedDuration::from_mins(10);

    /// Returns the sort key in the queue, in milliseconds since 1970, for a run requested
    /// at `queue_time`. The smallest key comes first.
    #[must_use]
    pub fn order(self, queue_time: Timestamp) -> i64 {
        let offset = i64::try_from(Self::OFFSET.as_millis()).unwrap_or_default();
        queue_time.as_millisecond()
            + match self {
                Self::Low => offset,
                Self::Normal => 0,
                Self::High => -offset,
            }
    }
}

/// Relation of a transfer to the slots of its pool. A transfer holds a slot only while it
/// moves bytes or uses ORDS, never while it waits for a document to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotState {
    /// Neither holds a slot nor waits for one.
    #[default]
    Idle,
    /// Waits in the queue for a slot.
    Queued,
    /// Holds a slot.
    Holding,
}

impl SlotState {
    /// Returns the stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Queued => "queued",
            Self::Holding => "holding",
        }
    }
}

/// Entry of a transfer in the queue for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEntry {
    /// Sort key from [`Priority::order`]; the smallest comes first.
    pub order: i64,
    /// The transfer.
    pub transfer_id: TransferId,
    /// Person or service whose limit the transfer counts against.
    pub person: Person,
}

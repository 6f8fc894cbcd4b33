//! Queue in which transfers wait for a slot: its order, its entries, and the state of a transfer
//! with regard to slots.
//!
//! A *slot* is the right of a transfer to move bytes.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::TransferId;
use crate::person::Person;

/// Priority of a transfer in the queue. The queue is ordered by the time of the request, and each
/// level of priority shifts this time by ten minutes.
///
/// So a request of low priority comes before a normal request that is more than ten minutes
/// younger, and no transfer waits forever.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Takes the place of a request that came ten minutes later.
    Low,
    /// Takes the place by the time of the request.
    #[default]
    Normal,
    /// Takes the place of a request that came ten minutes earlier.
    High,
}

impl Priority {
    /// Time by which one level of priority moves a transfer in the queue.
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

/// Relation of a transfer to the slots of its pool. A transfer holds a slot only while it moves
/// bytes or calls ORDS, the document source. It holds none while it waits for the document to
/// arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotState {
    /// The transfer neither holds a slot nor waits for one.
    #[default]
    Idle,
    /// The transfer waits in the queue for a slot.
    Queued,
    /// The transfer holds a slot.
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
    /// Sort key from [`Priority::order`]. The entry with the smallest key comes first.
    pub order: i64,
    /// The transfer.
    pub transfer_id: TransferId,
    /// Person or service for which the slot will count.
    pub person: Person,
}

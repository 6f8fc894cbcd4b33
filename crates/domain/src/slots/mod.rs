//! Slots: the right of a transfer to move bytes, with the queue, the priorities and the
//! limits by which slots are granted.

mod allocator;
mod pool;
mod priority;

pub use allocator::{SlotAllocator, Slots};
pub use pool::{Pool, PoolLimits, SlotLimits};
pub use priority::{Priority, QueueEntry, SlotState};

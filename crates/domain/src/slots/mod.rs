//! Slots: a transfer may move bytes only while it holds a slot.
//!
//! Transfers wait for a slot in a queue. The modules define the limits on the number of slots, the
//! order of the queue, and the allocator, which decides who gets a free slot.

mod allocator;
mod pool;
mod priority;

pub use allocator::{SlotAllocator, Slots};
pub use pool::{Pool, PoolLimits, SlotLimits};
pub use priority::{Priority, QueueEntry, SlotState};

//! Slots: a transfer may move bytes only while it holds a slot.
//!
//! The modules hold the limits on the number of slots, the order of the queue in which
//! transfers wait for a slot, and the allocator that grants free slots.

mod allocator;
mod pool;
mod priority;

pub use allocator::{SlotAllocator, Slots};
pub use pool::{Pool, PoolLimits, SlotLimits};
pub use priority::{Priority, QueueEntry, SlotState};

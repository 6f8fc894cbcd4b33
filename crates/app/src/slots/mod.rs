//! Slots: the scheduler that grants them, and waiting for one.

pub mod scheduler;
pub mod wait;

//! Slots. A *slot* is the right of a transfer to move bytes. The module `scheduler` grants slots,
//! and the module `wait` lets a transfer wait for one.

pub mod scheduler;
pub mod wait;

//! The outside world in memory, with faults injected by position.
//!
//! [`World`] implements every port over one shared state. Each call to a port is
//! an *effect*, counted from 0; a [`Fault`] says what happens at one of them: the
//! process dies before it, dies after it, or the effect happens and its answer is
//! lost. [`Runner`] plays the state machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a kit for tests")]

pub mod builders;
pub mod conformance;

mod artifacts;
mod container;
mod drive;
mod effects;
mod interleave;
mod runner;
mod small;
mod source;
mod staging;
mod store;
mod throttle;
mod world;

pub use artifacts::{DeliveryBucket, Multipart};
pub use container::zip_container;
pub use drive::{Scripted, StoredFile};
pub use interleave::{Kill, Processes};
pub use runner::{Ended, LIMITS, Runner};
pub use store::InMemoryTransferStore;
pub use throttle::InMemoryThrottleBudget;
pub use world::{Fault, Mode, Move, Object, PendingCopy, World};

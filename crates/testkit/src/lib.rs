//! Test doubles for the systems around docferry, and conformance suites for its stores.
//!
//! [`World`] implements every port in memory, over one shared state. A call to a port is an
//! *effect*. Effects are numbered from 0 in the order of the calls. A [`Fault`] selects one
//! effect by its number: the process dies before it, the process dies after it, or the effect
//! succeeds and its response is lost. (Reads of object bytes, presigning and lookups of users
//! and documents are not effects.)
//!
//! [`Runner`] plays the Step Functions state machine over a [`World`]. [`Processes`] runs
//! several invocations concurrently in an order that the test chooses. [`conformance`] checks
//! that a store does what its port documents; the DynamoDB adapter runs the same checks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test support: a panic fails the test"
)]

pub mod builders;
pub mod conformance;

mod adapters;
mod artifacts;
mod audit;
mod container;
mod delivery_bucket;
mod drive;
mod drive_state;
mod drive_uploads;
mod effects;
mod exchange;
mod interleave;
mod registry;
mod runner;
mod services;
mod source;
mod store;
mod throttle;
mod world;
mod world_state;

pub use audit::InMemoryAuditLog;
pub use container::zip_container;
pub use delivery_bucket::{DeliveryBucket, Multipart, Part};
pub use drive_state::{Scripted, StoredFile};
pub use interleave::{Kill, Processes};
pub use registry::InMemoryRegistry;
pub use runner::{Ended, LIMITS, Runner};
pub use store::InMemoryTransferStore;
pub use throttle::InMemoryThrottleBudget;
pub use world::World;
pub use world_state::{Fault, Mode, Move, Object, PendingCopy};

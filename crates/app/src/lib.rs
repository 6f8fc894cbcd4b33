//! Use cases of docferry (one module each) and the ports, the traits through which they reach
//! outside systems.
//!
//! Nothing here depends on AWS, HTTP or Lambda. Every use case can be repeated or resumed after
//! a crash, because all of its state is read from and written to the [`ports::TransferStore`].

pub mod audit;
pub mod batch;
pub mod delivery;
pub mod document;
pub mod finish;
pub mod job;
pub mod notification;
pub mod ports;
pub mod recovery;
pub mod slots;
pub mod source;
mod step;
mod task;
mod time;
pub mod trace;
pub mod transfer;
pub mod tries;

pub use step::{RetryReason, StepOutcome};
pub use task::{TaskError, TaskInput};

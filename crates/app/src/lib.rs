//! Use cases of docferry (one module each) and the ports, the traits through which they reach
//! outside systems.
//!
//! Nothing here depends on AWS, HTTP or Lambda. Every use case can be repeated or resumed after
//! a crash, because all of its state is read from and written to the [`ports::TransferStore`].

pub mod admit;
pub mod bundle;
pub mod control;
pub mod download;
pub mod finalize;
pub mod history;
pub mod initiate;
pub mod notify;
pub mod poll;
pub mod ports;
pub mod publish;
pub mod push;
pub mod query;
pub mod requeue;
pub mod retry;
mod reuse;
mod step;
pub mod sweep;
mod task;
mod time;
pub mod trace;
pub mod tries;
pub mod turn;
pub mod upload;
pub mod webhook;

pub use step::{RetryReason, StepOutcome};
pub use task::{TaskError, TaskInput};

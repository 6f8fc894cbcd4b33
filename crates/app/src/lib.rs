//! What docferry does: ports (traits to the outside) and one use case a file.
//!
//! Nothing here names AWS, HTTP or Lambda. Every use case may be run twice, or
//! from the middle: all that it needs is read from and written to the
//! [`ports::TransferStore`].

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
pub mod trace;
pub mod tries;
pub mod turn;
pub mod upload;
pub mod webhook;

pub use step::{RetryReason, StepOutcome};
pub use task::{TaskError, TaskInput};

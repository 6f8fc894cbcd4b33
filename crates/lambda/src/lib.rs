//! Runtime support shared by all Lambda functions: configuration, logging, construction of the
//! adapters from settings, and the event loops that serve routers, workflow steps, schedules,
//! queues and the table's stream. A function's `main` only connects these parts.

mod clock;
pub mod config;
mod failure;
#[cfg(any(feature = "webhook", feature = "feed", feature = "archive"))]
mod queue;
#[cfg(feature = "http")]
mod quota;
#[cfg(feature = "http")]
mod serve;
mod step;
#[cfg(feature = "stream")]
mod stream;
pub mod telemetry;
mod wire;

pub use clock::SystemClock;
pub use failure::StepFailure;
#[cfg(feature = "archive")]
pub use queue::run_archive_queue;
#[cfg(feature = "feed")]
pub use queue::run_registry_queue;
#[cfg(feature = "webhook")]
pub use queue::run_webhook_queue;
#[cfg(feature = "http")]
pub use quota::InMemoryCallCounter;
#[cfg(feature = "http")]
pub use serve::{serve, serve_streaming};
pub use step::{Invocation, poll_output, push_output, run_schedule, run_step, upload_output};
#[cfg(feature = "stream")]
pub use stream::run_outbox_stream;
pub use wire::*;

/// Error with which a function ends if it fails to start.
pub use lambda_runtime::Error;

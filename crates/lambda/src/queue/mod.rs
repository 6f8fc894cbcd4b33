//! Event loops of the Lambda functions that consume SQS queues.

mod batch;
#[cfg(feature = "feed")]
mod feed;
#[cfg(feature = "webhook")]
mod webhook;

#[cfg(feature = "feed")]
pub use feed::run_registry_queue;
#[cfg(feature = "webhook")]
pub use webhook::run_webhook_queue;

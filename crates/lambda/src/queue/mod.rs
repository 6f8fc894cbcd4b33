//! Event loops of the Lambda functions that consume SQS queues.

#[cfg(feature = "archive")]
mod archive;
#[cfg(any(feature = "feed", feature = "webhook"))]
mod batch;
mod event;
#[cfg(feature = "feed")]
mod feed;
#[cfg(feature = "webhook")]
mod webhook;

#[cfg(feature = "archive")]
pub use archive::run_archive_queue;
#[cfg(feature = "feed")]
pub use feed::run_registry_queue;
#[cfg(feature = "webhook")]
pub use webhook::run_webhook_queue;

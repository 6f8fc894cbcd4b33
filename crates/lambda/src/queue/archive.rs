//! Event loop of the Lambda function `archive`, which writes the messages of a queue into the archive
//! of the audit trail.

use std::future::Future;

use docferry_app::ports::ArchiveError;
use lambda_runtime::{Error, LambdaEvent, service_fn};

use super::event::parse_event;
use crate::failure::cause_chain;

/// Serves the queue. The handler gets the bodies of all messages of an event. If it fails, SQS
/// delivers all of them again.
///
/// # Errors
/// Only errors of the Lambda runtime itself.
pub async fn run_archive_queue<F, Fut>(handler: F) -> Result<(), Error>
where
    F: Fn(Vec<String>) -> Fut,
    Fut: Future<Output = Result<(), ArchiveError>>,
{
    let handler = &handler;
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| async move {
        let event = parse_event(event.payload)?;
        let messages: Vec<_> = event.records.into_iter().filter_map(|record| record.body).collect();
        let count = messages.len();
        match handler(messages).await {
            Ok(()) => {
                tracing::info!(records = count, "audit records archived");
                Ok(())
            }
            Err(error) => {
                tracing::warn!(error.cause = cause_chain(&error), "archiving audit records failed");
                Err(Error::from("the audit records were not archived"))
            }
        }
    }))
    .await
}

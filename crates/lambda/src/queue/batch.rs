//! The part that the event loops of all queues share: one call of the handler for each message, and
//! the report of the messages that SQS must deliver again.

use std::future::Future;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsMessage};
use futures::future::join_all;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

use super::event::parse_event;

/// Result of handling a message; it decides whether SQS deletes the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    /// SQS deletes the message.
    Delete,
    /// SQS delivers the message again after its visibility timeout, or moves it to the dead-letter
    /// queue.
    Redeliver,
}

/// Serves a queue. The messages of one event are handled concurrently, so that a slow message does
/// not delay the others.
///
/// # Errors
/// Only errors of the Lambda runtime itself.
pub(super) async fn run_queue<F, Fut>(handle: F) -> Result<(), Error>
where
    F: Fn(SqsMessage) -> Fut,
    Fut: Future<Output = Disposition>,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| handle_event(event.payload, handle)))
        .await
}

/// Handles all messages of an event. The response names those that SQS must deliver again.
///
/// # Errors
/// If the event is not an event of SQS.
pub(super) async fn handle_event<F, Fut>(event: Value, handle: F) -> Result<SqsBatchResponse, Error>
where
    F: Fn(SqsMessage) -> Fut,
    Fut: Future<Output = Disposition>,
{
    let event = parse_event(event)?;
    let handle_message = async |message: SqsMessage| {
        let id = message.message_id.clone().unwrap_or_default();
        match handle(message).await {
            Disposition::Delete => None,
            Disposition::Redeliver => {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = id;
                Some(failure)
            }
        }
    };
    let failures = join_all(event.records.into_iter().map(handle_message)).await;
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures.extend(failures.into_iter().flatten());
    Ok(response)
}

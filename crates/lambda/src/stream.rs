use std::future::Future;

use aws_lambda_events::dynamodb::{EventRecord, StreamRecord};
use aws_lambda_events::event::dynamodb::Event;
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use docferry_app::TaskError;
use docferry_domain::OutcomeRecord;
use lambda_runtime::{Error, LambdaEvent, service_fn};

use crate::failure::causes;

/// Serves the table's stream: each outcome that was put into the outbox goes to the
/// handler, in the order of its shard. What fails is given back, with all behind
/// it, to be brought again.
///
/// The stream is filtered where it is subscribed to; whatever else comes is passed
/// over, and so is an item that cannot be read: bringing it again would not help,
/// and nothing behind it would ever be told.
///
/// # Errors
/// Only the runtime's own.
pub async fn run_outcomes<F, Fut>(handler: F) -> Result<(), Error>
where
    F: Fn(OutcomeRecord) -> Fut,
    Fut: Future<Output = Result<(), TaskError>>,
{
    let handler = &handler;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Event>| async move {
        let mut response = DynamoDbEventResponse::default();
        for EventRecord { change, event_name, .. } in event.payload.records {
            let sequence_number = change.sequence_number.clone();
            let Some(record) = outcome(&event_name, change) else { continue };
            let id = record.transfer_id.to_string();
            if let Err(error) = handler(record).await {
                tracing::warn!(
                    transfer.id = id,
                    error.code = error.code.as_str(),
                    error.cause = causes(&error),
                    "outcome not told"
                );
                let mut failure = DynamoDbBatchItemFailure::default();
                failure.item_identifier = sequence_number;
                response.batch_item_failures.push(failure);
                break;
            }
            tracing::info!(transfer.id = id, "outcome told");
        }
        Ok::<_, Error>(response)
    }))
    .await
}

fn outcome(event_name: &str, change: StreamRecord) -> Option<OutcomeRecord> {
    let is_outcome = |key: &serde_dynamo::AttributeValue| matches!(key, serde_dynamo::AttributeValue::S(text) if text.starts_with("OUTBOX#"));
    let key = change.keys.get("sk");
    if event_name != "INSERT" || !key.is_some_and(is_outcome) {
        return None;
    }
    let read = serde_dynamo::from_item(change.new_image);
    if read.is_err() {
        tracing::error!("an outcome in the stream cannot be read");
    }
    read.ok()
}

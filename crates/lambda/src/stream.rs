use std::future::Future;

use aws_lambda_events::dynamodb::{EventRecord, StreamRecord};
use aws_lambda_events::event::dynamodb::Event;
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use docferry_app::TaskError;
use docferry_domain::{Notice, OutcomeRecord};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::de::DeserializeOwned;

use crate::failure::causes;

/// What the sort keys of outcomes begin with.
const OUTCOME: &str = "OUTBOX#";
/// What those of notices begin with.
const NOTICE: &str = "NOTICE#";

/// Serves the table's stream: each outcome that was put into the outbox goes to its
/// handler, in the order of its shard, and each notice to the other one. An outcome that
/// fails is given back, with all behind it, to be brought again.
///
/// A notice that fails is not, and neither are those behind it tried: `sweep` does it.
/// Else a queue of webhooks that takes nothing would hold up outcomes. The two come by
/// subscriptions of their own, so that it costs them no time either.
///
/// The stream is filtered where it is subscribed to; whatever else comes is passed
/// over, and so is an item that cannot be read: bringing it again would not help,
/// and nothing behind it would ever be told.
///
/// # Errors
/// Only the runtime's own.
pub async fn run_outbox<O, OFut, N, NFut>(outcomes: O, notices: N) -> Result<(), Error>
where
    O: Fn(OutcomeRecord) -> OFut,
    OFut: Future<Output = Result<(), TaskError>>,
    N: Fn(Notice) -> NFut,
    NFut: Future<Output = Result<(), TaskError>>,
{
    let (outcomes, notices) = (&outcomes, &notices);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Event>| async move {
        let mut response = DynamoDbEventResponse::default();
        let (of_outcomes, others): (Vec<_>, Vec<_>) =
            event.payload.records.into_iter().partition(|record| begins(record, OUTCOME));
        for EventRecord { change, .. } in of_outcomes {
            let sequence_number = change.sequence_number.clone();
            let Some(record) = read::<OutcomeRecord>(change) else { continue };
            let id = record.transfer_id.to_string();
            if let Err(error) = outcomes(record).await {
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
        for EventRecord { change, .. } in others.into_iter().filter(|it| begins(it, NOTICE)) {
            let Some(notice) = read::<Notice>(change) else { continue };
            let id = notice.job_id.to_string();
            if let Err(error) = notices(notice).await {
                tracing::warn!(
                    job.id = id,
                    error.code = error.code.as_str(),
                    error.cause = causes(&error),
                    "notice left to sweep"
                );
                break;
            }
            tracing::info!(job.id = id, "notice forwarded");
        }
        Ok::<_, Error>(response)
    }))
    .await
}

/// Whether a record is a new item of this kind.
fn begins(record: &EventRecord, kind: &str) -> bool {
    let is_of_kind = |key: &serde_dynamo::AttributeValue| matches!(key, serde_dynamo::AttributeValue::S(text) if text.starts_with(kind));
    record.event_name == "INSERT" && record.change.keys.get("sk").is_some_and(is_of_kind)
}

fn read<T: DeserializeOwned>(change: StreamRecord) -> Option<T> {
    let read = serde_dynamo::from_item(change.new_image);
    if read.is_err() {
        tracing::error!("an item in the stream cannot be read");
    }
    read.ok()
}

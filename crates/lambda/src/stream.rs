//! Event loop of the Lambda function `notify`, which sends new outbox items to their queues.
//!
//! A DynamoDB stream contains every change of its table. The outbox items are outcome records and
//! audit events, which go to the audit queues, and webhook notifications, which go to the webhook
//! queue.

use std::future::Future;

use aws_lambda_events::dynamodb::{EventRecord, StreamRecord};
use aws_lambda_events::event::dynamodb::Event;
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use docferry_app::TaskError;
use docferry_domain::audit::AuditEvent;
use docferry_domain::job::WebhookNotification;
use docferry_domain::transfer::OutcomeRecord;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::de::DeserializeOwned;

use crate::failure::cause_chain;

/// Prefix of the sort keys of outcome records.
const OUTCOME_PREFIX: &str = "OUTBOX#";
/// Sort key of audit events.
const EVENT_KEY: &str = "EVENT";
/// Prefix of the sort keys of webhook notifications.
const NOTIFICATION_PREFIX: &str = "NOTICE#";

/// Serves the tables' streams. The handlers `send_outcome` and `send_event` get each new outcome
/// record and audit event in the order of the stream's shard. The handler `forward_notification`
/// gets each new webhook notification.
///
/// If an outcome record or an audit event fails, it is reported to Lambda as failed. Lambda then delivers it again,
/// together with all records after it.
///
/// If a webhook notification fails, it is not reported as failed, because an unavailable webhook
/// queue would then block outcome records. The notifications after it are not tried. The sweeper
/// forwards all of them later. The stream has separate subscriptions for outcome records and
/// notifications, so a slow webhook queue does not delay outcome records either.
///
/// The subscriptions filter the stream. Records that are no outbox items are skipped. Malformed
/// items are skipped too, because a retry would not help and would block all records after them.
///
/// # Errors
/// Only errors of the Lambda runtime itself.
pub async fn run_outbox_stream<O, OFut, E, EFut, N, NFut>(
    send_outcome: O,
    send_event: E,
    forward_notification: N,
) -> Result<(), Error>
where
    O: Fn(OutcomeRecord) -> OFut,
    OFut: Future<Output = Result<(), TaskError>>,
    E: Fn(AuditEvent) -> EFut,
    EFut: Future<Output = Result<(), TaskError>>,
    N: Fn(WebhookNotification) -> NFut,
    NFut: Future<Output = Result<(), TaskError>>,
{
    let (send_outcome, send_event, forward_notification) =
        (&send_outcome, &send_event, &forward_notification);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Event>| async move {
        let mut response = DynamoDbEventResponse::default();
        let is_audit =
            |record: &EventRecord| is_new(record, OUTCOME_PREFIX) || is_new(record, EVENT_KEY);
        let (audit_records, other_records): (Vec<_>, Vec<_>) =
            event.payload.records.into_iter().partition(is_audit);
        for record in audit_records {
            let sequence_number = record.change.sequence_number.clone();
            let (transfer_id, sent) = if is_new(&record, EVENT_KEY) {
                let Some(event) = parse::<AuditEvent>(record.change) else { continue };
                (None, send_event(event).await)
            } else {
                let Some(outcome) = parse::<OutcomeRecord>(record.change) else { continue };
                (Some(outcome.transfer_id.to_string()), send_outcome(outcome).await)
            };
            if let Err(error) = sent {
                tracing::warn!(
                    transfer.id = transfer_id,
                    error.code = error.code.as_str(),
                    error.cause = cause_chain(&error),
                    "sending the audit record failed"
                );
                let mut failure = DynamoDbBatchItemFailure::default();
                failure.item_identifier = sequence_number;
                response.batch_item_failures.push(failure);
                break;
            }
            tracing::info!(transfer.id = transfer_id, "audit record sent");
        }
        let notification_records =
            other_records.into_iter().filter(|record| is_new(record, NOTIFICATION_PREFIX));
        for EventRecord { change, .. } in notification_records {
            let Some(notification) = parse::<WebhookNotification>(change) else { continue };
            let id = notification.job_id.to_string();
            if let Err(error) = forward_notification(notification).await {
                tracing::warn!(
                    job.id = id,
                    error.code = error.code.as_str(),
                    error.cause = cause_chain(&error),
                    "forwarding the webhook notification failed"
                );
                break;
            }
            tracing::info!(job.id = id, "webhook notification forwarded");
        }
        Ok::<_, Error>(response)
    }))
    .await
}

/// Returns whether the record inserts an item whose sort key begins with the prefix.
fn is_new(record: &EventRecord, prefix: &str) -> bool {
    let has_prefix = |key: &serde_dynamo::AttributeValue| matches!(key, serde_dynamo::AttributeValue::S(text) if text.starts_with(prefix));
    record.event_name == "INSERT" && record.change.keys.get("sk").is_some_and(has_prefix)
}

/// Parses a new item. Returns `None` if it is malformed.
fn parse<T: DeserializeOwned>(change: StreamRecord) -> Option<T> {
    let item = serde_dynamo::from_item(change.new_image);
    if item.is_err() {
        tracing::error!("malformed item in the stream");
    }
    item.ok()
}

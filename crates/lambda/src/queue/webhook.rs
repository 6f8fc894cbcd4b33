//! Event loop of the Lambda function `webhook`, which sends the notifications of the webhook queue.

use std::future::Future;

use aws_lambda_events::sqs::SqsMessage;
use docferry_app::notification::webhook::{NotificationResult, ReceivedNotification};
use docferry_domain::job::WebhookNotification;
use lambda_runtime::Error;

use super::batch::{Disposition, run_queue};

/// Message attribute with the number of times that SQS has delivered the message, including this
/// delivery.
const RECEIVE_COUNT: &str = "ApproximateReceiveCount";

/// Serves the webhook queue. The notifications of one event are handled concurrently, so that a
/// slow receiver does not delay the notifications to other receivers.
///
/// A message is reported as failed if it is malformed or its notification was not delivered. SQS
/// delivers the message again and finally moves it to the dead-letter queue.
///
/// # Errors
/// Only errors of the Lambda runtime itself.
pub async fn run_webhook_queue<F, Fut>(handler: F) -> Result<(), Error>
where
    F: Fn(ReceivedNotification) -> Fut,
    Fut: Future<Output = NotificationResult>,
{
    let handler = &handler;
    run_queue(async |message| match parse(message) {
        Some(notification) => deliver(handler, notification).await,
        None => {
            tracing::error!("malformed queue message");
            Disposition::Redeliver
        }
    })
    .await
}

/// Passes a notification to the handler.
async fn deliver<F, Fut>(handler: &F, notification: ReceivedNotification) -> Disposition
where
    F: Fn(ReceivedNotification) -> Fut,
    Fut: Future<Output = NotificationResult>,
{
    let WebhookNotification { job_id, end_number, .. } = &notification.notification;
    let (id, end_number, tries) = (job_id.to_string(), *end_number, notification.tries);
    match handler(notification).await {
        NotificationResult::Delivered => {
            tracing::info!(job.id = id, job.attempt = end_number, tries, "webhook delivered");
            Disposition::Delete
        }
        NotificationResult::Gone => {
            tracing::warn!(job.id = id, job.attempt = end_number, tries, "receiver gone for good");
            Disposition::Delete
        }
        NotificationResult::NotYet { why, pause } => {
            tracing::warn!(
                job.id = id,
                job.attempt = end_number,
                tries,
                pause_seconds = pause.as_secs(),
                error.cause = why.to_string(),
                "webhook delivery failed"
            );
            Disposition::Redeliver
        }
    }
}

/// Parses a message. Returns `None` if it is malformed.
fn parse(message: SqsMessage) -> Option<ReceivedNotification> {
    let notification = serde_json::from_str(&message.body?).ok()?;
    let tries = message.attributes.get(RECEIVE_COUNT).and_then(|count| count.parse().ok());
    Some(ReceivedNotification {
        notification,
        receipt: message.receipt_handle?,
        tries: tries.unwrap_or(1),
    })
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::sqs::SqsEvent;

    use super::*;

    /// Returns the notification in the sample event.
    fn sample_notification() -> ReceivedNotification {
        let sample = include_str!("../../../../events/webhook/completed.json");
        let event: SqsEvent = serde_json::from_str(sample).unwrap();
        parse(event.records.into_iter().next().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn delivered_and_undeliverable_webhooks_leave_the_queue() {
        let why = || docferry_app::ports::ReceiverError::Gone;
        let pause = std::time::Duration::from_secs(5);
        let results = [
            (NotificationResult::Delivered, Disposition::Delete),
            (NotificationResult::Gone, Disposition::Delete),
            (NotificationResult::NotYet { why: why(), pause }, Disposition::Redeliver),
        ];
        for (result, expected) in results {
            let handler = async |_| result.clone();
            assert_eq!(deliver(&handler, sample_notification()).await, expected, "{result:?}");
        }
    }

    #[test]
    fn queue_message_is_parsed_with_its_receive_count() {
        let sample = include_str!("../../../../events/webhook/completed.json");
        let event: SqsEvent = serde_json::from_str(sample).unwrap();
        let parsed = event.records.into_iter().map(parse).collect::<Option<Vec<_>>>().unwrap();
        assert_eq!((parsed.len(), parsed[0].tries), (1, 2));
        assert_eq!(parsed[0].notification.message_id(), "0193a3e4c5d67e8f90a1b2c3d4e5f607-1");

        let mut malformed = SqsMessage::default();
        malformed.body = Some("{}".to_owned());
        assert!(parse(malformed).is_none());
    }
}

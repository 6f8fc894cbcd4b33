//! Event loop of the Lambda function `feed`, which stores the records of the registry queue.

use std::future::Future;

use aws_lambda_events::sqs::SqsMessage;
use docferry_app::document::feed::{FeedError, FeedResult};
use lambda_runtime::Error;

use super::batch::{Disposition, run_queue};
use crate::failure::cause_chain;

/// Serves the queue of the document registry. The handler receives the body of each message.
///
/// A message is reported as failed if its record was neither stored nor added to the dead-letter
/// queue. SQS then delivers it again, and finally moves it to the dead-letter queue. The other
/// messages of the event are not affected. The log names a message by its SQS id and never contains
/// a value of a record.
///
/// # Errors
/// Only errors of the Lambda runtime itself.
pub async fn run_registry_queue<F, Fut>(handler: F) -> Result<(), Error>
where
    F: Fn(String) -> Fut,
    Fut: Future<Output = Result<FeedResult, FeedError>>,
{
    let handler = &handler;
    run_queue(async |message| feed(handler, message).await).await
}

/// Passes the body of a message to the handler.
async fn feed<F, Fut>(handler: &F, message: SqsMessage) -> Disposition
where
    F: Fn(String) -> Fut,
    Fut: Future<Output = Result<FeedResult, FeedError>>,
{
    let id = message.message_id.unwrap_or_default();
    match handler(message.body.unwrap_or_default()).await {
        Ok(FeedResult::Stored) => tracing::info!(message.id = id, "record stored"),
        Ok(FeedResult::Unchanged) => tracing::info!(message.id = id, "record unchanged"),
        Ok(FeedResult::Rejected { field }) => {
            tracing::warn!(message.id = id, error.field = field, "record rejected");
        }
        Err(error) => {
            let cause = cause_chain(&error);
            tracing::warn!(message.id = id, error.cause = cause, "record not handled");
            return Disposition::Redeliver;
        }
    }
    Disposition::Delete
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use docferry_app::ports::{QueueError, StoreError};
    use serde_json::{Value, json};

    use super::super::batch::handle_event;
    use super::*;

    fn event(bodies: &[&str]) -> Value {
        let record = |(place, body)| json!({ "messageId": format!("id-{place}"), "body": body });
        json!({ "Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>() })
    }

    /// Handles an event, and returns the ids of the messages to be delivered again.
    async fn redelivered(
        event: Value,
        handler: impl AsyncFn(String) -> Result<FeedResult, FeedError>,
    ) -> Vec<String> {
        let handler = &handler;
        let handler = |body| handler(body);
        let feed = |message| feed(&handler, message);
        let response = handle_event(event, feed).await.unwrap();
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    #[tokio::test]
    async fn failed_message_is_redelivered_and_later_ones_are_handled() {
        let bodies = RefCell::new(Vec::new());
        let handler = async |body: String| {
            let result = match body.as_str() {
                "store fails" => Err(StoreError::Unavailable("timeout".into()).into()),
                "queue fails" => Err(QueueError("timeout".into()).into()),
                "bad" => Ok(FeedResult::Rejected { field: "size" }),
                "old" => Ok(FeedResult::Unchanged),
                _ => Ok(FeedResult::Stored),
            };
            bodies.borrow_mut().push(body);
            result
        };
        let sent = ["store fails", "bad", "new", "queue fails", "old", "new"];
        assert_eq!(redelivered(event(&sent), handler).await, ["id-0", "id-3"]);
        assert_eq!(bodies.into_inner(), sent);
    }

    #[tokio::test]
    async fn sample_events_are_handled_with_their_bodies() {
        for sample in [
            include_str!("../../../../events/feed/record.json"),
            include_str!("../../../../events/feed/faulty.json"),
        ] {
            let sample: Value = serde_json::from_str(sample).unwrap();
            let body = sample["Records"][0]["body"].as_str().unwrap().to_owned();
            let handler = async |received: String| {
                assert_eq!(received, body);
                Ok(FeedResult::Stored)
            };
            assert!(redelivered(sample.clone(), handler).await.is_empty());
        }
    }

    #[tokio::test]
    async fn event_of_another_source_is_an_error_that_does_not_quote_it() {
        let handler = |_| async { Disposition::Delete };
        let error = handle_event(json!({ "Records": "Ada" }), handler).await.unwrap_err();
        assert_eq!(error.to_string(), "invalid queue event");
    }
}

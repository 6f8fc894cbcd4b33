use std::future::Future;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use docferry_app::webhook::{Given, Told};
use docferry_domain::Notice;
use futures::future::join_all;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize as _;
use serde_json::Value;

/// How often SQS gave a message, this time included.
const TIMES_GIVEN: &str = "ApproximateReceiveCount";

/// Serves the queue of webhooks: the notices of a batch go to the handler all at once, so
/// that a slow receiver does not hold up the others. What was not told is given back, and
/// so is what cannot be read: at the end it lies among the dead letters.
///
/// # Errors
/// Only the runtime's own.
pub async fn run_queue<F, Fut>(handler: F) -> Result<(), Error>
where
    F: Fn(Given) -> Fut,
    Fut: Future<Output = Told>,
{
    let handler = &handler;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        // Read here and not by the runtime, whose error would quote the input.
        let Ok(event) = SqsEvent::deserialize(event.payload) else {
            tracing::error!("the input is not of a queue");
            return Err("the input is not of a queue".into());
        };
        let one = async |message: SqsMessage| {
            let id = message.message_id.clone().unwrap_or_default();
            let is_done = match given(message) {
                Some(given) => tell(handler, given).await,
                None => {
                    tracing::error!("a message of the queue cannot be read");
                    false
                }
            };
            (!is_done).then(|| {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = id;
                failure
            })
        };
        let mut response = SqsBatchResponse::default();
        let failures = join_all(event.records.into_iter().map(one)).await;
        response.batch_item_failures.extend(failures.into_iter().flatten());
        Ok::<_, Error>(response)
    }))
    .await
}

/// Whether the message is done with.
async fn tell<F, Fut>(handler: &F, given: Given) -> bool
where
    F: Fn(Given) -> Fut,
    Fut: Future<Output = Told>,
{
    let Notice { job_id, attempt, .. } = &given.notice;
    let (id, attempt, tries) = (job_id.to_string(), *attempt, given.tries);
    match handler(given).await {
        Told::Delivered => {
            tracing::info!(job.id = id, job.attempt = attempt, tries, "receiver told");
            true
        }
        Told::Gone => {
            tracing::warn!(job.id = id, job.attempt = attempt, tries, "receiver gone for good");
            true
        }
        Told::NotYet { why, pause } => {
            tracing::warn!(
                job.id = id,
                job.attempt = attempt,
                tries,
                pause_seconds = pause.as_secs(),
                error.cause = why.to_string(),
                "receiver not told"
            );
            false
        }
    }
}

fn given(message: SqsMessage) -> Option<Given> {
    let notice = serde_json::from_str(&message.body?).ok()?;
    let tries = message.attributes.get(TIMES_GIVEN).and_then(|count| count.parse().ok());
    Some(Given { notice, receipt: message.receipt_handle?, tries: tries.unwrap_or(1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Given {
        let sample = include_str!("../../../events/webhook/completed.json");
        let event: SqsEvent = serde_json::from_str(sample).unwrap();
        given(event.records.into_iter().next().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn what_was_told_or_never_will_be_is_taken_out_of_the_queue_and_the_rest_stays() {
        assert!(tell(&async |_| Told::Delivered, sample()).await);
        assert!(tell(&async |_| Told::Gone, sample()).await);
        let why = || docferry_app::ports::ReceiverError::Gone;
        let pause = std::time::Duration::from_secs(5);
        assert!(!tell(&async |_| Told::NotYet { why: why(), pause }, sample()).await);
    }

    #[test]
    fn a_message_is_a_notice_and_how_often_it_came() {
        let sample = include_str!("../../../events/webhook/completed.json");
        let event: SqsEvent = serde_json::from_str(sample).unwrap();
        let given = event.records.into_iter().map(given).collect::<Option<Vec<_>>>().unwrap();
        assert_eq!((given.len(), given[0].tries), (1, 2));
        assert_eq!(given[0].notice.message_id(), "0193a3e4c5d67e8f90a1b2c3d4e5f607-1");
        let mut unreadable = SqsMessage::default();
        unreadable.body = Some("{}".to_owned());
        assert!(super::given(unreadable).is_none());
    }
}

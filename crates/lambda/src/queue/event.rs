//! Events by which SQS invokes a function.

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::Error;
use serde::Deserialize as _;
use serde_json::Value;

/// Parses an event of SQS. The error does not quote the event, as the error of the runtime would.
pub(super) fn parse_event(event: Value) -> Result<SqsEvent, Error> {
    SqsEvent::deserialize(event).map_err(|_| {
        tracing::error!("invalid queue event");
        "invalid queue event".into()
    })
}

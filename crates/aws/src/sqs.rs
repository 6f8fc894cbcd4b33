//! Tells outcomes through a queue.

use aws_sdk_sqs::Client;
use docferry_app::ports::{AuditQueue, QueueError};
use docferry_contract::audit::AuditMessage;
use docferry_domain::OutcomeRecord;

use crate::Fault;

/// The [`AuditQueue`] on SQS: a message is an [`AuditMessage`] as JSON.
#[derive(Debug, Clone)]
pub struct SqsAuditQueue {
    client: Client,
    queue_url: String,
}

impl SqsAuditQueue {
    /// Sends to the queue with this URL, a standard one.
    #[must_use]
    pub fn new(client: Client, queue_url: impl Into<String>) -> Self {
        Self { client, queue_url: queue_url.into() }
    }
}

impl AuditQueue for SqsAuditQueue {
    async fn send(&self, record: &OutcomeRecord) -> Result<(), QueueError> {
        const CALL: &str = "SQS SendMessage";
        let body = serde_json::to_string(&AuditMessage::from(record))
            .map_err(|_| QueueError(Box::new(Fault::new(CALL, "the message is not JSON"))))?;
        let request = self.client.send_message().queue_url(&self.queue_url).message_body(body);
        match Box::pin(request.send()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(QueueError(Box::new(Fault::of(CALL, &error)))),
        }
    }
}

//! SQS adapters: send audit records, webhook notifications and rejected records to their queues.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder;
use aws_sdk_sqs::types::MessageAttributeValue;
use docferry_app::ports::{
    AuditQueue, QueueError, Redelivery, RegistryDeadLetters, RejectedRecord, WebhookQueue,
};
use docferry_contract::audit::AuditMessage;
use docferry_domain::audit::AuditRecord;
use docferry_domain::job::WebhookNotification;
use serde::Serialize;

use crate::Fault;

/// Name of the call in faults.
const SEND_MESSAGE: &str = "SQS SendMessage";

/// Longest visibility timeout that SQS accepts, in seconds.
const MAX_VISIBILITY_TIMEOUT: u64 = 12 * 3600;

/// [`AuditQueue`] on SQS. Each record goes to two queues: that of the SIEM (the system that
/// monitors security events) and that of the archive. Each message is an [`AuditMessage`] as JSON.
#[derive(Debug, Clone)]
pub struct SqsAuditQueue {
    client: Client,
    /// URL of the queue of the SIEM, and URL of the queue of the archive.
    queue_urls: [String; 2],
}

impl SqsAuditQueue {
    /// Creates a sender for two standard queues: the queue of the SIEM, then that of the archive.
    #[must_use]
    pub const fn new(client: Client, queue_urls: [String; 2]) -> Self {
        Self { client, queue_urls }
    }
}

impl AuditQueue for SqsAuditQueue {
    async fn send(&self, record: &AuditRecord) -> Result<(), QueueError> {
        let message = AuditMessage::from(record);
        let [siem, archive] = self.queue_urls.each_ref();
        // Each queue gets the message even if the other one does not accept it.
        let (to_siem, to_archive) =
            tokio::join!(send(&self.client, siem, &message), send(&self.client, archive, &message));
        to_siem.and(to_archive)
    }
}

/// Sends a message as JSON.
async fn send(client: &Client, url: &str, message: &impl Serialize) -> Result<(), QueueError> {
    let body = serde_json::to_string(message)
        .map_err(|_| invalid_message("the message cannot be serialized"))?;
    submit(client.send_message().queue_url(url).message_body(body)).await
}

/// Executes a request to send a message.
async fn submit(request: SendMessageFluentBuilder) -> Result<(), QueueError> {
    match Box::pin(request.send()).await {
        Ok(_) => Ok(()),
        Err(error) => Err(QueueError(Box::new(Fault::of(SEND_MESSAGE, &error)))),
    }
}

/// Error for a message that cannot be sent.
fn invalid_message(problem: &'static str) -> QueueError {
    QueueError(Box::new(Fault::new(SEND_MESSAGE, problem)))
}

/// [`RegistryDeadLetters`] on SQS. It sends each rejected record unchanged to a dead-letter queue,
/// with the message attributes `field` and `reason`, which say why the record was rejected.
#[derive(Debug, Clone)]
pub struct SqsRegistryDeadLetters {
    client: Client,
    queue_url: String,
}

impl SqsRegistryDeadLetters {
    /// Creates a sender for the standard queue with this URL.
    #[must_use]
    pub fn new(client: Client, queue_url: impl Into<String>) -> Self {
        Self { client, queue_url: queue_url.into() }
    }
}

impl RegistryDeadLetters for SqsRegistryDeadLetters {
    async fn add_rejected(&self, rejected: &RejectedRecord) -> Result<(), QueueError> {
        let request = self.client.send_message().queue_url(&self.queue_url);
        let request = request.message_body(&rejected.message);
        let request = request.message_attributes("field", text_attribute(rejected.field)?);
        submit(request.message_attributes("reason", text_attribute(&rejected.reason)?)).await
    }
}

fn text_attribute(text: &str) -> Result<MessageAttributeValue, QueueError> {
    let attribute = MessageAttributeValue::builder().data_type("String").string_value(text);
    attribute.build().map_err(|_| invalid_message("an attribute has no type"))
}

/// [`WebhookQueue`] on SQS. Each message is a serialized [`WebhookNotification`].
///
/// It also implements [`Redelivery`], with which the consumer of the queue delays the next
/// delivery of a message.
#[derive(Debug, Clone)]
pub struct SqsWebhookQueue {
    client: Client,
    queue_url: String,
}

impl SqsWebhookQueue {
    /// Creates the adapter for the standard queue with this URL.
    #[must_use]
    pub fn new(client: Client, queue_url: impl Into<String>) -> Self {
        Self { client, queue_url: queue_url.into() }
    }
}

impl WebhookQueue for SqsWebhookQueue {
    async fn queue_notification(
        &self,
        notification: &WebhookNotification,
    ) -> Result<(), QueueError> {
        send(&self.client, &self.queue_url, notification).await
    }
}

impl Redelivery for SqsWebhookQueue {
    async fn delay_redelivery(&self, receipt: &str, delay: Duration) -> Result<(), QueueError> {
        let seconds = delay.as_secs().min(MAX_VISIBILITY_TIMEOUT);
        let seconds = i32::try_from(seconds).unwrap_or_default();
        let request = self.client.change_message_visibility().queue_url(&self.queue_url);
        let request = request.receipt_handle(receipt).visibility_timeout(seconds);
        match Box::pin(request.send()).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let fault = Fault::of("SQS ChangeMessageVisibility", &error);
                Err(QueueError(Box::new(fault)))
            }
        }
    }
}

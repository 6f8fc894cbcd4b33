//! The queues of the registry's feed, as the system of record and an operator use them.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::Message;

use crate::Cloud;

/// A message of the dead-letter queue of the registry's feed.
#[derive(Debug, Clone)]
pub struct RejectedMessage {
    /// The body of the message.
    pub body: String,
    /// The message attributes.
    pub attributes: BTreeMap<String, String>,
}

impl From<Message> for RejectedMessage {
    fn from(message: Message) -> Self {
        let attributes = message.message_attributes.unwrap_or_default().into_iter();
        let attributes = attributes.map(|(name, value)| (name, value.string_value.unwrap()));
        Self { body: message.body.unwrap(), attributes: attributes.collect() }
    }
}

impl Cloud {
    /// Sends a message to the queue of the registry, as the system of record does. Returns the SQS
    /// id of the message.
    pub async fn send_record(&self, body: &str) -> String {
        let request = self.sqs.send_message().queue_url(&self.stack.registry_queue_url);
        request.message_body(body).send().await.unwrap().message_id.unwrap()
    }

    /// Receives and deletes all messages of the dead-letter queue of the registry's feed.
    pub async fn rejected_records(&self) -> Vec<RejectedMessage> {
        let messages = self.drain_queue(&self.stack.registry_dead_letter_queue_url).await;
        messages.into_iter().map(RejectedMessage::from).collect()
    }
}

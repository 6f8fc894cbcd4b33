//! Construction of the dead-letter queue's client for the feed of the document registry.

use docferry_aws::SqsRegistryDeadLetters;

use crate::config::{Reader, Variables};

/// Client of the dead-letter queue `REGISTRY_DEAD_LETTER_QUEUE_URL`.
pub fn registry_dead_letters(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> SqsRegistryDeadLetters {
    let url = reader.required(
        "REGISTRY_DEAD_LETTER_QUEUE_URL",
        "https://sqs.ca-central-1.amazonaws.com/123456789012/docferry-local-registry-dead",
    );
    SqsRegistryDeadLetters::new(aws_sdk_sqs::Client::new(aws), url)
}

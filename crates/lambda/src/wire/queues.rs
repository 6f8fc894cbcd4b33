//! Construction of the clients of the queues and of the state machine.

use super::wiring::Wiring;

#[cfg(feature = "workflow")]
impl Wiring {
    /// Client of the state machine `STATE_MACHINE_ARN`.
    pub fn workflow(&mut self) -> docferry_aws::StepFunctionsWorkflow {
        let arn = self.reader.required(
            "STATE_MACHINE_ARN",
            "arn:aws:states:ca-central-1:123456789012:stateMachine:docferry-local-transfer",
        );
        docferry_aws::StepFunctionsWorkflow::new(aws_sdk_sfn::Client::new(&self.aws), arn)
    }
}

#[cfg(feature = "queue")]
impl Wiring {
    /// Client of the audit queues: `AUDIT_QUEUE_URL`, which belongs to the SIEM, and
    /// `AUDIT_ARCHIVE_QUEUE_URL`.
    pub fn audit_queue(&mut self) -> docferry_aws::SqsAuditQueue {
        let urls = [
            self.queue_url("AUDIT_QUEUE_URL", "audit"),
            self.queue_url("AUDIT_ARCHIVE_QUEUE_URL", "audit-archive"),
        ];
        docferry_aws::SqsAuditQueue::new(aws_sdk_sqs::Client::new(&self.aws), urls)
    }

    /// Client of the webhook queue `WEBHOOK_QUEUE_URL`, which the function `webhook` reads.
    pub fn webhook_queue(&mut self) -> docferry_aws::SqsWebhookQueue {
        let url = self.queue_url("WEBHOOK_QUEUE_URL", "webhook");
        docferry_aws::SqsWebhookQueue::new(aws_sdk_sqs::Client::new(&self.aws), url)
    }

    /// Client of the dead-letter queue of the document registry's feed,
    /// `REGISTRY_DEAD_LETTER_QUEUE_URL`.
    #[cfg(feature = "feed")]
    pub fn registry_dead_letters(&mut self) -> docferry_aws::SqsRegistryDeadLetters {
        let url = self.queue_url("REGISTRY_DEAD_LETTER_QUEUE_URL", "registry-dead");
        docferry_aws::SqsRegistryDeadLetters::new(aws_sdk_sqs::Client::new(&self.aws), url)
    }

    /// Reads the URL of a queue. `example` is the end of the queue's name in the error text.
    fn queue_url(&mut self, variable: &str, example: &str) -> String {
        let example =
            format!("https://sqs.ca-central-1.amazonaws.com/123456789012/docferry-local-{example}");
        self.reader.required(variable, &example)
    }
}

//! Access to docferry's AWS resources with the rights of an operator: the clients, the items of the
//! DynamoDB table of transfers, the document registry, and the messages in SQS queues.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_cloudwatchlogs as logs;
use aws_sdk_dynamodb as dynamodb;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3 as s3;
use aws_sdk_sfn as sfn;
use aws_sdk_sqs as sqs;
use aws_sdk_sqs::types::Message;
use docferry_app::ports::{RegistryWriter as _, UpsertResult};
use docferry_aws::DynamoRegistry;
use docferry_domain::document::{DocumentRecord, SubjectPatterns};
use serde_json::{Value, json};

use crate::Stack;

/// An item of the table of transfers.
pub type Item = HashMap<String, AttributeValue>;

/// The AWS resources of the service, as its operator sees them.
#[derive(Debug, Clone)]
pub struct Cloud {
    pub(crate) stack: Stack,
    pub(crate) http: reqwest::Client,
    pub(crate) dynamodb: dynamodb::Client,
    pub(crate) exchange: s3::Client,
    pub(crate) delivery: s3::Client,
    pub(crate) logs: logs::Client,
    pub(crate) sfn: sfn::Client,
    pub(crate) sqs: sqs::Client,
}

/// Returns a string attribute of an item, if the item has it.
fn string_attribute(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

/// Returns the bodies of messages, which are JSON.
fn bodies(messages: Vec<Message>) -> Vec<Value> {
    let body = |message: Message| serde_json::from_str(message.body().unwrap()).unwrap();
    messages.into_iter().map(body).collect()
}

/// Returns a builder of the configuration of one SDK client.
macro_rules! config {
    ($sdk:ident, $stack:expr, $endpoint:expr, $access_key_id:expr, $secret_access_key:expr) => {
        $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::new($stack.region.clone()))
            .credentials_provider($sdk::config::Credentials::new(
                $access_key_id,
                $secret_access_key,
                None,
                None,
                "tests",
            ))
            .endpoint_url($endpoint)
    };
}

impl Cloud {
    /// Creates clients with the root credentials of the emulator.
    #[must_use]
    pub fn new(stack: &Stack) -> Self {
        let endpoint = &stack.emulator;
        let exchange = &stack.exchange;
        Self {
            dynamodb: dynamodb::Client::from_conf(
                config!(dynamodb, stack, endpoint, "test", "test").build(),
            ),
            exchange: s3::Client::from_conf(
                config!(
                    s3,
                    stack,
                    &exchange.endpoint,
                    &exchange.access_key_id,
                    &exchange.secret_access_key
                )
                .force_path_style(true)
                .build(),
            ),
            delivery: s3::Client::from_conf(
                config!(s3, stack, endpoint, "test", "test").force_path_style(true).build(),
            ),
            logs: logs::Client::from_conf(config!(logs, stack, endpoint, "test", "test").build()),
            sfn: sfn::Client::from_conf(config!(sfn, stack, endpoint, "test", "test").build()),
            sqs: sqs::Client::from_conf(config!(sqs, stack, endpoint, "test", "test").build()),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            stack: stack.clone(),
        }
    }

    /// Returns the item with these keys, by a consistent read.
    async fn item(&self, pk: String, sk: &str) -> Option<Item> {
        let request = self.dynamodb.get_item().table_name(&self.stack.table).consistent_read(true);
        let request = request.key("pk", AttributeValue::S(pk));
        request.key("sk", AttributeValue::S(sk.to_owned())).send().await.unwrap().item
    }

    /// Returns the record of a transfer.
    pub async fn record(&self, transfer_id: &str) -> Option<Item> {
        self.item(format!("T#{transfer_id}"), "META").await
    }

    /// Returns the item with the encrypted upload session of a transfer.
    pub async fn session_item(&self, transfer_id: &str) -> Option<Item> {
        self.item(format!("T#{transfer_id}"), "SESSION#0").await
    }

    /// Returns the transfers that still refer to a key of the exchange bucket.
    pub async fn references(&self, key: &str) -> Vec<String> {
        let item = self.item(format!("K#{key}"), "REFS").await.unwrap_or_default();
        item.get("refs").and_then(|refs| refs.as_ss().ok()).cloned().unwrap_or_default()
    }

    /// Returns all items of the table.
    pub async fn items(&self) -> Vec<Item> {
        let mut pages =
            self.dynamodb.scan().table_name(&self.stack.table).into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.unwrap());
        }
        items
    }

    /// Returns all items of the table as text.
    pub async fn items_as_text(&self) -> Vec<String> {
        self.items().await.iter().map(|item| format!("{item:?}")).collect()
    }

    /// Returns all sort keys of the table that start with `prefix`.
    pub async fn sort_keys(&self, prefix: &str) -> Vec<String> {
        let keys = self.items().await.into_iter().filter_map(|item| string_attribute(&item, "sk"));
        keys.filter(|key| key.starts_with(prefix)).collect()
    }

    /// Returns the number of retries of each ended transfer, by the id of its last outcome. The id
    /// is `{transferId}/{attempt}`, and `attempt` is the number of the last execution.
    ///
    /// A document of a batch may have been retried less often than this number, because a retry of
    /// the batch may leave the document out.
    pub async fn ended_transfers(&self) -> BTreeMap<String, usize> {
        let last_outcome = |item: &Item| {
            string_attribute(item, "endedAt")?;
            let number = |name: &str| item.get(name)?.as_n().ok()?.parse::<usize>().ok();
            let transfer_id = string_attribute(item, "transferId")?;
            let outcome_id = format!("{transfer_id}/{}", number("attempt")?);
            Some((outcome_id, number("retries").unwrap_or(0)))
        };
        let items = self.items().await;
        let transfers = items.iter().filter(|item| {
            string_attribute(item, "sk").is_some_and(|sk| sk == "META" || sk.starts_with("DOC#"))
        });
        transfers.filter_map(last_outcome).collect()
    }

    /// Receives and deletes all messages of the audit queue.
    pub async fn audit_messages(&self) -> Vec<Value> {
        bodies(self.drain_queue(&self.stack.audit_queue_url).await)
    }

    /// Receives and deletes all messages of a queue, with their message attributes.
    pub(crate) async fn drain_queue(&self, queue_url: &str) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let request = self.sqs.receive_message().queue_url(queue_url);
            let request = request.max_number_of_messages(10).message_attribute_names("All");
            let received = request.send().await.unwrap().messages.unwrap_or_default();
            if received.is_empty() {
                return messages;
            }
            for message in received {
                let handle = message.receipt_handle().unwrap();
                let delete = self.sqs.delete_message().queue_url(queue_url).receipt_handle(handle);
                delete.send().await.unwrap();
                messages.push(message);
            }
        }
    }

    /// Whether the outcome of an execution was sent to the audit queue. The outbox contains the
    /// outcome until it is sent.
    pub async fn is_sent_to_audit(&self, transfer_id: &str, execution_number: u32) -> bool {
        self.item(format!("T#{transfer_id}"), &format!("OUTBOX#{execution_number}")).await.is_none()
    }

    /// Receives and deletes all messages of the dead-letter queue of webhooks.
    pub async fn dead_letter_webhooks(&self) -> Vec<Value> {
        bodies(self.drain_queue(&self.stack.webhook_dead_letter_queue_url).await)
    }

    /// Adds a document to the registry. Its number also makes its id and its subject.
    pub async fn index_document(&self, file_id: u64, guid: &str) {
        self.index_document_with_size(file_id, guid, 1_000).await;
    }

    /// Returns the document registry, with the rights of an operator.
    #[must_use]
    pub fn registry(&self) -> DynamoRegistry {
        DynamoRegistry::new(self.dynamodb.clone(), &self.stack.documents_table)
    }

    /// Adds a document to the registry, as [`Cloud::index_document`] does, with its size.
    pub async fn index_document_with_size(&self, file_id: u64, guid: &str, size: u64) {
        let record: DocumentRecord = serde_json::from_value(json!({
            "id": format!("file-{file_id}"),
            "subject": SubjectPatterns::default().read_text(&format!("S-{file_id}")).unwrap(),
            "fileId": file_id,
            "objGuid": guid,
            "fileName": format!("document {file_id}.pdf"),
            "contentType": "application/pdf",
            "size": size,
            "created": "2026-01-01T00:00:00Z",
            "indexed": "2026-01-01T00:00:00Z",
            "docStatus": "final",
            "status": "current",
            "scanResult": "clean",
        }))
        .unwrap();
        let result = self.registry().upsert(&record).await.unwrap();
        assert!(!matches!(result, UpsertResult::Conflict { .. }), "{file_id}: {result:?}");
    }
}

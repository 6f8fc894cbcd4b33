//! Operator's access to the cloud: table, buckets, executions, queues and logs.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_cloudwatchlogs as logs;
use aws_sdk_dynamodb as dynamodb;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3 as s3;
use aws_sdk_sfn as sfn;
use aws_sdk_sqs as sqs;
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::{SHORT, Stack, eventually};

/// An item of the table.
pub type Item = HashMap<String, AttributeValue>;

/// The AWS resources of the service, as its operator sees them.
#[derive(Debug, Clone)]
pub struct Cloud {
    pub(crate) stack: Stack,
    http: reqwest::Client,
    pub(crate) dynamodb: dynamodb::Client,
    pub(crate) exchange: s3::Client,
    delivery: s3::Client,
    logs: logs::Client,
    pub(crate) sfn: sfn::Client,
    sqs: sqs::Client,
}

fn text(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

/// History of a Step Functions execution.
#[derive(Debug)]
pub struct History {
    events: Vec<Value>,
}

impl History {
    /// Names of the states that were entered, in order.
    #[must_use]
    pub fn states(&self) -> Vec<&str> {
        self.events.iter().filter_map(|e| e["stateEnteredEventDetails"]["name"].as_str()).collect()
    }

    /// Number of times that a state was entered.
    #[must_use]
    pub fn entered(&self, state: &str) -> usize {
        self.states().iter().filter(|name| **name == state).count()
    }

    /// Outputs of a state, in order.
    #[must_use]
    pub fn outputs(&self, state: &str) -> Vec<Value> {
        let details = self.events.iter().map(|event| &event["stateExitedEventDetails"]);
        details
            .filter(|details| details["name"] == state)
            .map(|details| serde_json::from_str(details["output"].as_str().unwrap()).unwrap())
            .collect()
    }

    /// Error names of failed function calls, in order.
    #[must_use]
    pub fn errors(&self) -> Vec<&str> {
        self.events.iter().filter_map(|e| e["taskFailedEventDetails"]["error"].as_str()).collect()
    }

    /// Times at which functions crashed, in milliseconds since 1970.
    #[must_use]
    pub fn crashes(&self) -> Vec<i64> {
        // `ExitError`: during the invocation. `Unknown`: during the start of the process.
        let died = |event: &&Value| {
            let error = &event["taskFailedEventDetails"]["error"];
            error == "Runtime.ExitError" || error == "Runtime.Unknown"
        };
        let when = |event: &Value| match &event["timestamp"] {
            Value::String(text) => text.parse::<jiff::Timestamp>().unwrap().as_millisecond(),
            #[expect(clippy::cast_possible_truncation, reason = "milliseconds fit into an i64")]
            seconds => (seconds.as_f64().unwrap() * 1000.0) as i64,
        };
        self.events.iter().filter(died).map(when).collect()
    }

    /// The whole history as text.
    #[must_use]
    pub fn text(&self) -> String {
        Value::from(self.events.as_slice()).to_string()
    }
}

macro_rules! config {
    ($sdk:ident, $stack:expr, $endpoint:expr, $id:expr, $key:expr) => {
        $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::new($stack.region.clone()))
            .credentials_provider($sdk::config::Credentials::new($id, $key, None, None, "tests"))
            .endpoint_url($endpoint)
    };
}

impl Cloud {
    /// Creates clients with the root credentials of the emulator.
    #[must_use]
    pub fn new(stack: &Stack) -> Self {
        let root = &stack.emulator;
        let exchange = &stack.exchange;
        Self {
            dynamodb: dynamodb::Client::from_conf(
                config!(dynamodb, stack, root, "test", "test").build(),
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
                config!(s3, stack, root, "test", "test").force_path_style(true).build(),
            ),
            logs: logs::Client::from_conf(config!(logs, stack, root, "test", "test").build()),
            sfn: sfn::Client::from_conf(config!(sfn, stack, root, "test", "test").build()),
            sqs: sqs::Client::from_conf(config!(sqs, stack, root, "test", "test").build()),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            stack: stack.clone(),
        }
    }

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
    pub async fn session(&self, transfer_id: &str) -> Option<Item> {
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
    pub async fn table(&self) -> Vec<String> {
        self.items().await.iter().map(|item| format!("{item:?}")).collect()
    }

    /// Returns all sort keys of the table that start with `prefix`.
    pub async fn sort_keys(&self, prefix: &str) -> Vec<String> {
        let keys = self.items().await.into_iter().filter_map(|item| text(&item, "sk"));
        keys.filter(|key| key.starts_with(prefix)).collect()
    }

    /// Returns all transfers that have ended, as `{transferId}/{attempt}`, with their number
    /// of earlier ends (retries of the owner). For a document of a batch that number is an
    /// upper bound, because a document may take no part in a retry.
    pub async fn ended(&self) -> BTreeMap<String, usize> {
        let ended = |item: &Item| {
            text(item, "endedAt")?;
            let number = |name: &str| item.get(name)?.as_n().ok()?.parse::<usize>().ok();
            let end = format!("{}/{}", text(item, "transferId")?, number("attempt")?);
            Some((end, number("retries").unwrap_or(0)))
        };
        let items = self.items().await;
        let transfers = items.iter().filter(|item| {
            text(item, "sk").is_some_and(|sk| sk == "META" || sk.starts_with("DOC#"))
        });
        transfers.filter_map(ended).collect()
    }

    /// Receives and deletes all messages of the audit queue.
    pub async fn audit_messages(&self) -> Vec<Value> {
        self.drain_queue(&self.stack.audit_queue_url).await
    }

    async fn drain_queue(&self, queue: &str) -> Vec<Value> {
        let mut messages = Vec::new();
        loop {
            let request = self.sqs.receive_message().queue_url(queue).max_number_of_messages(10);
            let received = request.send().await.unwrap().messages.unwrap_or_default();
            if received.is_empty() {
                return messages;
            }
            for message in received {
                messages.push(serde_json::from_str(message.body().unwrap()).unwrap());
                let handle = message.receipt_handle().unwrap();
                let delete = self.sqs.delete_message().queue_url(queue).receipt_handle(handle);
                delete.send().await.unwrap();
            }
        }
    }

    /// Whether an outcome was sent to the audit queue. Until then it is in the outbox.
    pub async fn is_sent_to_audit(&self, transfer_id: &str, attempt: u32) -> bool {
        self.item(format!("T#{transfer_id}"), &format!("OUTBOX#{attempt}")).await.is_none()
    }

    /// Receives and deletes all messages of the dead-letter queue of webhooks.
    pub async fn dead_letter_webhooks(&self) -> Vec<Value> {
        self.drain_queue(&self.stack.webhook_dead_letter_queue_url).await
    }

    /// Returns the size of an object in the exchange bucket, or `None` if it does not exist.
    pub async fn object(&self, key: &str) -> Option<i64> {
        let request = self.exchange.head_object().bucket(&self.stack.exchange.bucket).key(key);
        match request.send().await {
            Ok(head) => head.content_length(),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_not_found()) => None,
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Puts an object into the exchange bucket. Returns its time by the store's clock, in
    /// seconds since 1970.
    pub async fn put_object(&self, key: &str, bytes: Vec<u8>) -> i64 {
        let bucket = &self.stack.exchange.bucket;
        let request = self.exchange.put_object().bucket(bucket).key(key).body(bytes.into());
        request.send().await.unwrap();
        let head = self.exchange.head_object().bucket(bucket).key(key).send().await.unwrap();
        head.last_modified().unwrap().secs()
    }

    /// Adds a document to the index of documents under a number.
    pub async fn index(&self, file_id: u64, guid: &str) {
        let request = self.dynamodb.put_item().table_name(&self.stack.documents_table);
        let request = request.item("fileId", AttributeValue::N(file_id.to_string()));
        request.item("objectGuid", AttributeValue::S(guid.to_owned())).send().await.unwrap();
    }

    /// Adds a document and its size to the index of documents under a number.
    pub async fn index_with_size(&self, file_id: u64, guid: &str, size: u64) {
        let request = self.dynamodb.put_item().table_name(&self.stack.documents_table);
        let request = request
            .item("fileId", AttributeValue::N(file_id.to_string()))
            .item("objectGuid", AttributeValue::S(guid.to_owned()))
            .item("size", AttributeValue::N(size.to_string()));
        request.send().await.unwrap();
    }

    /// Returns the size and SHA-256 of an object in the delivery bucket, if it exists.
    pub async fn delivered(&self, key: &str) -> Option<(u64, String)> {
        let request = self.delivery.get_object().bucket(&self.stack.delivery_bucket).key(key);
        let bytes = request.send().await.ok()?.body.collect().await.unwrap().into_bytes();
        let digest = sha2::Sha256::digest(&bytes);
        let hex = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Some((bytes.len() as u64, hex))
    }

    /// Returns the keys of unfinished multipart uploads to the delivery bucket.
    pub async fn open_multipart_uploads(&self) -> Vec<String> {
        let request = self.delivery.list_multipart_uploads().bucket(&self.stack.delivery_bucket);
        let uploads = request.send().await.unwrap().uploads.unwrap_or_default();
        uploads.into_iter().filter_map(|upload| upload.key).collect()
    }

    fn execution_arn(&self, transfer_id: &str, attempt: u32) -> String {
        let arn = self.stack.state_machine_arn.replace(":stateMachine:", ":execution:");
        format!("{arn}:{transfer_id}-{attempt}")
    }

    /// Stops an execution of a transfer from outside. No other state is entered, not even
    /// the one that would end the transfer. Returns the time of the stop in milliseconds
    /// since 1970, or `None` if the execution was not running.
    pub async fn stop_execution(&self, transfer_id: &str, attempt: u32) -> Option<i64> {
        let arn = self.execution_arn(transfer_id, attempt);
        let described = self.sfn.describe_execution().execution_arn(&arn).send().await.ok()?;
        if described.status != sfn::types::ExecutionStatus::Running {
            return None;
        }
        let stopped = self.sfn.stop_execution().execution_arn(arn).send().await.ok()?;
        stopped.stop_date.to_millis().ok()
    }

    /// Waits until the first execution of a transfer has ended and returns its status.
    pub async fn wait_for_execution(&self, transfer_id: &str) -> String {
        let arn = self.execution_arn(transfer_id, 1);
        eventually("the execution ends", SHORT, async || {
            let request = self.sfn.describe_execution().execution_arn(&arn);
            let status = request.send().await.unwrap().status;
            (status != sfn::types::ExecutionStatus::Running).then(|| status.as_str().to_owned())
        })
        .await
    }

    /// Returns the names of all executions.
    pub async fn executions(&self) -> Vec<String> {
        let request = self.sfn.list_executions().state_machine_arn(&self.stack.state_machine_arn);
        let mut pages = request.into_paginator().items().send();
        let mut names = Vec::new();
        while let Some(execution) = pages.next().await {
            names.push(execution.unwrap().name);
        }
        names
    }

    /// Returns the history of the first execution of a transfer.
    ///
    /// It is the raw JSON of the service, so that its whole text can be searched: the `Debug`
    /// output of the SDK's types hides inputs and outputs.
    pub async fn history(&self, transfer_id: &str) -> History {
        self.history_of(transfer_id, 1).await.expect("no such execution")
    }

    /// Returns the history of any execution of a transfer, if it was ever started.
    pub async fn history_of(&self, transfer_id: &str, attempt: u32) -> Option<History> {
        let mut events = Vec::new();
        let arn = self.execution_arn(transfer_id, attempt);
        let mut request = json!({ "executionArn": arn });
        loop {
            let url = format!("{}/", self.stack.emulator);
            let call = self
                .http
                .post(url)
                .header("authorization", self.root_authorization("states"))
                .header("content-type", "application/x-amz-json-1.0")
                .header("x-amz-target", "AWSStepFunctions.GetExecutionHistory");
            let answer = call.body(request.to_string()).send().await.unwrap();
            if answer.status() == reqwest::StatusCode::BAD_REQUEST {
                return None;
            }
            let answer: Value = answer.error_for_status().unwrap().json().await.unwrap();
            events.extend(answer["events"].as_array().unwrap().iter().cloned());
            match &answer["nextToken"] {
                Value::Null => return Some(History { events }),
                token => request["nextToken"] = token.clone(),
            }
        }
    }

    /// Returns the names of all log groups.
    pub async fn log_groups(&self) -> Vec<String> {
        let mut pages = self.logs.describe_log_groups().into_paginator().items().send();
        let mut names = Vec::new();
        while let Some(group) = pages.next().await {
            names.extend(group.unwrap().log_group_name);
        }
        names
    }

    /// Returns all messages of a log group.
    pub async fn log(&self, group: &str) -> String {
        let mut request = self.logs.filter_log_events().log_group_name(group);
        let mut text = String::new();
        loop {
            let page = request.clone().send().await.unwrap();
            for event in page.events() {
                text.extend([event.message().unwrap_or_default(), "\n"]);
            }
            match page.next_token {
                None => return text,
                token => request = request.set_next_token(token),
            }
        }
    }

    /// Invokes a function through Lambda's API. `Err` holds the error object of the function.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, Value> {
        let name = &self.stack.functions[function];
        let url = format!("{}/2015-03-31/functions/{name}/invocations", self.stack.emulator);
        let call = self.http.post(url).header("authorization", self.root_authorization("lambda"));
        let answer = call.body(event.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{function}: {:?}", answer.text().await);
        let failed = answer.headers().contains_key("x-amz-function-error");
        let payload = answer.json().await.unwrap();
        if failed { Err(payload) } else { Ok(payload) }
    }

    /// Returns the authorization header of the root user for calls without an SDK. The
    /// emulator reads the caller from it and does not check the signature.
    fn root_authorization(&self, service: &str) -> String {
        let scope = format!("test/20260101/{}/{service}/aws4_request", self.stack.region);
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0")
    }
}

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

/// The cloud that the service runs on, seen by its operator.
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

/// What an execution did.
#[derive(Debug)]
pub struct History {
    events: Vec<Value>,
}

impl History {
    /// Names of the states entered, in their order.
    #[must_use]
    pub fn states(&self) -> Vec<&str> {
        self.events.iter().filter_map(|e| e["stateEnteredEventDetails"]["name"].as_str()).collect()
    }

    /// How often a state was entered.
    #[must_use]
    pub fn entered(&self, state: &str) -> usize {
        self.states().iter().filter(|name| **name == state).count()
    }

    /// What a state gave to the next, each time that it ended.
    #[must_use]
    pub fn outputs(&self, state: &str) -> Vec<Value> {
        let details = self.events.iter().map(|event| &event["stateExitedEventDetails"]);
        details
            .filter(|details| details["name"] == state)
            .map(|details| serde_json::from_str(details["output"].as_str().unwrap()).unwrap())
            .collect()
    }

    /// What its calls of functions failed with, in their order.
    #[must_use]
    pub fn errors(&self) -> Vec<&str> {
        self.events.iter().filter_map(|e| e["taskFailedEventDetails"]["error"].as_str()).collect()
    }

    /// When functions died, in milliseconds since 1970.
    #[must_use]
    pub fn crashes(&self) -> Vec<i64> {
        // While it worked, or before it had come up.
        let died = |event: &&Value| {
            let error = &event["taskFailedEventDetails"]["error"];
            error == "Runtime.ExitError" || error == "Runtime.Unknown"
        };
        let when = |event: &Value| match &event["timestamp"] {
            Value::String(text) => text.parse::<jiff::Timestamp>().unwrap().as_millisecond(),
            #[expect(clippy::cast_possible_truncation, reason = "a time of this century")]
            seconds => (seconds.as_f64().unwrap() * 1000.0) as i64,
        };
        self.events.iter().filter(died).map(when).collect()
    }

    /// Everything in it.
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
    /// With the rights of the emulator's root.
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

    /// The record of a transfer.
    pub async fn record(&self, transfer_id: &str) -> Option<Item> {
        self.item(format!("T#{transfer_id}"), "META").await
    }

    /// The sealed upload session of a transfer.
    pub async fn session(&self, transfer_id: &str) -> Option<Item> {
        self.item(format!("T#{transfer_id}"), "SESSION#0").await
    }

    /// Who still refers to a key of the exchange bucket.
    pub async fn references(&self, key: &str) -> Vec<String> {
        let item = self.item(format!("K#{key}"), "REFS").await.unwrap_or_default();
        item.get("refs").and_then(|refs| refs.as_ss().ok()).cloned().unwrap_or_default()
    }

    /// Every item of the table.
    pub async fn items(&self) -> Vec<Item> {
        let mut pages =
            self.dynamodb.scan().table_name(&self.stack.table).into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.unwrap());
        }
        items
    }

    /// Every item of the table, as text.
    pub async fn table(&self) -> Vec<String> {
        self.items().await.iter().map(|item| format!("{item:?}")).collect()
    }

    /// Sort keys in the table that begin so.
    pub async fn sort_keys(&self, beginning: &str) -> Vec<String> {
        let keys = self.items().await.into_iter().filter_map(|item| text(&item, "sk"));
        keys.filter(|key| key.starts_with(beginning)).collect()
    }

    /// Every transfer that has ended: `{transferId}/{attempt}`, and how often it had ended
    /// before, because its owner had it run again. For a document of a job of many that
    /// is the most: it may have sat out runs.
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

    /// Takes everything out of the audit queue that is in it now.
    pub async fn audit_messages(&self) -> Vec<Value> {
        self.take_all(&self.stack.audit_queue_url).await
    }

    async fn take_all(&self, queue: &str) -> Vec<Value> {
        let mut messages = Vec::new();
        loop {
            let request = self.sqs.receive_message().queue_url(queue).max_number_of_messages(10);
            let taken = request.send().await.unwrap().messages.unwrap_or_default();
            if taken.is_empty() {
                return messages;
            }
            for message in taken {
                messages.push(serde_json::from_str(message.body().unwrap()).unwrap());
                let handle = message.receipt_handle().unwrap();
                let done = self.sqs.delete_message().queue_url(queue).receipt_handle(handle);
                done.send().await.unwrap();
            }
        }
    }

    /// Whether an ending was told to the audit queue: it lies in the outbox until then.
    pub async fn is_audited(&self, transfer_id: &str, attempt: u32) -> bool {
        self.item(format!("T#{transfer_id}"), &format!("OUTBOX#{attempt}")).await.is_none()
    }

    /// Takes the webhooks that no receiver took out of their queue.
    pub async fn dead_webhooks(&self) -> Vec<Value> {
        self.take_all(&self.stack.webhook_dead_letter_queue_url).await
    }

    /// Size of an object in the exchange bucket; `None` when there is none.
    pub async fn object(&self, key: &str) -> Option<i64> {
        let request = self.exchange.head_object().bucket(&self.stack.exchange.bucket).key(key);
        match request.send().await {
            Ok(head) => head.content_length(),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_not_found()) => None,
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Puts an object into the exchange bucket; returns when it was written, by
    /// the store's clock, in whole seconds since 1970.
    pub async fn put_object(&self, key: &str, bytes: Vec<u8>) -> i64 {
        let bucket = &self.stack.exchange.bucket;
        let request = self.exchange.put_object().bucket(bucket).key(key).body(bytes.into());
        request.send().await.unwrap();
        let head = self.exchange.head_object().bucket(bucket).key(key).send().await.unwrap();
        head.last_modified().unwrap().secs()
    }

    /// Gives a document a number.
    pub async fn index(&self, file_id: u64, guid: &str) {
        let request = self.dynamodb.put_item().table_name(&self.stack.documents_table);
        let request = request.item("fileId", AttributeValue::N(file_id.to_string()));
        request.item("objectGuid", AttributeValue::S(guid.to_owned())).send().await.unwrap();
    }

    /// Gives a document a number, and says in the index how large it is.
    pub async fn index_with_size(&self, file_id: u64, guid: &str, size: u64) {
        let request = self.dynamodb.put_item().table_name(&self.stack.documents_table);
        let request = request
            .item("fileId", AttributeValue::N(file_id.to_string()))
            .item("objectGuid", AttributeValue::S(guid.to_owned()))
            .item("size", AttributeValue::N(size.to_string()));
        request.send().await.unwrap();
    }

    /// Size and SHA-256 of an object in the delivery bucket, if it is there.
    pub async fn delivered(&self, key: &str) -> Option<(u64, String)> {
        let request = self.delivery.get_object().bucket(&self.stack.delivery_bucket).key(key);
        let bytes = request.send().await.ok()?.body.collect().await.unwrap().into_bytes();
        let digest = sha2::Sha256::digest(&bytes);
        let hex = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Some((bytes.len() as u64, hex))
    }

    /// Keys of multipart uploads to the delivery bucket that are under way.
    pub async fn open_multipart_uploads(&self) -> Vec<String> {
        let request = self.delivery.list_multipart_uploads().bucket(&self.stack.delivery_bucket);
        let uploads = request.send().await.unwrap().uploads.unwrap_or_default();
        uploads.into_iter().filter_map(|upload| upload.key).collect()
    }

    fn execution_arn(&self, transfer_id: &str, attempt: u32) -> String {
        let arn = self.stack.state_machine_arn.replace(":stateMachine:", ":execution:");
        format!("{arn}:{transfer_id}-{attempt}")
    }

    /// Ends an execution of a transfer from outside: no state of it is entered any
    /// more, not even the one that would end the transfer. When, in milliseconds since
    /// 1970; `None` when it was not running.
    pub async fn stop_execution(&self, transfer_id: &str, attempt: u32) -> Option<i64> {
        let arn = self.execution_arn(transfer_id, attempt);
        let described = self.sfn.describe_execution().execution_arn(&arn).send().await.ok()?;
        if described.status != sfn::types::ExecutionStatus::Running {
            return None;
        }
        let stopped = self.sfn.stop_execution().execution_arn(arn).send().await.ok()?;
        stopped.stop_date.to_millis().ok()
    }

    /// Waits until the workflow of a transfer has ended; tells how.
    pub async fn execution_end(&self, transfer_id: &str) -> String {
        let arn = self.execution_arn(transfer_id, 1);
        eventually("the execution ends", SHORT, async || {
            let request = self.sfn.describe_execution().execution_arn(&arn);
            let status = request.send().await.unwrap().status;
            (status != sfn::types::ExecutionStatus::Running).then(|| status.as_str().to_owned())
        })
        .await
    }

    /// Names of all executions so far.
    pub async fn executions(&self) -> Vec<String> {
        let request = self.sfn.list_executions().state_machine_arn(&self.stack.state_machine_arn);
        let mut pages = request.into_paginator().items().send();
        let mut names = Vec::new();
        while let Some(execution) = pages.next().await {
            names.push(execution.unwrap().name);
        }
        names
    }

    /// What the workflow of a transfer did.
    ///
    /// As the service answered it: the SDK's own types hide inputs and outputs
    /// when they are printed, and what is not printed cannot be searched.
    pub async fn history(&self, transfer_id: &str) -> History {
        self.history_of(transfer_id, 1).await.expect("no such execution")
    }

    /// The same of a later attempt, when it was ever started.
    pub async fn history_of(&self, transfer_id: &str, attempt: u32) -> Option<History> {
        let mut events = Vec::new();
        let arn = self.execution_arn(transfer_id, attempt);
        let mut request = json!({ "executionArn": arn });
        loop {
            let url = format!("{}/", self.stack.emulator);
            let call = self
                .http
                .post(url)
                .header("authorization", self.root("states"))
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

    /// Names of all log groups.
    pub async fn log_groups(&self) -> Vec<String> {
        let mut pages = self.logs.describe_log_groups().into_paginator().items().send();
        let mut names = Vec::new();
        while let Some(group) = pages.next().await {
            names.extend(group.unwrap().log_group_name);
        }
        names
    }

    /// Everything in a log group.
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

    /// Invokes a function as Lambda's API does; `Err` is its error object.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, Value> {
        let name = &self.stack.functions[function];
        let url = format!("{}/2015-03-31/functions/{name}/invocations", self.stack.emulator);
        let call = self.http.post(url).header("authorization", self.root("lambda"));
        let answer = call.body(event.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{function}: {:?}", answer.text().await);
        let failed = answer.headers().contains_key("x-amz-function-error");
        let payload = answer.json().await.unwrap();
        if failed { Err(payload) } else { Ok(payload) }
    }

    /// For the calls made without an SDK: emulators read who is calling from this
    /// header and check no signature.
    fn root(&self, service: &str) -> String {
        let scope = format!("test/20260101/{}/{service}/aws4_request", self.stack.region);
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0")
    }
}

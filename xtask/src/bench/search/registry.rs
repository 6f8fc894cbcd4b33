//! Documents in the emulator's DynamoDB, and the bare Query of a page of them.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use docferry_domain::document::{DocumentRecord, SubjectPatterns};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Map, Value, json};

use crate::bench::stack::BenchStack;
use crate::emulator::REGION;

/// Number of documents of a page.
pub(super) const PAGE_SIZE: u32 = 100;
/// Maximum number of documents of a subject.
const SUBJECT_SIZE: u32 = 1_000;
/// Maximum number of items of one BatchWriteItem.
const BATCH: usize = 25;
/// Number of batches that are written at a time.
const CONCURRENT_WRITES: usize = 2;

/// The table of the registry in the emulator.
pub(super) struct Registry {
    http: reqwest::Client,
    endpoint: String,
    table: String,
}

/// Returns the value of the first subject in a registry with this number of documents.
pub(super) fn subject_value(documents: u32) -> String {
    format!("S-{documents}")
}

impl Registry {
    pub(super) fn new(stack: &BenchStack) -> Result<Self> {
        Ok(Self {
            http: reqwest::Client::builder().no_proxy().build()?,
            endpoint: stack.emulator.url.clone(),
            table: stack.resources.table.clone(),
        })
    }

    /// Adds documents to the lists of their subjects. The list is the only part of the registry that a
    /// search by subject reads.
    pub(super) async fn load(&self, documents: u32) -> Result<()> {
        let puts = (0..documents).map(|number| {
            Ok(json!({ "PutRequest": { "Item": item(&record(documents, number)?)? } }))
        });
        let puts = puts.collect::<Result<Vec<_>>>()?;
        let batches = puts.chunks(BATCH).map(|batch| async move {
            let items = json!({ "RequestItems": { &self.table: batch } });
            let response: Value =
                serde_json::from_slice(&self.call("BatchWriteItem", &items).await?)?;
            let unprocessed = response["UnprocessedItems"].as_object();
            ensure!(unprocessed.is_none_or(Map::is_empty), "items were not written: {response}");
            Ok(())
        });
        stream::iter(batches).buffer_unordered(CONCURRENT_WRITES).try_collect::<()>().await
    }

    /// Sends the Query for the page of the first subject that begins with the document at this index,
    /// counted from the newest. Returns the time until the response is received.
    pub(super) async fn query(&self, documents: u32, first: u32) -> Result<Duration> {
        let subject_size = documents.min(SUBJECT_SIZE);
        let newest = record(documents, subject_size - 1)?;
        let mut request = json!({
            "TableName": self.table,
            "ConsistentRead": true,
            "ScanIndexForward": false,
            // The document after the page shows whether there is another page.
            "Limit": PAGE_SIZE + 1,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :from AND :to",
            "ExpressionAttributeValues": {
                ":pk": { "S": partition(&newest) }, ":from": { "S": "0" }, ":to": { "S": ":" },
            },
        });
        if first > 0 {
            let before = record(documents, subject_size - first)?;
            request["ExclusiveStartKey"] = key(&before);
        }
        let start = Instant::now();
        let response = self.call("Query", &request).await?;
        let took = start.elapsed();
        let response: Value = serde_json::from_slice(&response)?;
        ensure!(response["Count"].as_u64() > Some(0), "the Query found nothing: {response}");
        Ok(took)
    }

    /// Makes a call to DynamoDB, and returns the body of the response.
    async fn call(&self, operation: &str, body: &Value) -> Result<Vec<u8>> {
        // The emulator reads the region from the credential, and does not check the signature.
        let credential = format!("Credential=test/20260101/{REGION}/dynamodb/aws4_request");
        let authorization =
            format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0");
        let request = self
            .http
            .post(&self.endpoint)
            .header(CONTENT_TYPE, "application/x-amz-json-1.0")
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header(AUTHORIZATION, authorization)
            .body(body.to_string());
        let response = request.send().await?;
        let (status, body) = (response.status(), response.bytes().await?);
        ensure!(status.is_success(), "{operation}: {status} {}", String::from_utf8_lossy(&body));
        Ok(body.into())
    }
}

/// Returns a document of a registry with this number of documents. Documents with higher numbers are
/// newer, by one second each.
fn record(documents: u32, number: u32) -> Result<DocumentRecord> {
    let value = subject_value(documents + number / SUBJECT_SIZE);
    let (day, hour) = (number / 86_400 + 1, number / 3_600 % 24);
    let (minute, second) = (number / 60 % 60, number % 60);
    Ok(serde_json::from_value(json!({
        "id": format!("{value}-{number}"),
        "subject": { "system": SubjectPatterns::DEFAULT_SYSTEM, "value": value },
        "fileId": number + 1,
        "objGuid": "AAECAwQFBgcICQoLDA0ODw==",
        "fileName": format!("Reasons for judgment {number}.pdf"),
        "contentType": "application/pdf",
        "size": 1_000_000,
        "created": "2026-01-01T00:00:00Z",
        "indexed": format!("2026-01-{day:02}T{hour:02}:{minute:02}:{second:02}Z"),
        "docStatus": "final",
        "status": "current",
        "scanResult": "clean",
    }))?)
}

fn partition(record: &DocumentRecord) -> String {
    format!("subject#{}", record.subject.key())
}

/// Returns the key of a document in the list of its subject.
fn key(record: &DocumentRecord) -> Value {
    json!({ "pk": { "S": partition(record) }, "sk": { "S": record.position().sort_key() } })
}

/// Returns the entry of a document in the list of its subject.
fn item(record: &DocumentRecord) -> Result<Value> {
    let mut item = key(record);
    item["version"] = json!({ "N": "1" });
    if let Value::Object(members) = serde_json::to_value(record)? {
        for (name, value) in members {
            item[name] = attribute(value);
        }
    }
    Ok(item)
}

/// Converts a JSON value to an attribute of DynamoDB.
fn attribute(value: Value) -> Value {
    match value {
        Value::Null => json!({ "NULL": true }),
        Value::Bool(value) => json!({ "BOOL": value }),
        Value::Number(number) => json!({ "N": number.to_string() }),
        Value::String(text) => json!({ "S": text }),
        Value::Array(list) => json!({ "L": list.into_iter().map(attribute).collect::<Vec<_>>() }),
        Value::Object(map) => {
            let members = map.into_iter().map(|(name, value)| (name, attribute(value)));
            json!({ "M": members.collect::<Map<_, _>>() })
        }
    }
}

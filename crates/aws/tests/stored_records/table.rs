//! Fake DynamoDB table: it returns the items of a fixture to the store, and collects the items that
//! the store writes. With it, the store reads stored items without an emulator.

use std::sync::{Arc, Mutex};

use docferry_aws::{DynamoQuota, DynamoThrottleBudget, DynamoTransferStore};
use serde_json::{Value, json};

use crate::support::wire::{AfterResponse, http_response, serve};
use crate::typed_json::Item;
use crate::values::GRAPH_BUDGET;

/// State that the tests and the server share.
#[derive(Default)]
struct State {
    /// Items that reads return.
    items: Vec<Item>,
    /// Items that were put.
    written: Vec<Item>,
}

/// Table whose reads return the items that it was given last.
///
/// It collects the items that are put, but its reads do not return them. It rejects every update
/// outside a transaction as if its condition had failed: the store then takes its result from the
/// stored item, which the rejection contains.
pub(crate) struct FixtureTable {
    client: aws_sdk_dynamodb::Client,
    state: Arc<Mutex<State>>,
}

/// Name of the table. The fake server does not check it.
const TABLE: &str = "transfers";
/// Status of the response to a successful request.
const OK: &str = "200 OK";
/// Status of the response to a rejected request.
const BAD_REQUEST: &str = "400 Bad Request";

impl FixtureTable {
    /// Starts the server of an empty table.
    pub(crate) async fn start() -> Self {
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let url = serve(move |_, request| {
            let (status, body) = respond(&mut shared.lock().unwrap(), &request);
            let headers = "content-type: application/x-amz-json-1.0\r\n";
            let bytes = http_response(status, headers, &body.to_string());
            async move { (bytes, AfterResponse::Close) }
        })
        .await;

        let client = aws_sdk_dynamodb::Client::new(&crate::support::config(&url).await);
        Self { client, state }
    }

    /// Replaces the items of the table.
    pub(crate) fn set_items(&self, items: &[&Item]) {
        self.state.lock().unwrap().items = items.iter().copied().cloned().collect();
    }

    /// Returns the items that were put since the last call of this method.
    pub(crate) fn take_written(&self) -> Vec<Item> {
        std::mem::take(&mut self.state.lock().unwrap().written)
    }

    /// Returns the store of transfers in this table.
    pub(crate) fn store(&self) -> DynamoTransferStore {
        DynamoTransferStore::new(self.client.clone(), TABLE)
    }

    /// Returns the counter of API calls in this table.
    pub(crate) fn quota(&self) -> DynamoQuota {
        DynamoQuota::new(self.client.clone(), TABLE)
    }

    /// Returns the store of the pause of all transfers in this table.
    pub(crate) fn throttle_budget(&self) -> DynamoThrottleBudget {
        DynamoThrottleBudget::new(self.client.clone(), TABLE, GRAPH_BUDGET)
    }
}

/// Returns the status and the body of the response to a request.
fn respond(state: &mut State, request: &[u8]) -> (&'static str, Value) {
    let head_end = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&request[..head_end]).into_owned();
    let body: Value = serde_json::from_slice(&request[head_end + 4..]).unwrap();
    let is_operation =
        |operation: &str| head.contains(&format!("DynamoDB_20120810.{operation}\r\n"));

    if is_operation("GetItem") {
        (OK, get_item(&state.items, &body))
    } else if is_operation("Query") {
        (OK, query(&state.items, &body))
    } else if is_operation("PutItem") {
        state.written.push(body["Item"].as_object().unwrap().clone());
        (OK, json!({}))
    } else if is_operation("TransactWriteItems") {
        state.written.extend(items_put_by_transaction(&body));
        (OK, json!({}))
    } else {
        assert!(is_operation("UpdateItem"), "unexpected request: {head}");
        (BAD_REQUEST, failed_condition(&state.items[0]))
    }
}

/// Returns the response to a request for the item with one key.
fn get_item(items: &[Item], request: &Value) -> Value {
    let key = request["Key"].as_object().unwrap();
    let has_key = |item: &&Item| key.iter().all(|(name, value)| item.get(name) == Some(value));
    items.iter().find(has_key).map_or(json!({}), |item| json!({ "Item": item }))
}

/// Returns the response to a request for a range of sort keys in one partition.
fn query(items: &[Item], request: &Value) -> Value {
    let bound = |name: &str| request["ExpressionAttributeValues"][name]["S"].as_str().unwrap();
    let (pk, from, to) = (bound(":pk"), bound(":from"), bound(":to"));
    let text = |item: &Item, name: &str| item[name]["S"].as_str().unwrap().to_owned();

    let found: Vec<&Item> = items
        .iter()
        .filter(|item| text(item, "pk") == pk)
        .filter(|item| (from..=to).contains(&text(item, "sk").as_str()))
        .collect();
    json!({ "Items": found })
}

/// Returns the items of all puts in a transaction.
fn items_put_by_transaction(request: &Value) -> impl Iterator<Item = Item> {
    let actions = request["TransactItems"].as_array().unwrap();
    actions.iter().filter_map(|action| action["Put"]["Item"].as_object()).cloned()
}

/// Returns the response to an update whose condition fails. It contains the stored item.
fn failed_condition(stored: &Item) -> Value {
    let error_type = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
    json!({ "__type": error_type, "message": "", "Item": stored })
}

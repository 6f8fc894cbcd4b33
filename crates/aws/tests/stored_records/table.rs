//! Fake DynamoDB table whose reads return given items, and which records the items that are
//! written.

use std::sync::{Arc, Mutex};

use docferry_aws::{DynamoQuota, DynamoThrottleBudget, DynamoTransferStore};
use serde_json::{Value, json};

use crate::fixtures::Item;
use crate::support::wire::{AfterResponse, http_response, serve};

/// Items of the table, and the items that were written into it.
#[derive(Default)]
struct State {
    items: Vec<Item>,
    written: Vec<Item>,
}

/// Table whose reads return the items that it was given last.
///
/// It collects the items of puts but does not apply them. It rejects every update outside a
/// transaction, as if its condition failed, so that the caller gets the stored item.
pub(crate) struct FixtureTable {
    client: aws_sdk_dynamodb::Client,
    state: Arc<Mutex<State>>,
}

const TABLE: &str = "transfers";

impl FixtureTable {
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

    pub(crate) fn store(&self) -> DynamoTransferStore {
        DynamoTransferStore::new(self.client.clone(), TABLE)
    }

    pub(crate) fn quota(&self) -> DynamoQuota {
        DynamoQuota::new(self.client.clone(), TABLE)
    }

    pub(crate) fn throttle_budget(&self) -> DynamoThrottleBudget {
        DynamoThrottleBudget::new(self.client.clone(), TABLE, "graph")
    }
}

/// Returns the status and the body of the response to a request.
fn respond(state: &mut State, request: &[u8]) -> (&'static str, Value) {
    let end = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&request[..end]).into_owned();
    let body: Value = serde_json::from_slice(&request[end + 4..]).unwrap();
    let is_operation =
        |operation: &str| head.contains(&format!("DynamoDB_20120810.{operation}\r\n"));
    let items = &state.items;
    if is_operation("GetItem") {
        let key = body["Key"].as_object().unwrap();
        let has_key = |item: &&Item| key.iter().all(|(name, value)| item.get(name) == Some(value));
        return (
            "200 OK",
            items.iter().find(has_key).map_or(json!({}), |item| json!({"Item": item})),
        );
    }
    if is_operation("Query") {
        let bound = |name: &str| body["ExpressionAttributeValues"][name]["S"].as_str().unwrap();
        let (pk, from, to) = (bound(":pk"), bound(":from"), bound(":to"));
        let text = |item: &Item, name: &str| item[name]["S"].as_str().unwrap().to_owned();
        let found: Vec<&Item> = items
            .iter()
            .filter(|item| text(item, "pk") == pk)
            .filter(|item| (from..=to).contains(&text(item, "sk").as_str()))
            .collect();
        return ("200 OK", json!({ "Items": found }));
    }
    if is_operation("PutItem") {
        state.written.push(body["Item"].as_object().unwrap().clone());
        return ("200 OK", json!({}));
    }
    if is_operation("TransactWriteItems") {
        let actions = body["TransactItems"].as_array().unwrap();
        let puts = actions.iter().filter_map(|action| action["Put"]["Item"].as_object());
        state.written.extend(puts.cloned());
        return ("200 OK", json!({}));
    }
    assert!(is_operation("UpdateItem"), "unexpected request: {head}");
    let error_type = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
    ("400 Bad Request", json!({ "__type": error_type, "message": "", "Item": items[0] }))
}

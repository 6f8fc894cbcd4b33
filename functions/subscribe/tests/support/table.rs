//! Simulated DynamoDB with two tables: one contains the record of a transfer, which `GetItem`
//! returns. The other one, the document registry, is empty. All other operations find nothing.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use docferry_domain::transfer::Transfer;
use serde_json::{Value, json};
use sim_kit::Running;

/// The item in the format of the DynamoDB API, if one was put.
type Item = Arc<Mutex<Option<Value>>>;

/// Table with the record of one transfer.
pub(crate) struct Table {
    item: Item,
    server: Running,
}

impl Table {
    /// Starts an empty table.
    pub(crate) async fn start() -> Self {
        let item = Item::default();
        let shared = Arc::clone(&item);
        let router = |_: &str| Router::new().route("/", post(respond)).with_state(shared);
        Self { item, server: sim_kit::serve(0, None, router).await.unwrap() }
    }

    /// Endpoint of DynamoDB for the function.
    pub(crate) fn url(&self) -> &str {
        self.server.url()
    }

    /// Replaces the item with the record of this transfer.
    pub(crate) fn put(&self, transfer: &Transfer) {
        let mut item = attribute(&serde_json::to_value(transfer).unwrap())["M"].take();
        item["pk"] = json!({ "S": format!("T#{}", transfer.transfer_id) });
        item["sk"] = json!({ "S": "META" });
        *self.item.lock().unwrap() = Some(item);
    }
}

/// Handles a request to one of the tables.
async fn respond(
    State(item): State<Item>,
    headers: HeaderMap,
    request: String,
) -> axum::Json<Value> {
    let operation = headers["x-amz-target"].to_str().unwrap();
    if operation.ends_with(".BatchGetItem") {
        return axum::Json(json!({ "Responses": {}, "UnprocessedKeys": {} }));
    }
    let request: Value = serde_json::from_str(&request).unwrap();
    let stored_item = item.lock().unwrap().clone();
    let requested_item = stored_item.filter(|item| item["pk"] == request["Key"]["pk"]);
    axum::Json(requested_item.map_or_else(|| json!({}), |item| json!({ "Item": item })))
}

/// Converts a JSON value into a DynamoDB attribute value, such as `{"S": "text"}`.
fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({ "NULL": true }),
        Value::Bool(value) => json!({ "BOOL": value }),
        Value::Number(number) => json!({ "N": number.to_string() }),
        Value::String(text) => json!({ "S": text }),
        Value::Array(members) => json!({ "L": members.iter().map(attribute).collect::<Vec<_>>() }),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), attribute(value)));
            json!({ "M": members.collect::<serde_json::Map<_, _>>() })
        }
    }
}

//! Admin interface that every simulator has. Tests use it to set fault rules and bandwidth limits,
//! to read the request log, and to check that the simulator runs.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Query, State},
    response::Response,
    routing::{get, post},
};
use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json as object};

use crate::{
    reply::{json, refuse},
    shape::Shape,
    stage::Stage,
};

/// Returns the routes `faults`, `shape`, `requests` and `health`, to be nested under the admin base
/// path.
pub fn admin_routes<ServiceFaults>(stage: Arc<Stage<ServiceFaults>>) -> Router
where
    ServiceFaults: Clone + Default + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    Router::new()
        .route("/faults", post(add_rules).get(list_rules).delete(clear_rules))
        .route("/shape", post(set_shape).get(list_shapes))
        .route("/requests", get(list_requests).delete(clear_requests))
        .route("/health", get(async || json(StatusCode::OK, &object!({ "status": "ok" }))))
        .with_state(stage)
}

#[derive(Deserialize)]
struct ClearQuery {
    #[serde(rename = "match")]
    matching: Option<String>,
}

async fn add_rules<ServiceFaults>(
    State(stage): State<Arc<Stage<ServiceFaults>>>,
    body: Bytes,
) -> Response
where
    ServiceFaults: Clone + Default + Serialize + DeserializeOwned,
{
    let rules = serde_json::from_slice::<Value>(&body).map_err(|error| error.to_string());
    match rules.and_then(|rules| stage.faults.add(rules)) {
        Ok(added) => json(StatusCode::OK, &object!({ "added": added })),
        Err(message) => refuse(message),
    }
}

async fn list_rules<ServiceFaults>(State(stage): State<Arc<Stage<ServiceFaults>>>) -> Response
where
    ServiceFaults: Clone + Default + Serialize + DeserializeOwned,
{
    json(StatusCode::OK, &Value::Array(stage.faults.list()))
}

async fn clear_rules<ServiceFaults>(
    State(stage): State<Arc<Stage<ServiceFaults>>>,
    Query(query): Query<ClearQuery>,
) -> Response
where
    ServiceFaults: Clone + Default + Serialize + DeserializeOwned,
{
    let removed = stage.faults.clear(query.matching.as_deref());
    json(StatusCode::OK, &object!({ "removed": removed }))
}

async fn set_shape<ServiceFaults>(
    State(stage): State<Arc<Stage<ServiceFaults>>>,
    body: Bytes,
) -> Response {
    let shape = serde_json::from_slice::<Shape>(&body).map_err(|error| error.to_string());
    match shape.and_then(|shape| stage.shaper.set(shape)) {
        Ok(()) => json(StatusCode::OK, &object!(stage.shaper.list())),
        Err(message) => refuse(message),
    }
}

async fn list_shapes<ServiceFaults>(State(stage): State<Arc<Stage<ServiceFaults>>>) -> Response {
    json(StatusCode::OK, &object!(stage.shaper.list()))
}

async fn list_requests<ServiceFaults>(State(stage): State<Arc<Stage<ServiceFaults>>>) -> Response {
    json(StatusCode::OK, &object!(stage.log.list()))
}

async fn clear_requests<ServiceFaults>(State(stage): State<Arc<Stage<ServiceFaults>>>) -> Response {
    stage.log.clear();
    json(StatusCode::OK, &object!([]))
}

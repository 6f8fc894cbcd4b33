//! Admin interface of the S3 simulator. Benchmarks use it to add, list and remove objects.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Query, State as Extract},
    response::Response,
    routing::{get, put},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{object::Object, world::World};

pub(crate) fn routes(world: Arc<World>) -> Router {
    Router::new()
        .route("/objects", get(list_objects).delete(clear_objects))
        .route("/objects/{*key}", put(put_object))
        .with_state(world)
}

#[derive(Deserialize)]
struct ObjectQuery {
    size: u64,
    #[serde(default)]
    seed: u64,
}

async fn put_object(
    Extract(world): Extract<Arc<World>>,
    Path(key): Path<String>,
    Query(query): Query<ObjectQuery>,
) -> Response {
    let object = Object::new(query.size, query.seed);
    let body = describe(&key, &object);
    world.objects().insert(key, object);
    sim_kit::json(StatusCode::OK, &body)
}

async fn list_objects(Extract(world): Extract<Arc<World>>) -> Response {
    let objects = world.objects();
    let all: Vec<_> = objects.iter().map(|(key, object)| describe(key, object)).collect();
    sim_kit::json(StatusCode::OK, &Value::Array(all))
}

async fn clear_objects(Extract(world): Extract<Arc<World>>) -> Response {
    world.objects().clear();
    list_objects(Extract(world)).await
}

fn describe(key: &str, object: &Object) -> Value {
    json!({ "key": key, "size": object.size, "seed": object.seed, "etag": object.etag() })
}

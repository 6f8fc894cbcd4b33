//! Admin interface of the S3 simulator. Benchmarks and tests use it to add, change, list and remove
//! objects, to list unfinished uploads, and to read the counters.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    Router,
    extract::{Path, Query, State as Extract},
    response::Response,
    routing::{get, post, put},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    checksum::{self, Checksum, ChecksumType},
    object::Object,
    world::World,
};

/// Seeds of replaced objects. They are above the seeds that tests choose.
static NEXT_SEED: AtomicU64 = AtomicU64::new(1 << 32);

pub(crate) fn routes(world: Arc<World>) -> Router {
    Router::new()
        .route("/objects", get(list_objects).delete(clear_objects))
        .route("/objects/{*key}", put(put_object))
        .route("/flip/{*key}", post(flip_bit))
        .route("/replace/{*key}", post(replace_object))
        .route("/uploads", get(list_uploads))
        .route("/traffic", get(list_traffic).delete(clear_traffic))
        .with_state(world)
}

#[derive(Deserialize)]
struct ObjectQuery {
    size: u64,
    #[serde(default)]
    seed: u64,
    /// Whether the object has a recorded checksum.
    #[serde(default = "yes")]
    checksum: bool,
}

fn yes() -> bool {
    true
}

async fn put_object(
    Extract(world): Extract<Arc<World>>,
    Path(key): Path<String>,
    Query(query): Query<ObjectQuery>,
) -> Response {
    let object = generate(query.size, query.seed, query.checksum);
    let body = describe(&key, &object);
    world.objects().insert(key, object);
    sim_kit::json(StatusCode::OK, &body)
}

/// Returns a generated object, with the checksum of its bytes if it is to have one.
fn generate(size: u64, seed: u64, has_checksum: bool) -> Object {
    let object = Object::generated(size, seed);
    let checksum = has_checksum.then(|| Checksum::full_object(object.content.crc().value));
    Object { checksum, ..object }
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

#[derive(Deserialize)]
struct FlipQuery {
    offset: u64,
    #[serde(default)]
    bit: u8,
}

/// Inverts one bit of an object. The ETag and the recorded checksum remain, as they do when a disk
/// corrupts the bytes.
async fn flip_bit(
    Extract(world): Extract<Arc<World>>,
    Path(key): Path<String>,
    Query(query): Query<FlipQuery>,
) -> Response {
    change(&world, &key, |object| {
        let content = object.content.with_flipped_bit(query.offset, query.bit);
        let content = content.ok_or("`offset` must lie in the object, and `bit` below 8")?;
        Ok(Object { content, ..object.clone() })
    })
}

/// Replaces an object by another one of the same size, with a new ETag.
async fn replace_object(Extract(world): Extract<Arc<World>>, Path(key): Path<String>) -> Response {
    let seed = NEXT_SEED.fetch_add(1, Ordering::Relaxed);
    change(&world, &key, |object| Ok(generate(object.size(), seed, object.checksum.is_some())))
}

/// Changes an object and returns its description.
fn change(
    world: &World,
    key: &str,
    new: impl FnOnce(&Object) -> Result<Object, &'static str>,
) -> Response {
    let mut objects = world.objects();
    let Some(object) = objects.get_mut(key) else {
        return sim_kit::refuse(format!("no object has the key `{key}`"));
    };
    match new(object) {
        Ok(changed) => {
            *object = changed;
            sim_kit::json(StatusCode::OK, &describe(key, object))
        }
        Err(message) => sim_kit::refuse(message),
    }
}

async fn list_uploads(Extract(world): Extract<Arc<World>>) -> Response {
    let uploads = world.uploads();
    let uploads = uploads.0.iter().map(|((key, id), upload)| {
        let parts = upload.parts.iter().map(|(number, part)| {
            json!({
                "partNumber": number,
                "size": part.content.size(),
                "etag": part.etag(),
                "checksumCrc32": part.crc.map(checksum::encode),
            })
        });
        json!({
            "key": key,
            "uploadId": id,
            "checksumType": upload.checksum_type.map(ChecksumType::name),
            "parts": parts.collect::<Vec<_>>(),
        })
    });
    sim_kit::json(StatusCode::OK, &uploads.collect())
}

async fn list_traffic(Extract(world): Extract<Arc<World>>) -> Response {
    sim_kit::json(StatusCode::OK, &json!(world.traffic.list()))
}

async fn clear_traffic(Extract(world): Extract<Arc<World>>) -> Response {
    world.traffic.clear();
    list_traffic(Extract(world)).await
}

/// Describes an object: its recorded checksum, and the CRC-32 of the bytes that a GET returns.
fn describe(key: &str, object: &Object) -> Value {
    let checksum = object.checksum.as_ref();
    json!({
        "key": key,
        "size": object.size(),
        "seed": object.seed,
        "etag": object.etag,
        "checksumCrc32": checksum.map(|checksum| &checksum.value),
        "checksumType": checksum.map(|checksum| checksum.kind.name()),
        "contentCrc32": checksum::encode(object.content.crc().value),
    })
}

//! The admin routes that only ORDS has.

use std::{fs::File, io::Write as _, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, State as Extract},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use http::StatusCode;
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    source::Source,
    world::{Document, Mode, World},
};

pub(crate) fn routes(world: Arc<World>) -> Router {
    Router::new()
        .route("/documents", get(list))
        .route("/documents/{guid}", put(put_document).delete(delete))
        .route("/nfs", get(nfs))
        .with_state(world)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wish {
    filename: Option<String>,
    mimetype: Option<String>,
    generate: Option<u64>,
    #[serde(default)]
    seed: u64,
    sizeval: Option<String>,
    key: Option<String>,
    #[serde(default)]
    mode: Mode,
    mover_delay_ms: Option<u64>,
}

async fn put_document(
    Extract(world): Extract<Arc<World>>,
    Path(guid): Path<String>,
    Query(wish): Query<Wish>,
    body: Body,
) -> Response {
    let source = match wish.generate {
        Some(size) => Ok(Source::Generated { seed: wish.seed, size }),
        None => receive(&world, body).await,
    };
    // Hashing a gigabyte takes seconds, which the other requests should not wait for.
    let hashed = tokio::task::spawn_blocking(move || {
        let source = source?;
        let sha256 = source.sha256()?;
        Ok::<_, std::io::Error>((source, sha256))
    });
    let (source, sha256) = match hashed.await {
        Ok(Ok(ready)) => ready,
        Ok(Err(error)) => return sim_kit::refuse(format!("the body was not received: {error}")),
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    let document = Document {
        filename: wish.filename.unwrap_or_else(|| "document.pdf".to_owned()),
        mimetype: wish.mimetype.unwrap_or_else(|| "application/pdf".to_owned()),
        key: wish.key,
        sizeval: wish.sizeval,
        mode: wish.mode,
        mover_delay: wish.mover_delay_ms.map(Duration::from_millis),
        source: Arc::new(source),
        sha256,
        pushes: 0,
        moves: 0,
    };
    let answer = describe(&guid, &document);
    world.state().documents.insert(guid, document);
    sim_kit::json(StatusCode::OK, &answer)
}

/// Straight to disk: a document may be larger than the memory.
async fn receive(world: &World, mut body: Body) -> std::io::Result<Source> {
    let path = world.dir.join(Uuid::new_v4().simple().to_string());
    let mut file = File::create_new(&path)?;
    // Owns the file from now on, so that it goes if the request breaks.
    let mut source = Source::stored(&path, 0);
    while let Some(frame) = body.frame().await {
        let Ok(bytes) = frame.map_err(std::io::Error::other)?.into_data() else { continue };
        file.write_all(&bytes)?;
        if let Source::Stored { size, .. } = &mut source {
            *size += bytes.len() as u64;
        }
    }
    Ok(source)
}

fn describe(guid: &str, document: &Document) -> Value {
    json!({
        "guid": guid,
        "filename": document.filename,
        "mimetype": document.mimetype,
        "size": document.source.size(),
        "sha256": document.sha256,
        "pushes": document.pushes,
        "moves": document.moves,
    })
}

async fn list(Extract(world): Extract<Arc<World>>) -> Response {
    let state = world.state();
    let documents = state.documents.iter().map(|(guid, document)| describe(guid, document));
    sim_kit::json(StatusCode::OK, &Value::Array(documents.collect()))
}

async fn delete(Extract(world): Extract<Arc<World>>, Path(guid): Path<String>) -> Response {
    match world.state().documents.remove(&guid) {
        Some(_) => StatusCode::NO_CONTENT.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn nfs(Extract(world): Extract<Arc<World>>) -> Response {
    sim_kit::json(StatusCode::OK, &json!(world.state().nfs))
}

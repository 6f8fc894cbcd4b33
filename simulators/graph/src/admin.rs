//! Admin interface of the Microsoft Graph simulator. Tests use it to add users, to inspect stored
//! files and upload sessions, and to expire sessions.

use std::sync::Arc;
use std::time::Duration;

use axum::{
    Router,
    extract::{Path, Query, State as Extract},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use http::{StatusCode, header::CONTENT_LENGTH};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{error::GraphError, names, world::World};

pub(crate) fn routes(world: Arc<World>) -> Router {
    Router::new()
        .route("/users", get(list_users))
        .route("/users/{upn}", put(put_user))
        .route("/files", get(list_files).delete(clear_files))
        .route("/files/content", get(file_content))
        .route("/sessions", get(list_sessions))
        .route("/sessions/expire", post(expire_sessions))
        .route("/sessions/lifetime", get(get_lifetime).put(set_lifetime))
        .with_state(world)
}

/// Properties of a user. An absent property stays unchanged.
#[derive(Deserialize)]
struct Account {
    /// Whether the user has a drive.
    drive: Option<bool>,
    /// Quota of the drive in bytes.
    quota: Option<u64>,
}

async fn put_user(
    Extract(world): Extract<Arc<World>>,
    Path(upn): Path<String>,
    Query(account): Query<Account>,
) -> Response {
    world.state().tree.put_user(&upn, account.drive, account.quota);
    list_users(Extract(world)).await
}

async fn list_users(Extract(world): Extract<Arc<World>>) -> Response {
    let state = world.state();
    let describe = |user: &crate::drive::User| {
        json!({
            "id": user.id, "upn": user.upn, "drive": user.has_drive, "driveId": user.drive_id,
            "quota": user.quota, "used": state.tree.used_bytes(&user.drive_id),
        })
    };
    let users: Vec<_> = state.tree.users.iter().map(describe).collect();
    sim_kit::json(StatusCode::OK, &Value::Array(users))
}

async fn list_files(Extract(world): Extract<Arc<World>>) -> Response {
    let state = world.state();
    let mut files = Vec::new();
    for item in state.tree.items.values() {
        let Some(file) = &item.file else { continue };
        let Some(user) = state.tree.user_of_drive(&item.drive_id) else {
            continue;
        };
        let traffic = state.traffic.get(&file.destination).copied().unwrap_or_default();
        files.push(json!({
            "user": user.upn,
            "path": state.tree.path(&item.id).join("/"),
            "size": file.content.size,
            "sha256": file.content.hashes.sha256(),
            "quickXorHash": file.content.hashes.quick_xor(),
            "id": item.id,
            "receivedBytes": traffic.received_bytes,
            "sessions": traffic.sessions,
            "fragments": traffic.fragments,
            "largestFragment": traffic.largest_fragment,
            "versions": file.versions,
        }));
    }
    files.sort_by_key(|file| (file["user"].to_string(), file["path"].to_string()));
    sim_kit::json(StatusCode::OK, &Value::Array(files))
}

#[derive(Deserialize)]
struct FileQuery {
    user: String,
    path: String,
}

async fn file_content(
    Extract(world): Extract<Arc<World>>,
    Query(query): Query<FileQuery>,
) -> Response {
    let state = world.state();
    let path: Vec<String> = query.path.split('/').map(str::to_owned).collect();
    let item = state.tree.user(&query.user).and_then(|user| state.tree.find(&user.root_id, &path));
    let Some((item, file)) = item.and_then(|item| Some((item, item.file.as_ref()?))) else {
        return GraphError::item_not_found().into_response();
    };
    let body = file.content.stream();
    let mut response = sim_kit::text(StatusCode::OK, names::mime_type(&item.name), body);
    response.headers_mut().insert(CONTENT_LENGTH, file.content.size.into());
    response
}

/// Removes all files, folders and upload sessions.
async fn clear_files(Extract(world): Extract<Arc<World>>) -> Response {
    let mut state = world.state();
    state.tree.clear();
    state.sessions.clear();
    state.traffic.clear();
    StatusCode::NO_CONTENT.into_response()
}

/// Expires every open session, as if it had been idle for its whole lifetime.
async fn expire_sessions(Extract(world): Extract<Arc<World>>) -> Response {
    for session in world.state().sessions.values_mut() {
        session.expire();
    }
    list_sessions(Extract(world)).await
}

#[derive(Deserialize)]
struct Lifetime {
    seconds: u64,
}

/// Sets the time without activity after which sessions expire. It applies to sessions that are
/// opened from now on.
async fn set_lifetime(
    Extract(world): Extract<Arc<World>>,
    Query(query): Query<Lifetime>,
) -> Response {
    world.state().session_lifetime = Duration::from_secs(query.seconds);
    get_lifetime(Extract(world)).await
}

async fn get_lifetime(Extract(world): Extract<Arc<World>>) -> Response {
    let seconds = world.state().session_lifetime.as_secs();
    sim_kit::json(StatusCode::OK, &json!({ "seconds": seconds }))
}

async fn list_sessions(Extract(world): Extract<Arc<World>>) -> Response {
    let mut state = world.state();
    let mut sessions: Vec<_> = state.sessions.values_mut().collect();
    sessions.sort_by_key(|session| session.created);
    let describe = |session: &mut crate::session::Session| {
        json!({
            "id": session.id,
            "user": session.user,
            "path": session.path.join("/"),
            "size": session.size,
            "state": session.state(),
            "nextOffset": session.content.size,
            "receivedBytes": session.received_bytes,
            "fragments": session.fragments,
            "largestFragment": session.largest_fragment,
            "createdAt": session.created.to_string(),
        })
    };
    let sessions: Vec<_> = sessions.into_iter().map(describe).collect();
    sim_kit::json(StatusCode::OK, &Value::Array(sessions))
}

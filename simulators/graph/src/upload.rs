//! Creation, status and deletion of upload sessions.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    drive::{Conflict, User},
    error::{self, GraphError},
    names,
    render::{self, date},
    session::{Session, State as SessionState},
    world::{World, destination},
};

/// Maximum size of a file: 250 GiB.
const MAX_FILE_SIZE: u64 = 250 * 1024 * 1024 * 1024;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct SessionRequest {
    item: RequestedItem,
    defer_commit: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RequestedItem {
    #[serde(rename = "@microsoft.graph.conflictBehavior")]
    conflict: Option<String>,
    name: Option<String>,
    file_size: Option<u64>,
    file_system_info: Option<FileSystemInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileSystemInfo {
    created_date_time: String,
    last_modified_date_time: String,
}

/// Handles `createUploadSession`.
pub(crate) fn create(
    world: &World,
    user: &User,
    path: &[String],
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, GraphError> {
    names::check_path(path)?;
    let request: SessionRequest = match body {
        [] => SessionRequest::default(),
        body => serde_json::from_slice(body)
            .map_err(|error| GraphError::invalid(format!("The body is malformed: {error}")))?,
    };
    if request.defer_commit {
        return Err(GraphError::invalid("deferCommit is not simulated."));
    }
    if request.item.name.as_ref().is_some_and(|name| path.last() != Some(name)) {
        return Err(GraphError::invalid("The name differs from the path's last segment."));
    }
    // The service replaces the file when no conflict behavior is given. rclone gives none and
    // updates files this way.
    let conflict = Conflict::parse(request.item.conflict.as_deref().unwrap_or("replace"))?;
    match request.item.file_size {
        Some(0) => return Err(GraphError::invalid("An empty file cannot use a session.")),
        Some(size) if size > MAX_FILE_SIZE => return Err(GraphError::too_large()),
        _ => {}
    }

    let mut state = world.state();
    let existing = state.tree.find(&user.root_id, path);
    let name_taken = existing.is_some_and(|item| conflict == Conflict::Fail || item.file.is_none());
    if name_taken || state.tree.path_crosses_file(&user.root_id, path) {
        return Err(GraphError::name_exists());
    }
    let freed = match conflict {
        Conflict::Replace => existing.and_then(|item| item.file.as_ref()),
        _ => None,
    };
    let freed = freed.map_or(0, |file| file.content.size);
    let used = state.tree.used(&user.drive_id) - freed;
    if used + request.item.file_size.unwrap_or(0) > user.quota {
        return Err(GraphError::quota());
    }
    let target = destination(user, path);
    let is_open = |session: &mut Session| {
        session.user == target.0
            && session.path.join("/").to_lowercase() == target.1
            && session.state() == SessionState::Open
    };
    // A path has at most one open session, whatever the conflict behavior.
    if state.sessions.values_mut().any(is_open) {
        return Err(GraphError::upload_in_progress());
    }
    let id = Uuid::new_v4().simple().to_string();
    let times = request.item.file_system_info;
    let mut session = Session::new(
        id.clone(),
        credential(world.config.quote_in_upload_urls),
        user.upn.clone(),
        path.to_vec(),
        request.item.file_size,
        conflict,
        state.session_lifetime,
    );
    session.client_times =
        times.map(|times| (times.created_date_time, times.last_modified_date_time));
    let base = render::base(world, headers);
    let answer = json!({
        "@odata.context": format!("{base}/v1.0/$metadata#microsoft.graph.uploadSession"),
        "uploadUrl": format!("{base}/upload/{id}?{}", session.credential),
        "expirationDateTime": date(session.expires),
        "nextExpectedRanges": session.expected_ranges(),
    });
    state.traffic(&target).sessions += 1;
    state.sessions.insert(id, session);
    Ok(sim_kit::json(StatusCode::OK, &answer))
}

/// Returns the random query of an upload URL. The real one contains a GUID between single quotes.
fn credential(quoted: bool) -> String {
    let random = || Uuid::new_v4().simple().to_string();
    let quote = if quoted { "'" } else { "" };
    format!(
        "guid={quote}{}{quote}&overwrite=True&tempauth=v1.{}{}.{}",
        Uuid::new_v4(),
        random(),
        random(),
        random()
    )
}

/// Checks the credential of an upload URL and returns the session's subject.
pub(crate) fn authenticate(
    world: &World,
    id: &str,
    query: Option<&str>,
) -> Result<String, GraphError> {
    let state = world.state();
    let session = state.sessions.get(id).ok_or_else(GraphError::session_not_found)?;
    if query != Some(&session.credential) {
        return Err(GraphError::unauthenticated("The upload URL's credential is not valid."));
    }
    Ok(session.subject())
}

/// Handles `GET {uploadUrl}`.
pub(crate) async fn status(world: &World, id: &str, query: Option<&str>) -> Response {
    let authenticated = authenticate(world, id, query);
    let subject = authenticated.clone().unwrap_or_default();
    let work = async |rule: Option<crate::world::Rule>| {
        authenticated
            .and_then(|_| read_status(world, id, rule.as_ref()))
            .unwrap_or_else(IntoResponse::into_response)
    };
    world.stage.run("sessionStatus", &subject, error::scripted, work).await
}

fn read_status(
    world: &World,
    id: &str,
    rule: Option<&crate::world::Rule>,
) -> Result<Response, GraphError> {
    let mut state = world.state();
    let session = state.sessions.get_mut(id).ok_or_else(GraphError::session_not_found)?;
    if rule.is_some_and(|rule| rule.extra.expire_session) {
        session.close(SessionState::Expired);
    }
    if session.state() != SessionState::Open {
        return Err(GraphError::session_not_found());
    }
    if rule.is_some_and(|rule| rule.extra.forget_bytes) {
        session.forget();
    }
    session.touch();
    let is_empty = rule.is_some_and(|rule| rule.extra.empty_ranges);
    Ok(sim_kit::json(StatusCode::OK, &progress(session, is_empty)))
}

/// Returns the session's expiration and next expected ranges as JSON.
pub(crate) fn progress(session: &Session, is_empty: bool) -> Value {
    let ranges = if is_empty { Vec::new() } else { session.expected_ranges() };
    json!({ "expirationDateTime": date(session.expires), "nextExpectedRanges": ranges })
}

/// Handles `DELETE {uploadUrl}`.
pub(crate) async fn delete(world: &World, id: &str, query: Option<&str>) -> Response {
    let authenticated = authenticate(world, id, query);
    let subject = authenticated.clone().unwrap_or_default();
    let work = async |_rule| {
        let ended = authenticated.and_then(|_| {
            let mut state = world.state();
            let session = state.sessions.get_mut(id).ok_or_else(GraphError::session_not_found)?;
            if session.state() != SessionState::Open {
                return Err(GraphError::session_not_found());
            }
            session.close(SessionState::Deleted);
            Ok(StatusCode::NO_CONTENT.into_response())
        });
        ended.unwrap_or_else(IntoResponse::into_response)
    };
    world.stage.run("deleteSession", &subject, error::scripted, work).await
}

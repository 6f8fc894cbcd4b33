//! Requests that create, query and delete an upload session in the Microsoft Graph simulator.
//!
//! A client uploads a large file in an *upload session*:
//!
//! 1. The client creates the session and receives an upload URL.
//! 2. The client sends the file in *fragments* to that URL. The module `fragment` receives them.
//! 3. The last fragment completes the file and ends the session.
//!
//! A *fault rule* makes chosen requests fail. It selects requests by their *subject*, which is the
//! user and the path of the request.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    destination::{Conflict, Destination},
    drive::User,
    error::{self, GraphError},
    names,
    render::{self, date},
    session::{Session, SessionState},
    world::{GraphFaults, Rule, State, World},
};

/// Maximum size of a file: 250 GiB.
const MAX_FILE_SIZE: u64 = 250 * 1024 * 1024 * 1024;

/// Body of `createUploadSession`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct SessionRequest {
    item: RequestedItem,
    /// Whether the client completes the file by a separate request. The simulator does not support
    /// this.
    defer_commit: bool,
}

/// File that the client wants to upload.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RequestedItem {
    #[serde(rename = "@microsoft.graph.conflictBehavior")]
    conflict: Option<String>,
    name: Option<String>,
    file_size: Option<u64>,
    file_system_info: Option<FileSystemInfo>,
}

/// Creation and modification times that the client sets.
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
    let request = parse_request(path, body)?;
    // Without a conflict behavior, Graph replaces the file. rclone relies on this when it updates
    // files.
    let conflict = Conflict::parse(request.item.conflict.as_deref().unwrap_or("replace"))?;
    check_file_size(request.item.file_size)?;

    let mut state = world.state();
    check_name_and_quota(&state, user, path, conflict, request.item.file_size)?;
    let destination = Destination::new(&user.upn, path);
    // A path can have only one open session, regardless of the conflict behavior.
    if has_open_session(&mut state, &destination) {
        return Err(GraphError::upload_in_progress());
    }

    let id = Uuid::new_v4().simple().to_string();
    let mut session = Session::new(
        id.clone(),
        random_credential(world.config.quote_in_upload_urls),
        user.upn.clone(),
        path.to_vec(),
        request.item.file_size,
        conflict,
        state.session_lifetime,
    );
    session.client_times = request
        .item
        .file_system_info
        .map(|times| (times.created_date_time, times.last_modified_date_time));
    let base = render::base(world, headers);
    let response_body = json!({
        "@odata.context": format!("{base}/v1.0/$metadata#microsoft.graph.uploadSession"),
        "uploadUrl": format!("{base}/upload/{id}?{}", session.credential),
        "expirationDateTime": date(session.expires_at),
        "nextExpectedRanges": session.expected_ranges(),
    });
    state.traffic(&destination).sessions += 1;
    state.sessions.insert(id, session);
    Ok(sim_kit::json(StatusCode::OK, &response_body))
}

/// Parses the body of `createUploadSession`. An empty body stands for a request without options.
fn parse_request(path: &[String], body: &[u8]) -> Result<SessionRequest, GraphError> {
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
    Ok(request)
}

fn check_file_size(file_size: Option<u64>) -> Result<(), GraphError> {
    match file_size {
        Some(0) => Err(GraphError::invalid("An empty file cannot use a session.")),
        Some(size) if size > MAX_FILE_SIZE => Err(GraphError::too_large()),
        _ => Ok(()),
    }
}

/// Checks that the path is free or may be replaced, and that the file fits into the drive's quota.
fn check_name_and_quota(
    state: &State,
    user: &User,
    path: &[String],
    conflict: Conflict,
    file_size: Option<u64>,
) -> Result<(), GraphError> {
    let existing = state.tree.find(&user.root_id, path);
    let name_taken = existing.is_some_and(|item| conflict == Conflict::Fail || item.file.is_none());
    if name_taken || state.tree.path_crosses_file(&user.root_id, path) {
        return Err(GraphError::name_exists());
    }
    let replaced_file =
        existing.filter(|_| conflict == Conflict::Replace).and_then(|item| item.file.as_ref());
    let freed_bytes = replaced_file.map_or(0, |file| file.content.size);
    let used_bytes = state.tree.used_bytes(&user.drive_id) - freed_bytes;
    if used_bytes + file_size.unwrap_or(0) > user.quota {
        return Err(GraphError::quota());
    }
    Ok(())
}

fn has_open_session(state: &mut State, destination: &Destination) -> bool {
    state.sessions.values_mut().any(|session| {
        session.destination() == *destination && session.state() == SessionState::Open
    })
}

/// Returns the random query string of a new upload URL. It is the credential for the session.
///
/// The upload URLs of the real service contain a GUID between single quotes. If `quoted` is set,
/// the result has these quotes as well.
fn random_credential(quoted: bool) -> String {
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

/// Handles `GET {uploadUrl}`, which returns the byte ranges that the session still expects.
pub(crate) async fn status(world: &World, id: &str, query: Option<&str>) -> Response {
    let authenticated = authenticate(world, id, query);
    let subject = authenticated.clone().unwrap_or_default();
    let handle = async |rule: Option<Rule>| {
        let faults = rule.map(|rule| rule.service_faults).unwrap_or_default();
        authenticated
            .and_then(|_| read_status(world, id, &faults))
            .unwrap_or_else(IntoResponse::into_response)
    };
    world.stage.run("sessionStatus", &subject, error::scripted, handle).await
}

/// Returns the response with the progress of a session.
fn read_status(world: &World, id: &str, faults: &GraphFaults) -> Result<Response, GraphError> {
    let mut state = world.state();
    let session = state.sessions.get_mut(id).ok_or_else(GraphError::session_not_found)?;
    if faults.expire_session {
        session.close(SessionState::Expired);
    }
    if session.state() != SessionState::Open {
        return Err(GraphError::session_not_found());
    }
    if faults.forget_bytes {
        session.lose_stored_bytes();
    }
    session.renew_lifetime();
    Ok(sim_kit::json(StatusCode::OK, &progress(session, faults)))
}

/// Returns the session's expiration time and the byte ranges that it still expects, as JSON.
pub(crate) fn progress(session: &Session, faults: &GraphFaults) -> Value {
    let ranges = if faults.empty_ranges { Vec::new() } else { session.expected_ranges() };
    json!({ "expirationDateTime": date(session.expires_at), "nextExpectedRanges": ranges })
}

/// Handles `DELETE {uploadUrl}`, which ends the session and discards its bytes.
pub(crate) async fn delete(world: &World, id: &str, query: Option<&str>) -> Response {
    let authenticated = authenticate(world, id, query);
    let subject = authenticated.clone().unwrap_or_default();
    let handle = async |_rule| {
        authenticated
            .and_then(|_| delete_session(world, id))
            .unwrap_or_else(IntoResponse::into_response)
    };
    world.stage.run("deleteSession", &subject, error::scripted, handle).await
}

fn delete_session(world: &World, id: &str) -> Result<Response, GraphError> {
    let mut state = world.state();
    let session = state.sessions.get_mut(id).ok_or_else(GraphError::session_not_found)?;
    if session.state() != SessionState::Open {
        return Err(GraphError::session_not_found());
    }
    session.close(SessionState::Deleted);
    Ok(StatusCode::NO_CONTENT.into_response())
}

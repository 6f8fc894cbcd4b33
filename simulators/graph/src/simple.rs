//! `PUT …/content` of the Microsoft Graph simulator: uploads a whole file in one request, without
//! an upload session. A *draft* holds the received bytes until the request is complete. A *place*
//! is a path in a user's drive.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use serde_json::json;

use crate::{
    content::{Content, Draft},
    destination::{Conflict, Destination},
    drive::StoredItem,
    error::{self, GraphError},
    names,
    place::Place,
    query::query_parameter,
    render, rewriting,
    world::{ReceiveError, Rule, State, World},
};

/// Maximum size of a file in one request: 250 MiB.
const MAX_FILE_SIZE: u64 = 250 * 1024 * 1024;

/// Handles one upload. A *fault rule* makes chosen requests fail. `subject` is the user and the
/// path of the request, by which fault rules select it.
pub(crate) async fn put(
    world: &World,
    subject: &str,
    place: Result<Place, GraphError>,
    parts: &Parts,
    body: Body,
) -> Response {
    let mut call = world.stage.call("simplePut", subject);
    let rule = world.stage.faults.take(&["simplePut"], subject);
    world.stage.shaper.latency(subject).await;
    let destination =
        place.as_ref().ok().map(|place| Destination::new(&place.user.upn, &place.path));
    let mut prepared = place.and_then(|place| prepare(world, place, parts));

    let body_draft = prepared.as_mut().ok().map(|prepared| &mut prepared.draft);
    let count_bytes = |state: &mut State, bytes| {
        if let Some(destination) = &destination {
            state.traffic(destination).received_bytes += bytes;
        }
    };
    match world.receive(body, &mut call, subject, body_draft, count_bytes).await {
        Ok(()) => {}
        Err(ReceiveError::Broken) => return call.respond(sim_kit::break_connection()),
        Err(ReceiveError::Disk(error)) => return call.respond(error.into_response()),
    }
    let response = match &rule {
        Some(rule) if !rule.runs_operation() => None,
        _ => Some(prepared.and_then(|prepared| commit(world, prepared, rule.as_ref()))),
    };
    let response = response.map(|result| result.unwrap_or_else(IntoResponse::into_response));
    call.respond(sim_kit::apply_rule(rule.as_ref(), response, error::scripted).await)
}

/// A checked request whose body is being received.
struct PreparedPut {
    place: Place,
    conflict: Conflict,
    draft: Draft,
}

/// Checks the request and creates a draft for its body.
fn prepare(world: &World, place: Place, parts: &Parts) -> Result<PreparedPut, GraphError> {
    names::check_path(&place.path)?;
    let requested = query_parameter(parts, "@microsoft.graph.conflictBehavior");
    let conflict = Conflict::parse(requested.as_deref().unwrap_or("replace"))?;
    // The draft accepts one byte more than the limit. By this byte, `commit` detects a body that is
    // too long.
    let draft = Draft::create(world.storage_dir(), Content::default().hashes, MAX_FILE_SIZE + 1)?;
    Ok(PreparedPut { place, conflict, draft })
}

/// Stores the received file at its path.
fn commit(
    world: &World,
    prepared: PreparedPut,
    rule: Option<&Rule>,
) -> Result<Response, GraphError> {
    let PreparedPut { place, conflict, draft } = prepared;
    if draft.written() > MAX_FILE_SIZE {
        return Err(GraphError::too_large());
    }
    let faults = rule.map(|rule| rule.service_faults.clone()).unwrap_or_default();
    let mut content = Content::default();
    content.append(draft);
    if faults.rewrite {
        rewriting::rewrite(world, &mut content)?;
    }
    let mut state = world.state();
    let StoredItem { id, is_new } =
        state.tree.store_file(&place.user, &place.path, conflict, content, faults.corrupt_hash)?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let body = match state.tree.items.get(&id) {
        Some(item) if !faults.no_item => {
            render::item(&state.tree, &world.url, item, faults.hash_field())
        }
        _ => json!({}),
    };
    Ok(sim_kit::json(status, &body))
}

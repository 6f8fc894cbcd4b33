//! `PUT …/content`: uploads a whole file in one request.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use serde_json::json;

use crate::{
    content::{Content, Draft},
    drive::Conflict,
    error::{self, GraphError},
    names,
    place::Place,
    query::query_parameter,
    render, rewriting,
    world::{Extra, ReceiveError, Rule, State, World, destination},
};

/// Maximum size of a file in one request: 250 MiB.
const MAX_FILE_SIZE: u64 = 250 * 1024 * 1024;

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
    let target = place.as_ref().ok().map(|place| destination(&place.user, &place.path));
    let mut prepared = place.and_then(|place| prepare(world, place, parts));

    let sink = prepared.as_mut().ok().map(|prepared| &mut prepared.draft);
    let count = |state: &mut State, bytes| {
        if let Some(target) = &target {
            state.traffic(target).received += bytes;
        }
    };
    match world.receive(body, &mut call, subject, sink, count).await {
        Ok(()) => {}
        Err(ReceiveError::Broken) => return call.respond(sim_kit::break_connection()),
        Err(ReceiveError::Disk(error)) => return call.respond(error.into_response()),
    }
    let answer = match &rule {
        Some(rule) if !rule.does_work() => None,
        _ => Some(prepared.and_then(|prepared| commit(world, prepared, rule.as_ref()))),
    };
    let answer = answer.map(|answer| answer.unwrap_or_else(IntoResponse::into_response));
    call.respond(sim_kit::apply_rule(rule.as_ref(), answer, error::scripted).await)
}

/// A checked request whose body is being received.
struct PreparedPut {
    place: Place,
    conflict: Conflict,
    draft: Draft,
}

fn prepare(world: &World, place: Place, parts: &Parts) -> Result<PreparedPut, GraphError> {
    names::check_path(&place.path)?;
    let requested = query_parameter(parts, "@microsoft.graph.conflictBehavior");
    let conflict = Conflict::parse(requested.as_deref().unwrap_or("replace"))?;
    // One byte beyond the limit is stored to detect that the limit was exceeded.
    let draft = Draft::create(world.storage_dir(), Content::default().hashes, MAX_FILE_SIZE + 1)?;
    Ok(PreparedPut { place, conflict, draft })
}

fn commit(
    world: &World,
    prepared: PreparedPut,
    rule: Option<&Rule>,
) -> Result<Response, GraphError> {
    let PreparedPut { place, conflict, draft } = prepared;
    if draft.written() > MAX_FILE_SIZE {
        return Err(GraphError::too_large());
    }
    let extra: Extra = rule.map(|rule| rule.extra.clone()).unwrap_or_default();
    let mut content = Content::default();
    content.append(draft);
    if extra.rewrite {
        rewriting::rewrite(world, &mut content)?;
    }
    let mut state = world.state();
    let (id, is_new) =
        state.tree.place(&place.user, &place.path, conflict, content, extra.corrupt_hash)?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let body = match state.tree.items.get(&id) {
        Some(item) if !extra.no_item => render::item(&state.tree, &world.url, item, !extra.no_hash),
        _ => json!({}),
    };
    Ok(sim_kit::json(status, &body))
}

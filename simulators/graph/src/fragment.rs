//! `PUT {uploadUrl}` of the Microsoft Graph simulator: receives the fragments of a file.
//!
//! A *fragment* is a part of a file that one request sends in an upload session. The last fragment
//! completes the file. A *draft* holds the received bytes of a fragment until the request is
//! complete. A *fault rule* makes chosen requests fail.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::AUTHORIZATION, request::Parts};
use http_body_util::Limited;
use serde_json::json;

use crate::{
    content::Draft,
    drive::StoredItem,
    error::{self, GraphError},
    range::DeclaredRange,
    render, rewriting,
    session::SessionState,
    upload,
    world::{GraphFaults, ReceiveError, Rule, State, World},
};

/// Handles one fragment. `id` is the id of the session.
///
/// The order of the steps is fixed:
///
/// 1. Select the fault rule, because a rule can expire the session or cut the body.
/// 2. Check the request.
/// 3. Read the whole body.
/// 4. Add its bytes to the session.
pub(crate) async fn put(world: &World, id: &str, parts: &Parts, body: Body) -> Response {
    let authenticated = upload::authenticate(world, id, parts.uri.query());
    let subject = authenticated.clone().unwrap_or_default();
    let range = DeclaredRange::read(&parts.headers);
    let is_last = range.as_ref().is_ok_and(DeclaredRange::is_last);
    let operation = if is_last { "lastFragment" } else { "fragment" };
    let operations: &[&str] = if is_last { &["fragment", "lastFragment"] } else { &["fragment"] };

    let mut call = world.stage.call(operation, &subject);
    let rule = authenticated
        .as_ref()
        .ok()
        .and_then(|subject| world.stage.faults.take(operations, subject));
    world.stage.shaper.latency(&subject).await;
    let faults = rule.as_ref().map(|rule| rule.service_faults.clone()).unwrap_or_default();

    let mut draft = authenticated
        .and_then(|_| check_session(world, id, parts, faults.expire_session))
        .and(range)
        .and_then(|range| begin_draft(world, id, range, rule.as_ref()));
    let body = limit_body(body, draft.as_ref().ok().map(|(range, _)| range), &faults);
    let body_draft = draft.as_mut().ok().map(|(_, draft)| draft);
    let count_bytes = |state: &mut State, bytes| count_received(state, id, bytes);
    match world.receive(body, &mut call, &subject, body_draft, count_bytes).await {
        Ok(()) => {}
        Err(ReceiveError::Broken) => {
            let stores_part = rule.as_ref().is_some_and(|rule| rule.store_fraction.is_some());
            if stores_part
                && faults.reset_after.is_some()
                && let Ok((range, draft)) = draft
            {
                // The connection is broken, so the client receives no response.
                let _response = commit_draft(world, id, range, draft, &faults);
            }
            return call.respond(sim_kit::break_connection());
        }
        Err(ReceiveError::Disk(error)) => return call.respond(error.into_response()),
    }

    let response = match draft {
        // The error of the fault rule takes precedence over an error in the request.
        _ if rule.as_ref().is_some_and(rejects_without_storing) => None,
        Ok((range, draft)) => Some(commit_draft(world, id, range, draft, &faults)),
        Err(error) => Some(Err(error)),
    };
    let response = response.map(|result| result.unwrap_or_else(IntoResponse::into_response));
    call.respond(sim_kit::apply_rule(rule.as_ref(), response, error::scripted).await)
}

/// Cuts the body where a fault resets the connection. A read beyond that byte fails.
fn limit_body(body: Body, range: Option<&DeclaredRange>, faults: &GraphFaults) -> Body {
    match (range, faults.reset_after) {
        (Some(range), Some(fraction)) => {
            let limit = sim_kit::part_of(range.length, fraction);
            Body::new(Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX)))
        }
        _ => body,
    }
}

/// Returns whether the rule demands an error response and no bytes are stored.
fn rejects_without_storing(rule: &Rule) -> bool {
    rule.status.is_some() && rule.store_fraction.is_none()
}

/// Checks that the session is open. If `expire` is set, lets the session expire first, so the check
/// fails.
fn check_session(world: &World, id: &str, parts: &Parts, expire: bool) -> Result<(), GraphError> {
    if parts.headers.contains_key(AUTHORIZATION) {
        return Err(GraphError::unauthenticated("An upload URL takes no Authorization header."));
    }
    let mut state = world.state();
    let session = state.sessions.get_mut(id).ok_or_else(GraphError::session_not_found)?;
    if expire {
        session.close(SessionState::Expired);
    }
    match session.state() {
        SessionState::Open => Ok(()),
        _ => Err(GraphError::session_not_found()),
    }
}

/// Counts the fragment, checks that the session expects its range, and creates a draft for its
/// bytes.
fn begin_draft(
    world: &World,
    id: &str,
    range: DeclaredRange,
    rule: Option<&Rule>,
) -> Result<(DeclaredRange, Draft), GraphError> {
    let mut state = world.state();
    let session = state.sessions.get_mut(id).ok_or_else(GraphError::session_not_found)?;
    session.fragments += 1;
    session.largest_fragment = session.largest_fragment.max(range.length);
    let destination = session.destination();
    let hashes = session.check_next_range(&range).map(|()| session.content.hashes.clone());
    let traffic = state.traffic(&destination);
    traffic.fragments += 1;
    traffic.largest_fragment = traffic.largest_fragment.max(range.length);
    drop(state);
    let limit = rule.map_or(range.length, |rule| rule.stored_bytes(range.length));
    Ok((range, Draft::create(world.storage_dir(), hashes?, limit)?))
}

/// Counts received bytes for the session and for its destination.
fn count_received(state: &mut State, id: &str, bytes: u64) {
    let Some(session) = state.sessions.get_mut(id) else {
        return;
    };
    session.received_bytes += bytes;
    // Receiving bytes keeps the session alive.
    session.renew_lifetime_if_open();
    let destination = session.destination();
    state.traffic(&destination).received_bytes += bytes;
}

/// Adds the received bytes to the session, and completes the file after its last byte.
///
/// Checks the range again, because two requests may have sent the same range at the same time. The
/// first request with a complete body succeeds, and the other one gets 416.
fn commit_draft(
    world: &World,
    id: &str,
    range: DeclaredRange,
    draft: Draft,
    faults: &GraphFaults,
) -> Result<Response, GraphError> {
    let mut state = world.state();
    let State { sessions, tree, .. } = &mut *state;
    let session = sessions.get_mut(id).ok_or_else(GraphError::session_not_found)?;
    session.check_next_range(&range)?;
    let completes_file = range.is_last() && draft.written() == range.length;
    if !completes_file || faults.forget_bytes {
        session.store(&range, draft);
        let body = upload::progress(session, faults);
        if faults.forget_bytes {
            session.lose_stored_bytes();
        }
        return Ok(sim_kit::json(StatusCode::ACCEPTED, &body));
    }

    let mut content = session.content.clone();
    content.append(draft);
    if faults.rewrite {
        rewriting::rewrite(world, &mut content)?;
    }
    // A name conflict is an error. It leaves the session unchanged, so that the client can send the
    // last fragment again.
    let user = tree.user(&session.user).cloned().ok_or_else(GraphError::item_not_found)?;
    let StoredItem { id: item_id, is_new } =
        tree.store_file(&user, &session.path, session.conflict, content, faults.corrupt_hash)?;
    if let Some(item) = tree.items.get_mut(&item_id) {
        item.client_times.clone_from(&session.client_times);
    }
    session.content.size = range.total;
    session.close(SessionState::Completed);
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let body = match tree.items.get(&item_id) {
        Some(item) if !faults.no_item => render::item(tree, &world.url, item, faults.hash_field()),
        _ => json!({}),
    };
    Ok(sim_kit::json(status, &body))
}

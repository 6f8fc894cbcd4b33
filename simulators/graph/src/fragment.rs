//! `PUT {uploadUrl}`: receives fragments and completes files.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::AUTHORIZATION, request::Parts};
use http_body_util::Limited;
use serde_json::json;

use crate::{
    content::Draft,
    error::{self, GraphError},
    range::Claim,
    render, rewriting,
    session::State as SessionState,
    upload,
    world::{Extra, ReceiveError, Rule, State, World},
};

/// Handles one fragment. The order matters: apply the fault rule, check the request, read the whole
/// body, then commit it.
pub(crate) async fn put(world: &World, id: &str, parts: &Parts, body: Body) -> Response {
    let authenticated = upload::authenticate(world, id, parts.uri.query());
    let subject = authenticated.clone().unwrap_or_default();
    let claim = Claim::read(&parts.headers);
    let is_last = claim.as_ref().is_ok_and(Claim::is_last);
    let operation = if is_last { "lastFragment" } else { "fragment" };
    let operations: &[&str] = if is_last { &["fragment", "lastFragment"] } else { &["fragment"] };

    let mut call = world.stage.call(operation, &subject);
    let rule = authenticated
        .as_ref()
        .ok()
        .and_then(|subject| world.stage.faults.take(operations, subject));
    world.stage.shaper.latency(&subject).await;
    let extra = rule.as_ref().map(|rule| rule.extra.clone()).unwrap_or_default();

    let mut draft = authenticated
        .and_then(|_| check_session(world, id, parts, extra.expire_session))
        .and(claim)
        .and_then(|claim| begin_draft(world, id, claim, rule.as_ref()));
    let body = limit_body(body, draft.as_ref().ok().map(|(claim, _)| claim), &extra);
    let sink = draft.as_mut().ok().map(|(_, draft)| draft);
    let count = |state: &mut State, bytes| count(state, id, bytes);
    match world.receive(body, &mut call, &subject, sink, count).await {
        Ok(()) => {}
        Err(ReceiveError::Broken) => {
            let commits_partially = rule.as_ref().is_some_and(|rule| rule.store_fraction.is_some());
            if let (true, Ok((claim, draft))) =
                (commits_partially && extra.reset_after.is_some(), draft)
            {
                // The connection is broken, so the result cannot be sent.
                let _result = commit_draft(world, id, claim, draft, &extra);
            }
            return call.respond(sim_kit::break_connection());
        }
        Err(ReceiveError::Disk(error)) => return call.respond(error.into_response()),
    }

    let answer = match draft {
        // The rule rejects the request before its content is checked, so the rule's error is sent.
        _ if rule.as_ref().is_some_and(rejects_without_storing) => None,
        Ok((claim, draft)) => Some(commit_draft(world, id, claim, draft, &extra)),
        Err(error) => Some(Err(error)),
    };
    let answer = answer.map(|answer| answer.unwrap_or_else(IntoResponse::into_response));
    call.respond(sim_kit::apply_rule(rule.as_ref(), answer, error::scripted).await)
}

/// Limits the body where a rule resets the connection; reading beyond the limit fails.
fn limit_body(body: Body, claim: Option<&Claim>, extra: &Extra) -> Body {
    match (claim, extra.reset_after) {
        (Some(claim), Some(fraction)) => {
            let limit = sim_kit::part_of(claim.length, fraction);
            Body::new(Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX)))
        }
        _ => body,
    }
}

fn rejects_without_storing(rule: &Rule) -> bool {
    rule.status.is_some() && rule.store_fraction.is_none()
}

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

/// Counts the fragment and creates a draft for its bytes, if the session can accept them now.
fn begin_draft(
    world: &World,
    id: &str,
    claim: Claim,
    rule: Option<&Rule>,
) -> Result<(Claim, Draft), GraphError> {
    let mut state = world.state();
    let session = state.sessions.get_mut(id).ok_or_else(GraphError::session_not_found)?;
    session.fragments += 1;
    session.largest = session.largest.max(claim.length);
    let key = (session.user.clone(), session.path.join("/").to_lowercase());
    let accepted = session.accepts(&claim).map(|()| session.content.hashes.clone());
    let traffic = state.traffic(&key);
    traffic.fragments += 1;
    traffic.largest = traffic.largest.max(claim.length);
    drop(state);
    let limit = rule.map_or(claim.length, |rule| rule.stored_bytes(claim.length));
    Ok((claim, Draft::create(world.storage_dir(), accepted?, limit)?))
}

fn count(state: &mut State, id: &str, bytes: u64) {
    let Some(session) = state.sessions.get_mut(id) else {
        return;
    };
    session.received += bytes;
    // Receiving bytes keeps the session alive.
    session.touch_if_open();
    let key = (session.user.clone(), session.path.join("/").to_lowercase());
    state.traffic(&key).received += bytes;
}

/// Adds the received bytes to the session if its next offset is still the start of the fragment.
/// When two requests send the same range, the first complete one wins and the other gets 416.
fn commit_draft(
    world: &World,
    id: &str,
    claim: Claim,
    draft: Draft,
    extra: &Extra,
) -> Result<Response, GraphError> {
    let mut state = world.state();
    let State { sessions, tree, .. } = &mut *state;
    let session = sessions.get_mut(id).ok_or_else(GraphError::session_not_found)?;
    session.accepts(&claim)?;
    if !(claim.is_last() && draft.written() == claim.length) || extra.forget_bytes {
        session.store(&claim, draft);
        let body = upload::progress(session, extra.empty_ranges);
        if extra.forget_bytes {
            session.forget();
        }
        return Ok(sim_kit::json(StatusCode::ACCEPTED, &body));
    }

    let mut content = session.content.clone();
    content.append(draft);
    if extra.rewrite {
        rewriting::rewrite(world, &mut content)?;
    }
    // A name conflict leaves the session unchanged, so that the last fragment can be sent again.
    let user = tree.user(&session.user).cloned().ok_or_else(GraphError::item_not_found)?;
    let (item, is_new) =
        tree.place(&user, &session.path, session.conflict, content, extra.corrupt_hash)?;
    if let Some(item) = tree.items.get_mut(&item) {
        item.client_times.clone_from(&session.client_times);
    }
    session.content.size = claim.total;
    session.close(SessionState::Completed);
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let body = match tree.items.get(&item) {
        Some(item) if !extra.no_item => render::item(tree, &world.url, item, !extra.no_hash),
        _ => json!({}),
    };
    Ok(sim_kit::json(status, &body))
}

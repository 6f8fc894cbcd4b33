//! `PUT {uploadUrl}`: receiving fragments, completing files.

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

pub(crate) async fn put(world: &World, id: &str, parts: &Parts, body: Body) -> Response {
    let known = upload::authenticate(world, id, parts.uri.query());
    let subject = known.clone().unwrap_or_default();
    let claim = Claim::read(&parts.headers);
    let is_last = claim.as_ref().is_ok_and(Claim::is_last);
    let operation = if is_last { "lastFragment" } else { "fragment" };
    let operations: &[&str] = if is_last { &["fragment", "lastFragment"] } else { &["fragment"] };

    let mut call = world.stage.call(operation, &subject);
    let rule = known.as_ref().ok().and_then(|subject| world.stage.faults.take(operations, subject));
    world.stage.shaper.latency(&subject).await;
    let extra = rule.as_ref().map(|rule| rule.extra.clone()).unwrap_or_default();

    let mut draft = known
        .and_then(|_| check(world, id, parts, extra.expire_session))
        .and(claim)
        .and_then(|claim| begin(world, id, claim, rule.as_ref()));
    let body = cut(body, draft.as_ref().ok().map(|(claim, _)| claim), &extra);
    let sink = draft.as_mut().ok().map(|(_, draft)| draft);
    let count = |state: &mut State, bytes| count(state, id, bytes);
    match world.receive(body, &mut call, &subject, sink, count).await {
        Ok(()) => {}
        Err(ReceiveError::Broken) => {
            let keeps = rule.as_ref().is_some_and(|rule| rule.store_fraction.is_some());
            if let (true, Ok((claim, draft))) = (keeps && extra.reset_after.is_some(), draft) {
                // Nobody is left who could be told how that went.
                let _unanswered = commit(world, id, claim, draft, &extra);
            }
            return call.end(sim_kit::break_connection());
        }
        Err(ReceiveError::Disk(error)) => return call.end(error.into_response()),
    }

    let answer = match draft {
        // The rule's own answer, not that of a request which it kept from being looked at.
        _ if rule.as_ref().is_some_and(refuses) => None,
        Ok((claim, draft)) => Some(commit(world, id, claim, draft, &extra)),
        Err(error) => Some(Err(error)),
    };
    let answer = answer.map(|answer| answer.unwrap_or_else(IntoResponse::into_response));
    call.end(sim_kit::settle(rule.as_ref(), answer, error::scripted).await)
}

/// A body that breaks where a rule wants the connection to.
fn cut(body: Body, claim: Option<&Claim>, extra: &Extra) -> Body {
    match (claim, extra.reset_after) {
        (Some(claim), Some(fraction)) => {
            let limit = sim_kit::part_of(claim.length, fraction);
            Body::new(Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX)))
        }
        _ => body,
    }
}

fn refuses(rule: &Rule) -> bool {
    rule.status.is_some() && rule.store_fraction.is_none()
}

fn check(world: &World, id: &str, parts: &Parts, expire: bool) -> Result<(), GraphError> {
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

/// A place for the bytes, if the session can take them now.
fn begin(
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
    Ok((claim, Draft::create(world.place_for_bytes(), accepted?, limit)?))
}

fn count(state: &mut State, id: &str, bytes: u64) {
    let Some(session) = state.sessions.get_mut(id) else {
        return;
    };
    session.received += bytes;
    // A session on which bytes move is not idle.
    session.touch_if_open();
    let key = (session.user.clone(), session.path.join("/").to_lowercase());
    state.traffic(&key).received += bytes;
}

/// Takes the bytes over, if the session still stands where they begin: of two
/// requests for one range the first to be whole wins, the other gets the 416.
fn commit(
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
    // A conflict leaves the session as it was, so that the last fragment can be sent again.
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

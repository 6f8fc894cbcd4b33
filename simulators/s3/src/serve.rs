//! HEAD and GET of an object.

use std::io;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{
        ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH,
        LAST_MODIFIED, RANGE,
    },
};
use sim_kit::{Call, Line};

use crate::{
    error::{self, Refusal},
    object::Object,
    range::{Wanted, wanted},
    world::World,
};

pub(crate) fn head(world: &World, key: &str, headers: &HeaderMap) -> Result<Response, Refusal> {
    let (object, wanted) =
        find(world, key, headers).map_err(|refusal| refusal.without_body(true))?;
    Ok(object_response(&object, &wanted, Body::empty()))
}

/// Handles a GET. Its body is streamed, so the log entry is written after the last byte, or without
/// a status if the client disconnects first.
pub(crate) async fn get(
    world: &World,
    key: &str,
    headers: &HeaderMap,
    allowed: Result<(), Refusal>,
) -> Response {
    let call = world.stage.call("getObject", key);
    let rule = world.stage.faults.take(&["getObject"], key);
    world.stage.shaper.latency(key).await;
    if let Some(rule) = rule.as_ref().filter(|rule| !rule.does_work() || rule.drop_response) {
        return call.respond(sim_kit::apply_rule(Some(rule), None, error::scripted).await);
    }
    let (object, wanted) = match allowed.and_then(|()| find(world, key, headers)) {
        Ok(found) => found,
        Err(refusal) => return call.respond(refusal.into_response()),
    };
    let (start, end) = match wanted {
        Wanted::Part { start, end } => (start, end),
        _ => (0, object.size),
    };
    let break_at = rule
        .and_then(|rule| rule.extra.break_after)
        .map(|part| start + sim_kit::part_of(end - start, part));
    let status = if matches!(wanted, Wanted::Part { .. }) { 206 } else { 200 };
    let line = world.stage.shaper.line(key);
    let stream = BodyStream {
        object: object.clone(),
        position: start,
        end,
        break_at,
        line,
        call: Some(call),
        status,
    };
    let body = futures::stream::try_unfold(stream, BodyStream::next);
    object_response(&object, &wanted, Body::from_stream(body))
}

/// State of a response body that is being streamed.
struct BodyStream {
    object: Object,
    /// Offset of the next byte.
    position: u64,
    end: u64,
    /// Offset at which a fault rule breaks the connection.
    break_at: Option<u64>,
    line: Line,
    /// Log entry; taken when the last byte has been handed over.
    call: Option<Call>,
    status: u16,
}

impl BodyStream {
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        if self.break_at.is_some_and(|limit| self.position >= limit) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let piece = self.object.piece(self.position, self.break_at.unwrap_or(self.end));
        if piece.is_empty() {
            return Ok(None);
        }
        self.line.pass(piece.len()).await;
        self.position += piece.len() as u64;
        if let Some(call) = &mut self.call {
            call.count(piece.len());
        }
        // Finish the entry now: the stream is not polled again once the announced length has been
        // sent.
        if self.position == self.end
            && let Some(call) = self.call.take()
        {
            call.finish(self.status);
        }
        Ok(Some((piece, self)))
    }
}

/// Returns the object and the requested range, after the `If-Match` check.
fn find(world: &World, key: &str, headers: &HeaderMap) -> Result<(Object, Wanted), Refusal> {
    let object = world.objects().get(key).cloned().ok_or_else(Refusal::no_such_key)?;
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let bare = |tag: &str| tag.trim().trim_matches('"').to_owned();
    if text(IF_MATCH).is_some_and(|tag| tag != "*" && bare(tag) != bare(object.etag())) {
        return Err(Refusal::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed"));
    }
    match wanted(text(RANGE), object.size) {
        Wanted::Beyond => Err(Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange")),
        wanted => Ok((object, wanted)),
    }
}

fn object_response(object: &Object, wanted: &Wanted, body: Body) -> Response {
    let mut response = Response::new(body);
    let mut length = object.size;
    let mut fields = vec![
        (ETAG, object.etag().to_owned()),
        (LAST_MODIFIED, httpdate::fmt_http_date(object.modified.into())),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
    ];
    if let Wanted::Part { start, end } = wanted {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        length = end - start;
        fields.push((CONTENT_RANGE, format!("bytes {start}-{}/{}", end - 1, object.size)));
    }
    fields.push((CONTENT_LENGTH, length.to_string()));
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

//! HEAD and GET of an object in the S3 simulator. A GET may request a range, and its body is
//! streamed.

use std::{io, sync::Arc};

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
    checksum,
    content::Content,
    error::{self, S3Error},
    object::{Object, same_etag},
    operation::Operation,
    put::with_headers,
    range::{RequestedRange, parse_range},
    world::World,
};

/// Content type of a generated object.
const DEFAULT_TYPE: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Handles a HEAD.
pub(crate) fn head(world: &World, key: &str, headers: &HeaderMap) -> Result<Response, S3Error> {
    let (object, range) = find(world, key, headers).map_err(|error| error.without_body(true))?;
    Ok(object_response(&object, &range, headers, Body::empty()))
}

/// Handles a GET.
///
/// The body is streamed, so the log entry is written after the last byte. If the client disconnects
/// earlier, the entry has no status.
pub(crate) async fn get(
    world: &Arc<World>,
    key: &str,
    headers: &HeaderMap,
    allowed: Result<(), S3Error>,
) -> Response {
    let call = world.stage.call("getObject", key);
    let rule = world.stage.faults.take(&["getObject"], key);
    world.stage.shaper.latency(key).await;
    if let Some(rule) = rule.as_ref().filter(|rule| !rule.runs_operation() || rule.drop_response) {
        return call.respond(sim_kit::apply_rule(Some(rule), None, error::scripted).await);
    }
    let (object, range) = match allowed.and_then(|()| find(world, key, headers)) {
        Ok(found) => found,
        Err(error) => return call.respond(error.into_response()),
    };
    let (start, end) = match range {
        RequestedRange::Part { start, end } => (start, end),
        _ => (0, object.size()),
    };
    let break_at = rule
        .and_then(|rule| rule.service_faults.break_after)
        .map(|fraction| start + sim_kit::part_of(end - start, fraction));
    let status = if matches!(range, RequestedRange::Part { .. }) { 206 } else { 200 };
    let line = world.stage.shaper.line(key);
    let stream = BodyStream {
        world: Arc::clone(world),
        content: object.content.clone(),
        position: start,
        end,
        break_at,
        line,
        call: Some(call),
        status,
    };
    let body = futures::stream::try_unfold(stream, BodyStream::next_piece);
    object_response(&object, &range, headers, Body::from_stream(body))
}

/// State of a response body that is being streamed.
struct BodyStream {
    world: Arc<World>,
    content: Content,
    /// Offset of the next byte.
    position: u64,
    /// Offset after the last byte.
    end: u64,
    /// Offset at which a fault rule breaks the connection.
    break_at: Option<u64>,
    line: Line,
    /// Log entry of the request. It is finished and removed after the last byte.
    call: Option<Call>,
    /// Status of the response, for the log entry.
    status: u16,
}

impl BodyStream {
    /// Returns the next piece and the state after it, or `None` at the end.
    async fn next_piece(mut self) -> io::Result<Option<(Bytes, Self)>> {
        if self.break_at.is_some_and(|limit| self.position >= limit) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let piece = self.content.piece(self.position, self.break_at.unwrap_or(self.end));
        if piece.is_empty() {
            return Ok(None);
        }
        self.line.pass(piece.len()).await;
        self.position += piece.len() as u64;
        self.world.traffic.sent(Operation::GetObject, piece.len() as u64);
        if let Some(call) = &mut self.call {
            call.count(piece.len());
        }
        // The log entry is finished here, because the stream is not polled again after the last
        // byte of `Content-Length`.
        if self.position == self.end
            && let Some(call) = self.call.take()
        {
            call.finish(self.status);
        }
        Ok(Some((piece, self)))
    }
}

/// Returns the object and the requested range, after the `If-Match` check.
fn find(
    world: &World,
    key: &str,
    headers: &HeaderMap,
) -> Result<(Object, RequestedRange), S3Error> {
    let object = world.objects().get(key).cloned().ok_or_else(S3Error::no_such_key)?;
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if text(IF_MATCH).is_some_and(|tag| tag != "*" && !same_etag(tag, &object.etag)) {
        return Err(S3Error::precondition_failed());
    }
    match parse_range(text(RANGE), object.size()) {
        RequestedRange::Beyond => {
            Err(S3Error::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange"))
        }
        range => Ok((object, range)),
    }
}

fn object_response(
    object: &Object,
    range: &RequestedRange,
    request: &HeaderMap,
    body: Body,
) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, DEFAULT_TYPE);
    response.headers_mut().extend(object.metadata.0.clone());
    let mut length = object.size();
    let mut fields = vec![
        (ETAG.as_str(), object.etag.clone()),
        (LAST_MODIFIED.as_str(), httpdate::fmt_http_date(object.modified.into())),
        (ACCEPT_RANGES.as_str(), "bytes".to_owned()),
    ];
    if let RequestedRange::Part { start, end } = range {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        length = end - start;
        let content_range = format!("bytes {start}-{}/{}", end - 1, object.size());
        fields.push((CONTENT_RANGE.as_str(), content_range));
    } else if checksum::text(request, "x-amz-checksum-mode") == Some("ENABLED") {
        // The checksum is that of the whole object, so S3 omits it from the response to a range.
        fields.extend(object.checksum.iter().flat_map(checksum::Checksum::headers));
    }
    fields.push((CONTENT_LENGTH.as_str(), length.to_string()));
    with_headers(response, fields)
}

//! `GET /v1/download/subscribe/{jobId}`: the progress of a job as server-sent events (SSE).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use docferry_app::ports::{Clock as _, ReadAdapters};
use docferry_domain::job::Cursor;
use futures::stream;
use http::{HeaderMap, StatusCode, header};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::event_stream::EventStream;
use super::job_response;
use super::shared::{JobApi, find_job};
use super::stream_mode::StreamMode;
use crate::audit::Audited;
use crate::error::ApiError;
use crate::middleware::{Reader, with_common_parts};

/// Duration of a stream if the request has no [`TimeLeft`]. API Gateway allows streams of 15
/// minutes.
const DEFAULT_DURATION: Duration = Duration::from_secs(14 * 60);

/// Time between the end of a stream and the end of the process. It is enough for one read of the
/// store and for sending the last bytes.
const END_MARGIN: Duration = Duration::from_secs(5);

/// Maximum wait for events in [`StreamMode::Buffered`].
const BUFFERED_WAIT: Duration = Duration::from_secs(5);

/// Time until Lambda stops the process that serves the router. The code that serves the router puts
/// this value into the extensions of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLeft(pub Duration);

/// State of the route.
type Shared<P> = (Arc<JobApi<P>>, StreamMode);

/// Router of `GET /v1/download/subscribe/{jobId}`.
///
/// A stream ends in these cases:
///
/// - The job has ended.
/// - The process will end soon, or a read of the store has failed. Then the client reconnects
///   automatically and receives the events after the last one that it has received.
/// - The client has disconnected. Then the server drops the response, which stops the polls of the
///   store.
pub fn subscribe_router<P: ReadAdapters>(api: JobApi<P>, mode: StreamMode) -> Router {
    let routes = Router::new()
        .route("/v1/download/subscribe/{jobId}", get(subscribe::<P>))
        .with_state((Arc::new(api), mode));
    with_common_parts(routes)
}

async fn subscribe<P: ReadAdapters>(
    State((api, mode)): State<Shared<P>>,
    Reader(caller): Reader,
    Audited(audited): Audited,
    id: Result<Path<String>, PathRejection>,
    time_left: Option<Extension<TimeLeft>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let started_at = Instant::now();
    let (id, job) = find_job(&api, &caller, id).await?;
    // Ignore an invalid event id. The stream then begins with the current state of the job.
    let cursor: Option<Cursor> =
        headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let now = api.clock.now();
    if cursor.is_some_and(|cursor| cursor.has_seen_the_end(&job_response::snapshot(&job, now))) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let available = time_left
        .map_or(DEFAULT_DURATION, |Extension(TimeLeft(left))| left.saturating_sub(END_MARGIN));
    let duration = match mode {
        StreamMode::Stream => available,
        StreamMode::Buffered => available.min(BUFFERED_WAIT),
    };
    let mut events =
        EventStream::new(api, (caller, audited), id, cursor, started_at + duration, mode);
    // Create the first chunk before the response, so that a failure leads to an error status.
    let first_chunk = events.first_chunk(&job).await?;
    // The server reads the stream after the router has returned the response. So each read has to
    // enter the span of the request itself.
    let request_span = tracing::Span::current();
    let chunks = stream::unfold((Some(first_chunk), events), move |(first_chunk, mut events)| {
        let next_chunk = async move {
            let chunk = match first_chunk {
                Some(chunk) => chunk,
                None => events.next_chunk().await?,
            };
            Some((Ok::<_, Infallible>(chunk), (None, events)))
        };
        next_chunk.instrument(request_span.clone())
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream")];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

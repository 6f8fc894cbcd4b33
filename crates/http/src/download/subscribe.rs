//! `GET /v1/download/subscribe/{jobId}`: a job's events as they happen.

use std::convert::Infallible;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use docferry_app::ports::{BundleStore, Clock, Presigner, TransferStore};
use docferry_domain::Told;
use futures::stream;
use http::{HeaderMap, StatusCode, header};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::answer;
use super::follower::Follower;
use super::shared::{JobApi, find_job};
use crate::middleware::{Reader, finish};
use crate::problem::ApiError;

/// How answers that last get to whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamMode {
    /// Piece by piece.
    Stream,
    /// In one piece, at their end: so each ends with the first news, or soon without.
    Buffered,
}

impl FromStr for StreamMode {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "STREAM" => Ok(Self::Stream),
            "BUFFERED" => Ok(Self::Buffered),
            _ => Err("it must be STREAM or BUFFERED"),
        }
    }
}

/// How long it is until whoever serves the router ends the process. Put into the
/// request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLeft(pub Duration);

/// How long a stream lasts where nobody says how much time there is: what API Gateway
/// allows is 15 minutes.
const LONGEST: Duration = Duration::from_secs(14 * 60);

/// A stream ends so long before the process does: enough for one look at the store and
/// for its last bytes to be taken.
const MARGIN: Duration = Duration::from_secs(5);

/// How long an answer in one piece waits for news.
const PATIENCE: Duration = Duration::from_secs(5);

type Shared<S, C, P> = (Arc<JobApi<S, C, P>>, StreamMode);

/// `GET /v1/download/subscribe/{jobId}`.
///
/// A stream ends with its job, before the process does, or when the store fails; a
/// client comes back by itself and goes on after the last event that it saw. Once it
/// is dropped, nothing is read any more.
pub fn subscribe_router<S, C, P>(api: JobApi<S, C, P>, mode: StreamMode) -> Router
where
    S: TransferStore + BundleStore + 'static,
    C: Clock + 'static,
    P: Presigner + 'static,
{
    let routes = Router::new()
        .route("/v1/download/subscribe/{jobId}", get(subscribe::<S, C, P>))
        .with_state((Arc::new(api), mode));
    finish(routes)
}

async fn subscribe<S, C, P>(
    State((api, mode)): State<Shared<S, C, P>>,
    Reader(owner): Reader,
    id: Result<Path<String>, PathRejection>,
    left: Option<Extension<TimeLeft>>,
    headers: HeaderMap,
) -> Result<Response, ApiError>
where
    S: TransferStore + BundleStore + 'static,
    C: Clock + 'static,
    P: Presigner + 'static,
{
    let began = Instant::now();
    let (id, job) = find_job(&api, &owner, id).await?;
    // What is no id of ours is as none: then all of it is told.
    let told: Option<Told> =
        headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let now = api.clock.now();
    if told.is_some_and(|told| told.knows_the_end(&answer::standing(&job, now))) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let left = left.map_or(LONGEST, |Extension(TimeLeft(left))| left.saturating_sub(MARGIN));
    let lasts = if mode == StreamMode::Buffered { left.min(PATIENCE) } else { left };
    let mut follower = Follower::following(api, owner, id, told, began + lasts, mode);
    // What fails now can still be answered as any other failure.
    let first = follower.opening(&job).await?;
    // The stream outlives the call of the router, and with it the span of the request.
    let request = tracing::Span::current();
    let events = stream::unfold((Some(first), follower), move |(first, mut follower)| {
        let next = async move {
            let text = match first {
                Some(text) => text,
                None => follower.next().await?,
            };
            Some((Ok::<_, Infallible>(text), (None, follower)))
        };
        next.instrument(request.clone())
    });
    let kind = [(header::CONTENT_TYPE, "text/event-stream")];
    Ok((kind, Body::from_stream(events)).into_response())
}

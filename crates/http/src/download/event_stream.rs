//! Event stream of one connection to `GET /v1/download/subscribe/{jobId}`.

use std::sync::Arc;
use std::time::Duration;

use docferry_app::job::{Job, job_of};
use docferry_app::ports::{BatchStore, Clock, Presigner, TransferStore};
use docferry_contract::events::{ProgressEvent, ResultEvent, StatusEvent};
use docferry_domain::ids::TransferId;
use docferry_domain::jitter::jitter;
use docferry_domain::job::{Cursor, JobEvent, JobState, events_since};
use serde::Serialize;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::answer;
use super::shared::{JobApi, presigned_url};
use super::stream_mode::StreamMode;
use crate::error::ApiError;

/// Maximum time without output. A comment is then sent, so that no proxy closes the connection as
/// idle.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Maximum time between two polls of the job. Each poll costs a read, but progress should be
/// visible in long jobs as well.
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Minimum time between two polls of the job.
const MIN_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Minimum reconnection time of clients. A jitter that depends on the job is added, so that clients
/// that are disconnected at the same moment do not reconnect at the same moment.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// Source of the chunks of one event stream. It polls the job only while a chunk is awaited; no
/// task runs in the background.
pub(super) struct EventStream<S, C, P> {
    api: Arc<JobApi<S, C, P>>,
    owner: String,
    id: TransferId,
    /// Position after the last event that was sent; `None` before the first one.
    cursor: Option<Cursor>,
    mode: StreamMode,
    /// Time at which the stream ends, even if the job has not.
    ends_at: Instant,
    next_poll_at: Instant,
    next_heartbeat_at: Instant,
    /// Whether nothing more is sent: after the job's last event, or in buffered mode after any
    /// event.
    is_done: bool,
}

impl<S, C, P> EventStream<S, C, P>
where
    S: TransferStore + BatchStore,
    C: Clock,
    P: Presigner,
{
    /// Creates the stream of a job. It begins after the event at the cursor and ends at `ends_at`.
    pub(super) fn following(
        api: Arc<JobApi<S, C, P>>,
        owner: String,
        id: TransferId,
        cursor: Option<Cursor>,
        ends_at: Instant,
        mode: StreamMode,
    ) -> Self {
        let now = Instant::now();
        Self {
            api,
            owner,
            id,
            cursor,
            mode,
            ends_at,
            next_poll_at: now + MIN_POLL_INTERVAL,
            next_heartbeat_at: now + HEARTBEAT,
            is_done: false,
        }
    }

    /// Returns the first chunk: the reconnection time, and the events that are new already.
    pub(super) async fn first_chunk(&mut self, job: &Job) -> Result<String, ApiError> {
        let retry = RECONNECT_AFTER + jitter(&self.id, RECONNECT_AFTER);
        let events = self.new_events(job).await?;
        Ok(format!("retry: {}\n\n{events}", retry.as_millis()))
    }

    /// Waits for the next chunk; `None` at the end of the stream.
    pub(super) async fn next_chunk(&mut self) -> Option<String> {
        while !self.is_done {
            let wake_at = self.next_poll_at.min(self.next_heartbeat_at).min(self.ends_at);
            sleep_until(wake_at).await;
            let now = Instant::now();
            if now >= self.ends_at {
                break;
            }
            if now >= self.next_poll_at {
                let text = timeout_at(self.ends_at, self.poll()).await.ok()??;
                if !text.is_empty() {
                    return Some(text);
                }
            } else if now >= self.next_heartbeat_at {
                self.next_heartbeat_at = now + HEARTBEAT;
                return Some(": keep-alive\n\n".to_owned());
            }
        }
        None
    }

    /// Reads the job and returns its new events. `None` if the job cannot be read or is gone: the
    /// stream ends, and the client gets the error as a response when it reconnects.
    async fn poll(&mut self) -> Option<String> {
        let Self { api, owner, id, .. } = &*self;
        let found = job_of(&api.store, &api.clock, api.record_ttl, owner, id).await;
        let events = match found {
            Ok(job) => self.new_events(&job?).await,
            Err(error) => Err(error.into()),
        };
        match events {
            Ok(text) => Some(text),
            Err(error) => {
                let code = error.code();
                tracing::warn!(
                    job.id = self.id.as_str(),
                    error.code = code,
                    "event stream ended early"
                );
                None
            }
        }
    }

    /// Returns the events since the cursor as text, empty if the job has not changed, and advances
    /// the cursor. Also sets the time of the next poll.
    async fn new_events(&mut self, job: &Job) -> Result<String, ApiError> {
        let now = self.api.clock.now();
        let snapshot = answer::snapshot(job, now);
        let changes = events_since(self.cursor, &snapshot);
        let interval = answer::next_poll(job, now).unwrap_or_default();
        let polled_at = Instant::now();
        self.next_poll_at = polled_at + interval.clamp(MIN_POLL_INTERVAL, MAX_POLL_INTERVAL);
        let Some((last, cursor)) = changes.last().copied() else { return Ok(String::new()) };
        let is_end = last == JobEvent::End;
        let url = match snapshot.state {
            JobState::Completed if is_end => presigned_url(&self.api, job).await?,
            _ => None,
        };
        let status = answer::status_document(job, &self.id, now, true, url.as_ref());
        let mut text = String::new();
        for (kind, id) in changes {
            text += &match kind {
                JobEvent::Status => named_event(
                    "status",
                    id,
                    &StatusEvent {
                        job_id: status.job_id.clone(),
                        status: status.status,
                        attempts: status.attempts,
                        timestamps: status.timestamps.clone(),
                    },
                ),
                JobEvent::Progress => named_event(
                    "progress",
                    id,
                    &ProgressEvent {
                        progress: status.progress.clone(),
                        eta_seconds: status.eta_seconds,
                    },
                ),
                JobEvent::End if snapshot.state == JobState::Completed => {
                    let (url, expires_at) =
                        status.result.clone().map(|result| (result.url, result.expires_at)).unzip();
                    let items = status.items.clone();
                    named_event("result", id, &ResultEvent { url, expires_at, items })
                }
                JobEvent::End => named_event("error", id, &answer::end_error(job, snapshot.state)),
            };
        }
        let whole_status = answer::status_document(job, &self.id, now, false, url.as_ref());
        text += &unnamed_event(cursor, &whole_status);
        self.cursor = Some(cursor);
        self.is_done = is_end || self.mode == StreamMode::Buffered;
        self.next_heartbeat_at = polled_at + HEARTBEAT;
        Ok(text)
    }
}

/// Formats a named event.
fn named_event(name: &str, id: Cursor, data: &impl Serialize) -> String {
    format!("event: {name}\n{}", unnamed_event(id, data))
}

/// Formats an unnamed event, which a client's `onmessage` receives. It follows the named events of
/// a change and has the id of the last of them.
fn unnamed_event(id: Cursor, data: &impl Serialize) -> String {
    // `serde_json` writes one line, as the format requires: line ends in strings are escaped.
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("id: {id}\ndata: {data}\n\n")
}

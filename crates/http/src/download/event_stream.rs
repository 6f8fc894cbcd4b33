//! Server-sent events (SSE) of one connection to `GET /v1/download/subscribe/{jobId}`.
//!
//! [`EventStream`] polls the job and yields chunks of text. A chunk contains the new events since
//! the last poll. The *cursor* is the id of the last sent event. A client that reconnects sends
//! this id and receives only the events after it.

use std::sync::Arc;
use std::time::Duration;

use docferry_app::audit::AuditedRequest;
use docferry_app::job::{Job, job_of};
use docferry_app::ports::{Clock as _, ReadAdapters};
use docferry_contract::events::{ProgressEvent, ResultEvent, StatusEvent};
use docferry_contract::job::JobStatus;
use docferry_domain::ids::TransferId;
use docferry_domain::jitter::jitter;
use docferry_domain::job::{Cursor, JobEvent, JobSnapshot, JobState, events_since};
use serde::Serialize;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::job_response::{self, ProgressLevel};
use super::shared::{JobApi, presigned_url};
use super::stream_mode::StreamMode;
use crate::error::ApiError;
use crate::middleware::Principal;

/// Maximum time without output. Then the stream sends a comment, so that no proxy closes the
/// connection as idle.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);

/// Maximum time between two polls of the job. It is shorter than the interval that the API
/// recommends to polling clients, because a stream should show more progress.
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Minimum time between two polls of the job. Each poll costs a read of the store.
const MIN_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Minimum time after which a client reconnects. Each job adds a different jitter, so that many
/// disconnected clients do not reconnect at the same moment.
const MIN_RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// Source of the chunks of one event stream. It polls the job only while the server waits for a
/// chunk. No task runs in the background.
pub(super) struct EventStream<P: ReadAdapters> {
    api: Arc<JobApi<P>>,
    caller: Principal,
    audited: AuditedRequest,
    /// Id of the job.
    id: TransferId,
    /// Id of the last event that was sent, or `None` if none was sent.
    cursor: Option<Cursor>,
    mode: StreamMode,
    /// Time at which the stream ends, even if the job has not ended.
    ends_at: Instant,
    next_poll_at: Instant,
    next_heartbeat_at: Instant,
    /// Whether the stream has ended. It ends after the job's last event or, in buffered mode, after
    /// the first chunk with an event.
    is_done: bool,
}

impl<P: ReadAdapters> EventStream<P> {
    /// Creates the stream of a job. It begins with the first event after the cursor and ends at
    /// `ends_at`.
    pub(super) fn new(
        api: Arc<JobApi<P>>,
        (caller, audited): (Principal, AuditedRequest),
        id: TransferId,
        cursor: Option<Cursor>,
        ends_at: Instant,
        mode: StreamMode,
    ) -> Self {
        let now = Instant::now();
        Self {
            api,
            caller,
            audited,
            id,
            cursor,
            mode,
            ends_at,
            next_poll_at: now + MIN_POLL_INTERVAL,
            next_heartbeat_at: now + HEARTBEAT_INTERVAL,
            is_done: false,
        }
    }

    /// Returns the first chunk: the reconnection time, and the events between the cursor and the
    /// present state of `job`.
    pub(super) async fn first_chunk(&mut self, job: &Job) -> Result<String, ApiError> {
        let reconnect_delay = MIN_RECONNECT_DELAY + jitter(&self.id, MIN_RECONNECT_DELAY);
        let events = self.new_events(job).await?;
        Ok(format!("retry: {}\n\n{events}", reconnect_delay.as_millis()))
    }

    /// Waits for the next chunk. Returns `None` at the end of the stream.
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
                self.next_heartbeat_at = now + HEARTBEAT_INTERVAL;
                return Some(": keep-alive\n\n".to_owned());
            }
        }
        None
    }

    /// Reads the job and returns its new events.
    ///
    /// Returns `None` if the job cannot be read or no longer exists. Then the stream ends. When the
    /// client reconnects, it receives the error as the response.
    async fn poll(&mut self) -> Option<String> {
        let Self { api, caller, id, .. } = &*self;
        let job = job_of(&api.store, &api.clock, api.record_ttl, &caller.id, id).await;
        let events = match job {
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

    /// Returns the events after the cursor as text, advances the cursor to the last of them, and
    /// sets the time of the next poll. The text is empty if the job has not changed.
    async fn new_events(&mut self, job: &Job) -> Result<String, ApiError> {
        let now = self.api.clock.now();
        let snapshot = job_response::snapshot(job, now);
        let changes = events_since(self.cursor, &snapshot);
        let interval = job_response::next_poll_delay(job, now).unwrap_or_default();
        let polled_at = Instant::now();
        self.next_poll_at = polled_at + interval.clamp(MIN_POLL_INTERVAL, MAX_POLL_INTERVAL);
        let Some((last_event, last_event_id)) = changes.last().copied() else {
            return Ok(String::new());
        };
        let has_ended = last_event == JobEvent::End;
        let url = match snapshot.state {
            JobState::Completed if has_ended => {
                presigned_url(&self.api, &self.caller, &self.audited, &self.id, job).await?
            }
            _ => None,
        };
        let detailed_status =
            job_response::job_status(job, &self.id, now, ProgressLevel::Detail, url.as_ref());
        let mut text = String::new();
        for (event, event_id) in changes {
            text += &format_event(event, event_id, job, &snapshot, &detailed_status);
        }
        let status =
            job_response::job_status(job, &self.id, now, ProgressLevel::Plain, url.as_ref());
        text += &unnamed_event(last_event_id, &status);
        self.cursor = Some(last_event_id);
        self.is_done = has_ended || self.mode == StreamMode::Buffered;
        self.next_heartbeat_at = polled_at + HEARTBEAT_INTERVAL;
        Ok(text)
    }
}

/// Formats a named event of a job. `status` is the job's status with detailed progress.
fn format_event(
    event: JobEvent,
    id: Cursor,
    job: &Job,
    snapshot: &JobSnapshot,
    status: &JobStatus,
) -> String {
    match event {
        JobEvent::Status => {
            let data = StatusEvent {
                job_id: status.job_id.clone(),
                status: status.status,
                attempts: status.attempts,
                timestamps: status.timestamps.clone(),
            };
            named_event("status", id, &data)
        }
        JobEvent::Progress => {
            let data = ProgressEvent {
                progress: status.progress.clone(),
                eta_seconds: status.eta_seconds,
            };
            named_event("progress", id, &data)
        }
        JobEvent::End if snapshot.state == JobState::Completed => {
            let (url, expires_at) =
                status.result.clone().map(|result| (result.url, result.expires_at)).unzip();
            let items = status.items.clone();
            named_event("result", id, &ResultEvent { url, expires_at, items })
        }
        JobEvent::End => named_event("error", id, &job_response::end_error(job, snapshot.state)),
    }
}

/// Formats a named event.
fn named_event(name: &str, id: Cursor, data: &impl Serialize) -> String {
    format!("event: {name}\n{}", unnamed_event(id, data))
}

/// Formats an unnamed event. A browser passes unnamed events to the handler `onmessage`. A chunk
/// ends with one unnamed event, which has the id of the last named event in the chunk.
fn unnamed_event(id: Cursor, data: &impl Serialize) -> String {
    // The data must not contain a line break. `serde_json` writes one line and escapes line breaks
    // in strings.
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("id: {id}\ndata: {data}\n\n")
}

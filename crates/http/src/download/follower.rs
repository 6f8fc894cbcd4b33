//! One connection of somebody who follows a job.

use std::sync::Arc;
use std::time::Duration;

use docferry_app::download::{Job, job_of};
use docferry_app::ports::{BundleStore, Clock, Presigner, TransferStore};
use docferry_contract::events::{ProgressEvent, ResultEvent, StatusEvent};
use docferry_domain::{JobState, News, Told, TransferId, news, spread};
use serde::Serialize;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::answer;
use super::shared::{JobApi, presigned_url};
use super::subscribe::StreamMode;
use crate::problem::ApiError;

/// A silence of that length is broken by a comment, so that nothing on the way takes
/// the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The longest time between two looks at the job, however long it takes: each costs a
/// read, and a watcher wants to see it move.
const MOST_PAUSE: Duration = Duration::from_secs(5);

/// The shortest.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// After how long a client comes back, at least; each job's own part is added to it, so
/// that all who were cut off at once do not come back at once.
const RETRY: Duration = Duration::from_secs(1);

/// What is told of a job, a piece at a time. Nothing runs between two pieces.
pub(super) struct Follower<S, C, P> {
    api: Arc<JobApi<S, C, P>>,
    owner: String,
    id: TransferId,
    told: Option<Told>,
    mode: StreamMode,
    ends_at: Instant,
    look_at: Instant,
    beat_at: Instant,
    /// Nothing follows what was said.
    is_done: bool,
}

impl<S, C, P> Follower<S, C, P>
where
    S: TransferStore + BundleStore,
    C: Clock,
    P: Presigner,
{
    /// Follows until `ends_at`, from what was told before on.
    pub(super) fn following(
        api: Arc<JobApi<S, C, P>>,
        owner: String,
        id: TransferId,
        told: Option<Told>,
        ends_at: Instant,
        mode: StreamMode,
    ) -> Self {
        let now = Instant::now();
        let (look_at, beat_at) = (now + LEAST_PAUSE, now + HEARTBEAT);
        Self { api, owner, id, told, mode, ends_at, look_at, beat_at, is_done: false }
    }

    /// The first piece: when to come back, and what is known already.
    pub(super) async fn opening(&mut self, job: &Job) -> Result<String, ApiError> {
        let retry = RETRY + spread(&self.id, RETRY);
        let events = self.tell(job).await?;
        Ok(format!("retry: {}\n\n{events}", retry.as_millis()))
    }

    /// The next piece, whenever there is one; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<String> {
        while !self.is_done {
            sleep_until(self.look_at.min(self.beat_at).min(self.ends_at)).await;
            let now = Instant::now();
            if now >= self.ends_at {
                break;
            }
            if now >= self.look_at {
                let text = timeout_at(self.ends_at, self.look()).await.ok()??;
                if !text.is_empty() {
                    return Some(text);
                }
            } else if now >= self.beat_at {
                self.beat_at = now + HEARTBEAT;
                return Some(": keep-alive\n\n".to_owned());
            }
        }
        None
    }

    /// What is new of the job; `None` when nobody can tell: then the client comes back
    /// and is told why.
    async fn look(&mut self) -> Option<String> {
        let Self { api, owner, id, .. } = &*self;
        let found = job_of(&api.store, &api.clock, api.record_ttl, owner, id).await;
        let told = match found {
            Ok(job) => self.tell(&job?).await,
            Err(error) => Err(error.into()),
        };
        match told {
            Ok(text) => Some(text),
            Err(error) => {
                let code = error.code();
                tracing::warn!(job.id = self.id.as_str(), error.code = code, "a stream ends early");
                None
            }
        }
    }

    /// The events of what is new, none when nothing is.
    async fn tell(&mut self, job: &Job) -> Result<String, ApiError> {
        let now = self.api.clock.now();
        let standing = answer::standing(job, now);
        let found = news(self.told, &standing);
        let pause = answer::next_poll(job, now).unwrap_or_default();
        let looked = Instant::now();
        self.look_at = looked + pause.clamp(LEAST_PAUSE, MOST_PAUSE);
        let Some((last, told)) = found.last().copied() else { return Ok(String::new()) };
        let ends = last == News::End;
        let url = match standing.state {
            JobState::Completed if ends => presigned_url(&self.api, job).await?,
            _ => None,
        };
        let status = answer::describe(job, &self.id, now, true, url.as_ref());
        let mut text = String::new();
        for (kind, told) in found {
            text += &match kind {
                News::Status => event(
                    "status",
                    told,
                    &StatusEvent {
                        job_id: status.job_id.clone(),
                        status: status.status,
                        attempts: status.attempts,
                        timestamps: status.timestamps.clone(),
                    },
                ),
                News::Progress => event(
                    "progress",
                    told,
                    &ProgressEvent {
                        progress: status.progress.clone(),
                        eta_seconds: status.eta_seconds,
                    },
                ),
                News::End if standing.state == JobState::Completed => {
                    let (url, expires_at) =
                        status.result.clone().map(|result| (result.url, result.expires_at)).unzip();
                    let items = status.items.clone();
                    event("result", told, &ResultEvent { url, expires_at, items })
                }
                News::End => event("error", told, &answer::ending(job, standing.state)),
            };
        }
        let whole = answer::describe(job, &self.id, now, false, url.as_ref());
        text += &message(told, &whole);
        self.told = Some(told);
        self.is_done = ends || self.mode == StreamMode::Buffered;
        self.beat_at = looked + HEARTBEAT;
        Ok(text)
    }
}

fn event(name: &str, id: Told, data: &impl Serialize) -> String {
    format!("event: {name}\n{}", message(id, data))
}

/// An event without a name, which reaches a client's `onmessage`: after the named events
/// of a change, under the id of the last of them.
fn message(id: Told, data: &impl Serialize) -> String {
    // JSON has no line ends outside of strings, and none within.
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("id: {id}\ndata: {data}\n\n")
}

use std::sync::Arc;
use std::time::Duration;

use docferry_domain::{Checkpoint, FailureCode, FragmentPlan, SourceHash, Transfer};
use jiff::{SignedDuration, Timestamp};

use super::fragments::Sent;
use super::reader::SourceObject;
use super::session::Opened;
use super::{Progress, UploadSettings};
use crate::ports::{
    CheckpointAck, Clock, Destination, Drive, DriveError, Sealer, Staging, TransferStore,
};
use crate::task::admit;
use crate::{TaskError, TaskInput};

/// Longest wait that is left to the workflow in one piece, in seconds.
const LONGEST_PIECE: i64 = 60;
/// Waits up to this long are slept through; longer ones go to the workflow.
const SHORT_WAIT: Duration = Duration::from_secs(2);
/// Sessions opened in one attempt before the drive counts as unavailable.
pub(super) const MAX_SESSIONS: u32 = 5;

/// The ports and limits of `upload`.
#[derive(Debug)]
pub struct Upload<S, D, G, L, C> {
    /// Records and checkpoints.
    pub store: S,
    /// The destination.
    pub drive: D,
    /// The source; shared with the task that reads ahead.
    pub staging: Arc<G>,
    /// Seals upload URLs.
    pub sealer: L,
    /// The time.
    pub clock: C,
    /// Limits.
    pub settings: UploadSettings,
}

/// One invocation: it holds the epoch that it claimed.
pub(super) struct Run<'a, S, D, G, L, C> {
    pub(super) ports: &'a Upload<S, D, G, L, C>,
    pub(super) transfer: Transfer,
    pub(super) destination: Destination,
    pub(super) object: SourceObject,
    pub(super) stop_at: Timestamp,
    /// As last made durable.
    pub(super) checkpoint: Checkpoint,
    /// What lies at the destination was looked at and is not this document.
    pub(super) rejected: bool,
}

/// Sends the next bytes of a transfer's document until it is delivered, the
/// drive asks for a pause, or `deadline` minus the margin is reached.
///
/// # Errors
/// A [`TaskError`] whose code says whether the workflow retries;
/// [`FailureCode::Superseded`] when a newer invocation took over.
pub async fn upload<S, D, G, L, C>(
    ports: &Upload<S, D, G, L, C>,
    task: &TaskInput,
    deadline: Timestamp,
) -> Result<Progress, TaskError>
where
    S: TransferStore,
    D: Drive,
    G: Staging + 'static,
    L: Sealer,
    C: Clock,
{
    let transfer = ports.store.claim(&task.transfer_id, task.attempt).await?;
    if transfer.delivery.is_some() {
        return Ok(Progress::Done);
    }
    let now = ports.clock.now();
    admit(&transfer, task.attempt, now)?;
    if let Some(resume_at) = transfer.resume_at.filter(|at| *at > now) {
        return Ok(wait_until(resume_at, now));
    }
    let mut run = Run::new(ports, transfer, deadline)?;
    if run.object.size == 0 {
        return run.deliver_empty().await;
    }
    run.deliver().await
}

impl<'a, S, D, G, L, C> Run<'a, S, D, G, L, C>
where
    S: TransferStore,
    D: Drive,
    G: Staging + 'static,
    L: Sealer,
    C: Clock,
{
    fn new(
        ports: &'a Upload<S, D, G, L, C>,
        transfer: Transfer,
        deadline: Timestamp,
    ) -> Result<Self, TaskError> {
        let (Some(destination), Some(object)) =
            (Destination::of(&transfer), SourceObject::of(&transfer))
        else {
            return Err(FailureCode::Internal.into());
        };
        let checkpoint = transfer.checkpoint.clone().unwrap_or_else(|| Checkpoint {
            offset: 0,
            hash: SourceHash::default().state(),
            fragment_bytes: FragmentPlan::starting_at(ports.settings.fragment_bytes).bytes(),
            sessions: 0,
        });
        let margin = SignedDuration::try_from(ports.settings.margin).unwrap_or_default();
        // The transfer's own deadline counts as much as the function's.
        let deadline = deadline.min(transfer.deadline);
        let stop_at = deadline.checked_sub(margin).unwrap_or(deadline);
        Ok(Self { ports, transfer, destination, object, stop_at, checkpoint, rejected: false })
    }

    async fn deliver(&mut self) -> Result<Progress, TaskError> {
        loop {
            let sent = match self.open_session().await {
                Ok(Opened::Delivered(item)) => Ok(Sent::Whole { item: Some(item), by_us: false }),
                Ok(Opened::Session { url, offset }) => self.send(&url, offset).await,
                Err(error) => Err(error),
            };
            match sent {
                Ok(Sent::Whole { item, by_us }) => {
                    if self.complete(item, by_us).await? {
                        return Ok(Progress::Done);
                    }
                    self.rejected = true;
                }
                Ok(Sent::SessionGone) => {}
                Ok(Sent::OutOfTime) => return Ok(Progress::Continue),
                Err(Interruption::Throttled(retry_after)) => {
                    return self.pause(retry_after).await;
                }
                Err(Interruption::Failed(error)) if error.code == FailureCode::SourceChanged => {
                    self.take_new_object().await?;
                }
                Err(Interruption::Failed(error)) => return Err(error),
            }
            if self.time_left() == Duration::ZERO {
                return Ok(Progress::Continue);
            }
        }
    }

    /// What is left of this invocation's time, less the margin.
    pub(super) fn time_left(&self) -> Duration {
        let left = self.stop_at.duration_since(self.ports.clock.now());
        Duration::try_from(left).unwrap_or_default()
    }

    /// Makes the checkpoint durable; a request to stop is noticed here, which
    /// costs no read of its own.
    pub(super) async fn save(&mut self) -> Result<(), TaskError> {
        let id = &self.transfer.transfer_id;
        let CheckpointAck { stop } =
            self.ports.store.checkpoint(id, self.transfer.epoch, &self.checkpoint).await?;
        if stop { Err(FailureCode::Canceled.into()) } else { Ok(()) }
    }

    /// A pause that the drive asked for: short ones are slept through by coming
    /// back at once after them, long ones are the workflow's.
    pub(super) async fn pause(
        &mut self,
        retry_after: Option<Duration>,
    ) -> Result<Progress, TaskError> {
        let wait = retry_after.unwrap_or(Duration::from_secs(10)).max(Duration::from_secs(1));
        if wait <= SHORT_WAIT && wait < self.time_left() {
            tokio::time::sleep(wait).await;
            return Ok(Progress::Continue);
        }
        let now = self.ports.clock.now();
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        let resume_at = now.checked_add(wait).unwrap_or(self.transfer.deadline);
        let id = &self.transfer.transfer_id;
        self.ports.store.pause_until(id, self.transfer.epoch, resume_at).await?;
        Ok(wait_until(resume_at, now))
    }
}

/// Why sending stopped short of an answer to act on.
pub(super) enum Interruption {
    Throttled(Option<Duration>),
    Failed(TaskError),
}

impl<E: Into<TaskError>> From<E> for Interruption {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A drive's refusal where no fragment is under way: only throttling is not final.
pub(super) fn interrupted(error: DriveError) -> Interruption {
    match error {
        DriveError::Throttled { retry_after } => Interruption::Throttled(retry_after),
        error => Interruption::Failed(error.into()),
    }
}

fn wait_until(resume_at: Timestamp, now: Timestamp) -> Progress {
    let left = resume_at.duration_since(now);
    // Rounded up: coming back a moment too early costs another invocation.
    let seconds = left.as_secs() + i64::from(left.subsec_nanos() > 0);
    Progress::Wait { seconds: u32::try_from(seconds.clamp(1, LONGEST_PIECE)).unwrap_or(1) }
}

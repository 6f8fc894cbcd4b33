use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use docferry_domain::{
    Action, Answer, Checkpoint, Course, CourseRules, End, FailureCode, Pace, SMALL_FILE_BYTES,
    SourceHash, Transfer,
};
use jiff::{SignedDuration, Timestamp};

use super::comparison::Found;
use super::reader::SourceReader;
use super::source::SourceObject;
use super::waiting::{shared_pause, wait_until};
use super::{Progress, UploadSettings};
use crate::initiate::later;
use crate::ports::{
    CheckpointAck, Clock, Destination, Drive, DriveError, Sealer, SessionRecord, Staging,
    StagingError, ThrottleBudget, TransferStore, UploadUrl,
};
use crate::task::admit;
use crate::trace::follow;
use crate::{TaskError, TaskInput};

/// How long the record says that a small document may be on its way; a PUT of 4 MB
/// takes a second or two, and is given up before.
const PUT_LEASE: SignedDuration = SignedDuration::from_secs(60);

/// Of the bytes that fit into the time that is left by the rate as measured, so
/// many are tried: a fragment that is cut off is sent again.
const CAUTION: f64 = 0.8;

/// The ports and limits of `upload`.
#[derive(Debug)]
pub struct Upload<S, D, G, L, C, B> {
    /// Records and checkpoints.
    pub store: S,
    /// The destination.
    pub drive: D,
    /// The source; shared with the tasks that read ahead.
    pub staging: Arc<G>,
    /// Seals upload URLs.
    pub sealer: L,
    /// The time.
    pub clock: C,
    /// Pauses that all transfers share.
    pub budget: B,
    /// Limits.
    pub settings: UploadSettings,
}

/// One invocation: it holds the epoch that it claimed.
pub(super) struct Run<'a, S, D, G, L, C, B> {
    pub(super) ports: &'a Upload<S, D, G, L, C, B>,
    pub(super) transfer: Transfer,
    pub(super) destination: Destination,
    pub(super) object: SourceObject,
    pub(super) stop_at: Timestamp,
    pub(super) course: Course,
    /// The source's hash, of acknowledged bytes and of gaps that were read again.
    pub(super) hash: SourceHash,
    /// The session as it is stored, and its URL once it is open.
    pub(super) session: Option<SessionRecord>,
    pub(super) url: Option<UploadUrl>,
    /// A reader, and where it stands.
    pub(super) reader: Option<(u64, SourceReader)>,
    /// A small document.
    pub(super) whole: Bytes,
    /// What may be the document at the destination.
    pub(super) found: Vec<Found>,
    /// The id of the item with which the drive answered our own last byte.
    pub(super) answered: Option<String>,
    /// Until when the record says that a small document may be on its way.
    pub(super) lease: Option<Timestamp>,
    /// It may be: no answer has come.
    pub(super) is_on_its_way: bool,
    pub(super) bytes_per_second: Option<f64>,
    /// What the checkpoint says of how fast it goes.
    pace: Option<Pace>,
    /// The cause of the last failure, for the log.
    trouble: Option<TaskError>,
}

/// Sends the next bytes of a transfer's document until it is delivered, the
/// drive asks for a pause, or `deadline` minus the margin is reached.
///
/// # Errors
/// A [`TaskError`] whose code says whether the workflow retries;
/// [`FailureCode::Superseded`] when a newer invocation took over.
pub async fn upload<S, D, G, L, C, B>(
    ports: &Upload<S, D, G, L, C, B>,
    task: &TaskInput,
    deadline: Timestamp,
) -> Result<Progress, TaskError>
where
    S: TransferStore,
    D: Drive,
    G: Staging + 'static,
    L: Sealer,
    C: Clock,
    B: ThrottleBudget,
{
    // Together: knowing of a pause costs a read an invocation, and no time.
    let claim = ports.store.claim(&task.transfer_id, task.attempt);
    let (transfer, shared) = futures::join!(claim, ports.budget.paused());
    let transfer = transfer?;
    follow(transfer.trace.as_ref());
    if transfer.delivery.is_some() {
        return Ok(Progress::Done);
    }
    let now = ports.clock.now();
    admit(&transfer, task.attempt, now)?;
    if transfer.needs_source() {
        return Ok(Progress::SourceLost);
    }
    let resume_at = transfer.resume_at.max(shared_pause(&transfer.transfer_id, shared));
    if let Some(resume_at) = resume_at.filter(|at| *at > now) {
        return Ok(wait_until(resume_at, now));
    }
    // The first invocation of all finds none.
    let session = match transfer.epoch {
        1 => None,
        _ => ports.store.session(&task.transfer_id).await?,
    };
    Run::new(ports, transfer, session, deadline)?.carry_out().await
}

impl<'a, S, D, G, L, C, B> Run<'a, S, D, G, L, C, B>
where
    S: TransferStore,
    D: Drive,
    G: Staging + 'static,
    L: Sealer,
    C: Clock,
    B: ThrottleBudget,
{
    fn new(
        ports: &'a Upload<S, D, G, L, C, B>,
        transfer: Transfer,
        session: Option<SessionRecord>,
        deadline: Timestamp,
    ) -> Result<Self, TaskError> {
        let (Some(destination), Some(object)) =
            (Destination::of(&transfer), SourceObject::of(&transfer))
        else {
            return Err(FailureCode::Internal.into());
        };
        let checkpoint = transfer.checkpoint.as_ref();
        let hash = SourceHash::resume(checkpoint.map(|kept| &kept.hash));
        let rules = CourseRules {
            largest_fragment: ports.settings.fragment_bytes,
            policy: ports.settings.policy,
        };
        let course = Course::begin(object.size, rules, checkpoint, session.is_some());
        let margin = SignedDuration::try_from(ports.settings.margin).unwrap_or_default();
        // The transfer's own deadline counts as much as the function's.
        let deadline = deadline.min(transfer.must_end_by());
        let stop_at = deadline.checked_sub(margin).unwrap_or(deadline);
        let pace = checkpoint.and_then(|kept| kept.pace);
        let answered = checkpoint.and_then(|kept| kept.answered.clone());
        Ok(Self {
            ports,
            transfer,
            destination,
            object,
            stop_at,
            course,
            hash,
            session,
            url: None,
            reader: None,
            whole: Bytes::new(),
            found: Vec::new(),
            answered,
            lease: None,
            is_on_its_way: false,
            bytes_per_second: None,
            pace,
            trouble: None,
        })
    }

    async fn carry_out(mut self) -> Result<Progress, TaskError> {
        loop {
            let pause = self.course.pause();
            if !pause.is_zero() {
                tokio::time::sleep(self.spread(pause).min(self.time_left())).await;
            }
            let action = self.course.action(self.fits());
            let answer = match action {
                Action::End(end) => return self.end(end).await,
                Action::Ask => self.ask().await?,
                Action::Look(names) => self.look(names).await,
                Action::Hash { until } => self.read_gap(until).await,
                Action::Load => self.load().await,
                Action::Put { .. } if self.is_contested().await? => Answer::SourceChanged,
                Action::Put { number } => self.put(number).await?,
                Action::Open => self.open_session().await?,
                Action::Close => self.close().await?,
                // The last bytes make the file visible to the recipient.
                Action::Send(range) if range.is_last() && self.is_contested().await? => {
                    Answer::SourceChanged
                }
                Action::Send(range) => self.send(range).await?,
                Action::Verify { by_us } => self.verify(by_us).await?,
                Action::Renew => match self.renew().await? {
                    Some(answer) => answer,
                    None => return Ok(Progress::SourceLost),
                },
            };
            let durable = self.course.answered(action, answer);
            if self.course.hashed_to() == 0 {
                self.hash = SourceHash::default();
            }
            if durable {
                self.save().await?;
            }
        }
    }

    async fn end(&mut self, end: End) -> Result<Progress, TaskError> {
        if end != End::Done && self.lease.is_some() && !self.is_on_its_way {
            self.write(None).await?;
        }
        match end {
            End::Done => Ok(Progress::Done),
            End::HandOver => Ok(Progress::Continue),
            End::Wait(after) => self.pause(after).await,
            End::Blocked(time) => self.wait_for(time).await,
            End::Failed(code) => Err(match self.trouble.take() {
                Some(trouble) if trouble.code == code => trouble,
                _ => code.into(),
            }),
        }
    }

    /// What is left of this invocation's time, less the margin.
    pub(super) fn time_left(&self) -> Duration {
        let left = self.stop_at.duration_since(self.ports.clock.now());
        Duration::try_from(left).unwrap_or_default()
    }

    /// How many bytes can still be sent, if that is known.
    fn fits(&self) -> Option<u64> {
        let left = self.time_left();
        if left.is_zero() {
            return Some(0);
        }
        let rate = self.bytes_per_second?;
        Some(((rate * left.as_secs_f64() * CAUTION) as u64).max(1))
    }

    /// Makes the checkpoint durable; a request to stop is noticed here, which
    /// costs no read of its own.
    ///
    /// What is put whole is put under a lease that is written with it, because nobody
    /// can close a PUT that is under way.
    pub(super) async fn save(&mut self) -> Result<(), TaskError> {
        let is_small = self.object.size() <= SMALL_FILE_BYTES;
        let lease = is_small.then(|| later(self.ports.clock.now(), PUT_LEASE));
        if !self.write(lease).await? {
            return Ok(());
        }
        if self.lease.is_some() && !self.is_on_its_way {
            self.write(None).await?;
        }
        Err(FailureCode::Canceled.into())
    }

    /// Whether somebody asked to stop.
    async fn write(&mut self, lease: Option<Timestamp>) -> Result<bool, TaskError> {
        let id = &self.transfer.transfer_id;
        let reached = self.course.checkpoint(self.hash.state());
        self.pace = Some(Pace::next(self.pace, self.ports.clock.now(), reached.offset));
        let answered = self.answered.clone();
        let checkpoint = Checkpoint { putting_until: lease, pace: self.pace, answered, ..reached };
        let CheckpointAck { stop } =
            self.ports.store.checkpoint(id, self.transfer.epoch, &checkpoint).await?;
        self.lease = lease;
        Ok(stop)
    }

    /// What a drive's refusal means for the course; its cause is kept for the log.
    pub(super) fn refusal(&mut self, error: DriveError) -> Answer {
        let answer = match &error {
            DriveError::Throttled { retry_after } => Answer::Throttled(*retry_after),
            DriveError::Ambiguous(_) => Answer::Lost,
            DriveError::NotDone { then, .. } => Answer::NotDone(*then),
            DriveError::OffsetMismatch => Answer::Mismatch,
            DriveError::SessionGone => Answer::Gone,
            DriveError::Conflict => Answer::Conflict,
            DriveError::Body => Answer::SourceBroke,
            _ => Answer::Refused(TaskError::code_of(&error)),
        };
        self.trouble = Some(error.into());
        answer
    }

    /// The same for a refusal of the exchange bucket.
    pub(super) fn unread(&mut self, error: StagingError) -> Answer {
        let answer = match &error {
            StagingError::Unavailable(_) => Answer::SourceBroke,
            StagingError::Changed => {
                // The answer was for bytes of the source as it was.
                self.answered = None;
                Answer::SourceChanged
            }
            StagingError::Gone => Answer::Refused(FailureCode::SourceGone),
            StagingError::Unauthorized => Answer::Refused(FailureCode::ExchangeUnauthorized),
        };
        self.trouble = Some(error.into());
        answer
    }
}

//! Main loop of the step `upload`, which sends a document from the exchange bucket to a drive.
//!
//! [`UploadMachine`] (in the crate `docferry-domain`) decides the next command. The loop executes
//! the command and reports the result to the machine as an event. An *invocation* is one run of
//! the Lambda function; a large document needs several.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use docferry_domain::document::SourceHash;
use docferry_domain::failure::FailureCode;
use docferry_domain::transfer::Transfer;
use docferry_domain::upload::Checkpoint;
use docferry_domain::upload::{
    Command, DriveEvent, InvocationOutcome, Persist, SMALL_FILE_BYTES, Throughput, UploadMachine,
    UploadRules,
};
use jiff::{SignedDuration, Timestamp};

use super::names::NamedItem;
use super::object::SourceObject;
use super::reader::PositionedReader;
use super::resume::{shared_pause, wait_until};
use super::types::{Progress, UploadSettings};
use crate::document::is_withdrawn;
use crate::ports::{
    CheckpointAck, Clock, Destination, DriveError, ExchangeError, SessionRecord, ThrottleBudget,
    UploadAdapters, UploadStore as _, UploadUrl,
};
use crate::task::ensure_active;
use crate::time::saturating_add;
use crate::trace::set_current;
use crate::{TaskError, TaskInput};

/// Lease of the PUT that writes a small document: the time in which the PUT may take effect. A PUT
/// of 4 MB takes a second or two. It is aborted before the lease ends.
const PUT_LEASE: SignedDuration = SignedDuration::from_secs(60);

/// Safety factor on estimated throughput; an interrupted fragment has to be resent.
const THROUGHPUT_SAFETY_FACTOR: f64 = 0.8;

/// Ports and limits of [`upload`].
#[derive(Debug)]
pub struct UploadPorts<P: UploadAdapters> {
    /// Transfer records and checkpoints.
    pub store: P::Store,
    /// The recipient's drive.
    pub drive: P::Drive,
    /// The exchange bucket, from which the document is read; shared with the read-ahead tasks.
    pub exchange: Arc<P::Exchange>,
    /// Encrypts and decrypts upload URLs.
    pub sealer: P::Sealer,
    /// Source of the current time.
    pub clock: P::Clock,
    /// Throttling pauses that all transfers of the tenant share.
    pub budget: P::Budget,
    /// The document registry.
    pub registry: P::Registry,
    /// Limits of one invocation.
    pub settings: UploadSettings,
}

/// State of one invocation.
pub(super) struct Run<'a, P: UploadAdapters> {
    pub(super) ports: &'a UploadPorts<P>,
    /// The transfer's record, as read when this invocation claimed it. The claim increments the
    /// record's `epoch`, so this epoch identifies the invocation.
    pub(super) transfer: Transfer,
    pub(super) destination: Destination,
    /// The exchange object that is sent.
    pub(super) object: SourceObject,
    /// Time at which the invocation has to return: the deadline of the function or of the transfer,
    /// whichever is earlier, minus the safety margin.
    pub(super) stop_at: Timestamp,
    /// State machine that decides the next command.
    pub(super) machine: UploadMachine,
    /// Hash of all source bytes that the drive has acknowledged.
    pub(super) hash: SourceHash,
    /// The stored upload session; its URL is still sealed.
    pub(super) session: Option<SessionRecord>,
    /// The decrypted URL of the stored session; `None` until the first request that needs it.
    pub(super) url: Option<UploadUrl>,
    /// The source reader, positioned at the end of the last acknowledged fragment.
    pub(super) reader: Option<PositionedReader>,
    /// Content of a small document, which is sent with a single PUT.
    pub(super) small_document: Bytes,
    /// Files at the destination that may be the document and are still to be compared with it.
    pub(super) candidates: Vec<NamedItem>,
    /// Id of the item that the drive returned in response to the document's last byte.
    pub(super) completed_item_id: Option<String>,
    /// Time until which a single PUT may take effect, as written in the checkpoint.
    pub(super) lease: Option<Timestamp>,
    /// Whether a PUT was sent whose result is unknown, so that it may still take effect.
    pub(super) is_put_in_flight: bool,
    /// Throughput of the last fragment, which determines the size of the next fragment; `None`
    /// before the first fragment was accepted.
    pub(super) bytes_per_second: Option<f64>,
    /// Smoothed throughput, as stored in the checkpoint for progress reports.
    throughput: Option<Throughput>,
    /// The last error with its cause, for the log.
    last_error: Option<TaskError>,
}

/// Uploads the document of a transfer until it is delivered, the drive asks for a pause, or
/// `deadline` minus the margin is reached.
///
/// # Errors
/// A [`TaskError`] whose code says whether the workflow retries; [`FailureCode::Superseded`]
/// when a newer invocation has taken over.
pub async fn upload<P: UploadAdapters>(
    ports: &UploadPorts<P>,
    task: &TaskInput,
    deadline: Timestamp,
) -> Result<Progress, TaskError> {
    // The shared pause is read concurrently with the claim, so that it adds no latency.
    let claim = ports.store.claim(&task.transfer_id, task.execution_number);
    let (claimed_transfer, tenant_pause) = futures::join!(claim, ports.budget.paused());
    let transfer = claimed_transfer?;
    set_current(transfer.spec.trace.as_ref());
    if transfer.delivery.is_some() {
        return Ok(Progress::Done);
    }
    let now = ports.clock.now();
    ensure_active(&transfer, task.execution_number, now)?;
    if transfer.needs_source() {
        return Ok(Progress::SourceLost);
    }
    let tenant_resume_at = shared_pause(&transfer.transfer_id, tenant_pause);
    let resume_at = transfer.resume_at.max(tenant_resume_at);
    if let Some(resume_at) = resume_at.filter(|at| *at > now) {
        return Ok(wait_until(resume_at, now));
    }
    // The first invocation of a transfer has epoch 1, and no earlier one can have stored a session.
    let session = match transfer.epoch {
        1 => None,
        _ => ports.store.session(&task.transfer_id).await?,
    };
    Run::new(ports, transfer, session, deadline)?.run_to_end().await
}

impl<'a, P: UploadAdapters> Run<'a, P> {
    fn new(
        ports: &'a UploadPorts<P>,
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
        let hash = SourceHash::resume(checkpoint.map(|stored| &stored.hash));
        let rules = UploadRules {
            largest_fragment: ports.settings.fragment_bytes,
            policy: ports.settings.policy,
        };
        let machine = UploadMachine::begin(object.size, rules, checkpoint, session.is_some());
        let margin = SignedDuration::try_from(ports.settings.margin).unwrap_or_default();
        let earlier_deadline = deadline.min(transfer.must_end_by());
        let stop_at = earlier_deadline.checked_sub(margin).unwrap_or(earlier_deadline);
        let throughput = checkpoint.and_then(|stored| stored.throughput);
        let completed_item_id = checkpoint.and_then(|stored| stored.completed_item_id.clone());
        Ok(Self {
            ports,
            transfer,
            destination,
            object,
            stop_at,
            machine,
            hash,
            session,
            url: None,
            reader: None,
            small_document: Bytes::new(),
            candidates: Vec::new(),
            completed_item_id,
            lease: None,
            is_put_in_flight: false,
            bytes_per_second: None,
            throughput,
            last_error: None,
        })
    }

    /// Executes commands of the state machine until it ends the invocation.
    async fn run_to_end(mut self) -> Result<Progress, TaskError> {
        loop {
            let pause = self.machine.pause();
            if !pause.is_zero() {
                tokio::time::sleep(self.with_jitter(pause).min(self.time_left())).await;
            }
            let command = self.machine.next_command(self.sendable_bytes());
            if command.completes_file()
                && is_withdrawn(&self.ports.registry, &self.transfer).await?
            {
                let withdrawn = InvocationOutcome::Failed(FailureCode::DocumentWithdrawn);
                return self.finish_invocation(withdrawn).await;
            }
            let event = match command {
                Command::End(outcome) => return self.finish_invocation(outcome).await,
                Command::QuerySession => self.query_session().await?,
                Command::LookUp(names) => self.look_up(names).await,
                Command::HashSource { until } => self.hash_source(until).await,
                Command::LoadDocument => self.load_document().await,
                Command::PutDocument { .. } if self.is_contested().await? => {
                    DriveEvent::SourceChanged
                }
                Command::PutDocument { number } => self.put_document(number).await?,
                Command::OpenSession => self.open_session().await?,
                Command::CloseSession => self.close_session().await?,
                // The last fragment makes the file visible to the recipient, so this is the
                // last moment to detect a conflicting push.
                Command::SendFragment(range) if range.is_last() && self.is_contested().await? => {
                    DriveEvent::SourceChanged
                }
                Command::SendFragment(range) => self.send_fragment(range).await?,
                Command::Verify { answers_last_byte } => self.verify(answers_last_byte).await?,
                Command::RenewSource => match self.renew_source().await? {
                    Some(event) => event,
                    None => return Ok(Progress::SourceLost),
                },
            };
            let persist = self.machine.handle(command, event);
            if self.machine.hashed_to() == 0 {
                self.hash = SourceHash::default();
            }
            if persist == Persist::Before {
                self.save().await?;
            }
        }
    }

    /// Ends the invocation. Clears the lease when no PUT can still take effect, so that the step
    /// `finalize` does not wait for the end of the lease.
    async fn finish_invocation(
        &mut self,
        outcome: InvocationOutcome,
    ) -> Result<Progress, TaskError> {
        if outcome != InvocationOutcome::Done && self.lease.is_some() && !self.is_put_in_flight {
            self.write_checkpoint(None).await?;
        }
        match outcome {
            InvocationOutcome::Done => Ok(Progress::Done),
            InvocationOutcome::HandOver => Ok(Progress::Continue),
            InvocationOutcome::Wait(after) => self.pause(after).await,
            InvocationOutcome::Blocked(time) => self.wait_for(time).await,
            InvocationOutcome::Failed(code) => Err(match self.last_error.take() {
                Some(error) if error.code == code => error,
                _ => code.into(),
            }),
        }
    }

    /// Returns the time that remains to this invocation before it has to return.
    pub(super) fn time_left(&self) -> Duration {
        let left = self.stop_at.duration_since(self.ports.clock.now());
        Duration::try_from(left).unwrap_or_default()
    }

    /// Returns the number of bytes that can be sent in the remaining time; `None` while
    /// throughput is unknown.
    fn sendable_bytes(&self) -> Option<u64> {
        let left = self.time_left();
        if left.is_zero() {
            return Some(0);
        }
        let bytes_per_second = self.bytes_per_second?;
        Some(((bytes_per_second * left.as_secs_f64() * THROUGHPUT_SAFETY_FACTOR) as u64).max(1))
    }

    /// Writes the checkpoint. The write also returns whether a cancel was requested, so no extra
    /// read is needed to notice a cancel.
    ///
    /// The checkpoint of a small document carries a lease, because a PUT cannot be aborted once
    /// it has been sent. The step `finalize` waits until the lease ends.
    ///
    /// # Errors
    /// [`FailureCode::Canceled`] when a cancel was requested.
    pub(super) async fn save(&mut self) -> Result<(), TaskError> {
        let is_small = self.object.size() <= SMALL_FILE_BYTES;
        let lease = is_small.then(|| saturating_add(self.ports.clock.now(), PUT_LEASE));
        if !self.write_checkpoint(lease).await? {
            return Ok(());
        }
        if self.lease.is_some() && !self.is_put_in_flight {
            self.write_checkpoint(None).await?;
        }
        Err(FailureCode::Canceled.into())
    }

    /// Writes the checkpoint with `lease`. Returns whether the transfer has to stop.
    async fn write_checkpoint(&mut self, lease: Option<Timestamp>) -> Result<bool, TaskError> {
        let id = &self.transfer.transfer_id;
        let reached = self.machine.checkpoint(self.hash.state());
        self.throughput =
            Some(Throughput::next(self.throughput, self.ports.clock.now(), reached.offset));
        // A PUT of an earlier invocation may still take effect until its lease ends.
        let earlier_lease =
            self.transfer.checkpoint.as_ref().and_then(|stored| stored.put_lease_until);
        let put_lease_until = lease.max(earlier_lease);
        let checkpoint = Checkpoint {
            put_lease_until,
            throughput: self.throughput,
            completed_item_id: self.completed_item_id.clone(),
            ..reached
        };
        let CheckpointAck { stop } =
            self.ports.store.checkpoint(id, self.transfer.epoch, &checkpoint).await?;
        self.lease = lease;
        Ok(stop)
    }

    /// Translates a drive error into an event for the state machine. Stores the error, because
    /// the log needs its cause if the invocation fails.
    pub(super) fn drive_error_event(&mut self, error: DriveError) -> DriveEvent {
        let event = match &error {
            DriveError::Throttled { retry_after } => DriveEvent::Throttled(*retry_after),
            DriveError::Ambiguous(_) => DriveEvent::Lost,
            DriveError::NoEffect { final_code, .. } => DriveEvent::NoEffect(*final_code),
            DriveError::OffsetMismatch => DriveEvent::Mismatch,
            DriveError::SessionGone => DriveEvent::Gone,
            DriveError::Conflict => DriveEvent::Conflict,
            DriveError::Body => DriveEvent::SourceUnreadable,
            _ => DriveEvent::Refused(TaskError::code_of(&error)),
        };
        self.last_error = Some(error.into());
        event
    }

    /// Translates an error of the exchange bucket into an event for the state machine, and stores
    /// the error for the log.
    pub(super) fn source_error_event(&mut self, error: ExchangeError) -> DriveEvent {
        let event = match &error {
            ExchangeError::Unavailable(_) => DriveEvent::SourceUnreadable,
            ExchangeError::Changed => {
                // The drive's response to the last byte was for the previous version of the source.
                self.completed_item_id = None;
                DriveEvent::SourceChanged
            }
            ExchangeError::Gone => DriveEvent::Refused(FailureCode::SourceGone),
            ExchangeError::Unauthorized => DriveEvent::Refused(FailureCode::ExchangeUnauthorized),
        };
        self.last_error = Some(error.into());
        event
    }
}

//! Main loop of the step `upload`, which sends a document from the exchange bucket to a drive.
//!
//! [`UploadMachine`] (in the crate `docferry-domain`) decides the next command. The loop executes
//! the command and reports the result to the machine as an event. An *invocation* is one run of
//! the Lambda function; a large document needs several.

use docferry_domain::document::SourceHash;
use docferry_domain::failure::FailureCode;
use docferry_domain::upload::{Command, DriveEvent, InvocationOutcome, Persist};
use jiff::Timestamp;

use super::resume::{shared_pause, wait_until};
use super::run::{Run, UploadPorts};
use super::types::Progress;
use crate::document::is_withdrawn;
use crate::ports::{Clock, ThrottleBudget, UploadAdapters, UploadStore as _};
use crate::task::ensure_active;
use crate::trace::set_current;
use crate::{TaskError, TaskInput};

/// Safety factor on estimated throughput; an interrupted fragment has to be resent.
const THROUGHPUT_SAFETY_FACTOR: f64 = 0.8;

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

impl<P: UploadAdapters> Run<'_, P> {
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
}

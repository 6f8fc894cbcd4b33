//! Runs of a transfer: retries, times, tries, and what a run still needs.
//!
//! A *run* is the first processing of the transfer or a retry that the owner requested. A run
//! consists of one or more Step Functions *executions*.

use jiff::Timestamp;

use crate::job_spec::JobSpec;
use crate::phase::Phase;
use crate::slots::{QueueEntry, SlotState};
use crate::transfer::{FailedTries, LateArrivalKey, Transfer};

impl Transfer {
    /// Returns the record for another run of an ended transfer, requested at `now`.
    ///
    /// The state of the last run is dropped, except for the number of pushes and the keys under
    /// which an object may still arrive. The epoch grows by one.
    #[must_use]
    pub fn for_retry_at(
        self,
        now: Timestamp,
        deadline: Timestamp,
        retain_until: Option<Timestamp>,
    ) -> Self {
        let late_arrival_keys = self.keys_awaiting_arrival();
        Self {
            late_arrival_keys,
            push_again: false,
            queued_at: Some(now),
            deadline,
            spec: JobSpec { retain_until, ..self.spec },
            past_executions: self.execution_number,
            execution_number: self.execution_number.saturating_add(1),
            retries: self.retries.saturating_add(1),
            // Writes of an invocation of the last run that is still active must fail.
            epoch: self.epoch.saturating_add(1),
            phase: Phase::Accepted,
            slot_state: if self.transfer_id.batch_and_number().is_some() {
                SlotState::Idle
            } else {
                SlotState::Queued
            },
            cancel_requested: false,
            ending: None,
            slot_granted_at: None,
            started_at: None,
            ended_at: None,
            object: None,
            checkpoint: None,
            bytes_done: 0,
            resume_at: None,
            delivery: None,
            failure: None,
            closed: false,
            failed_tries: FailedTries::default(),
            last_transient_error: None,
            ..self
        }
    }

    /// Same as [`Transfer::for_retry_at`], with a request time that is computed from the
    /// deadline. The new run has as much time until `deadline` as the last run had until its
    /// deadline.
    #[must_use]
    pub fn for_retry_by(self, deadline: Timestamp, retain_until: Option<Timestamp>) -> Self {
        let time_limit = self.deadline.duration_since(self.queue_time());
        let requested_at = deadline.checked_sub(time_limit).unwrap_or(deadline);
        self.for_retry_at(requested_at, deadline, retain_until)
    }

    /// Returns the keys under which an object of this transfer may still arrive, without
    /// duplicates. These are the keys of its last push and of earlier pushes.
    #[must_use]
    pub fn keys_awaiting_arrival(&self) -> Vec<LateArrivalKey> {
        let mut keys = self.late_arrival_keys.clone();
        let pushed =
            self.source.as_ref().filter(|source| self.pushes > 0 && !source.key.is_empty());
        if let Some(source) = pushed
            && !keys.iter().any(|known| known.key == source.key)
        {
            let requested_at = source.requested_at;
            keys.push(LateArrivalKey { key: source.key.clone(), requested_at });
        }
        keys
    }

    /// Returns whether the source has to push the document.
    #[must_use]
    pub fn needs_push(&self) -> bool {
        self.phase <= Phase::Pushing || self.push_again
    }

    /// Returns whether `poll` still has to find the document in the exchange bucket before it
    /// can be delivered.
    #[must_use]
    pub const fn needs_source(&self) -> bool {
        self.object.is_none() && self.delivery.is_none()
    }

    /// Returns the number of executions of this run, at least 1.
    #[must_use]
    pub const fn executions(&self) -> u32 {
        self.execution_number.saturating_sub(self.past_executions)
    }

    /// Returns the time by which the transfer must have ended. This is its deadline, or an
    /// earlier time that is computed from the document's size once the size is known.
    #[must_use]
    pub fn must_end_by(&self) -> Timestamp {
        // Before the push of this run, `source` belongs to an earlier run.
        let pushed = self.source.as_ref().filter(|_| self.phase > Phase::Pushing);
        let by_size = pushed.and_then(|source| source.must_end_by);
        by_size.map_or(self.deadline, |by_size| by_size.min(self.deadline))
    }

    /// Returns the end of the retention of the delivered document. It is not before the
    /// deadline.
    #[must_use]
    pub fn retained_until(&self) -> Timestamp {
        self.spec.retain_until.unwrap_or(self.deadline).max(self.deadline)
    }

    /// Returns the time of the request for the present run. This is the time of the last
    /// retry, or the creation of the transfer if there was no retry.
    #[must_use]
    pub fn queue_time(&self) -> Timestamp {
        self.queued_at.unwrap_or(self.created_at)
    }

    /// Returns the transfer's entry in the queue for a slot.
    #[must_use]
    pub fn queue_entry(&self) -> QueueEntry {
        QueueEntry {
            order: self.priority.order(self.queue_time()),
            transfer_id: self.transfer_id.clone(),
            person: self.target.person(),
        }
    }

    /// Returns the number of tries of the present step in this run, at least 1. After the end
    /// of the run, it is the largest number of tries of any step. A try whose process died is
    /// not counted.
    #[must_use]
    pub fn tries(&self) -> u32 {
        let failed = self.failed_tries;
        let failed_tries_of_step = match self.phase {
            Phase::Completed | Phase::Failed | Phase::Canceled => failed.most(),
            _ if self.ending.is_some() => failed.finalize,
            Phase::Accepted | Phase::Pushing => failed.push,
            Phase::AwaitingArrival => failed.poll,
            Phase::Uploading => failed.deliver,
        };
        failed_tries_of_step.saturating_add(1)
    }
}

//! Stored record of a transfer, which delivers one document to one destination.
//!
//! The API and all steps of the workflow read this record. The input of a workflow execution
//! contains only the id of the transfer and the number of the execution.
//!
//! A *run* is the first processing of the transfer or a retry that the owner requested. A run
//! consists of one or more Step Functions *executions*.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::AuditContext;
use crate::failure::FailureCode;
use crate::ids::{FileId, ObjectGuid, TransferId};
use crate::job_spec::JobSpec;
use crate::phase::Phase;
use crate::slots::{Pool, Priority, QueueEntry, SlotState};
use crate::transfer::{
    ArrivedObject, Delivery, FailedTries, Failure, LateArrivalKey, PushedSource, Target,
    TransientError,
};
use crate::upload::Checkpoint;

/// Version of the stored record format. A reader accepts every version up to its own.
pub const SCHEMA_VERSION: u32 = 1;

/// Stored record of the transfer of one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transfer {
    /// Version of the stored record format, at most [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Id of the transfer, which the caller uses for polling.
    pub transfer_id: TransferId,
    /// Specification that the transfer has in common with every job.
    #[serde(flatten)]
    pub spec: JobSpec,
    /// Facts for the audit trail.
    #[serde(default, skip_serializing_if = "AuditContext::is_empty")]
    pub audit: AuditContext,
    /// Id of the document in the object store.
    pub object_guid: ObjectGuid,
    /// Number of the document, if it was requested through the downloads API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<FileId>,
    /// Destination of the document.
    #[serde(flatten)]
    pub target: Target,
    /// Time of the request.
    pub created_at: Timestamp,
    /// Time by which the transfer must have ended, whatever the document's size. See
    /// [`Transfer::must_end_by`].
    pub deadline: Timestamp,
    /// Number of the Step Functions execution that works on the transfer. It starts at 1 and
    /// grows by 1 with each execution.
    #[serde(rename = "attempt")]
    pub execution_number: u32,
    /// Number of times that the owner requested a retry of the ended transfer.
    #[serde(default)]
    pub retries: u32,
    /// Number of executions in all previous runs.
    #[serde(default)]
    #[serde(rename = "pastAttempts")]
    pub past_executions: u32,
    /// Present phase.
    pub phase: Phase,
    /// Slot pool that the transfer uses.
    #[serde(default)]
    pub pool: Pool,
    /// Priority in the queue for slots.
    #[serde(default)]
    pub priority: Priority,
    /// Slot state: idle, queued for a slot, or holding one.
    #[serde(default)]
    #[serde(rename = "turn")]
    pub slot_state: SlotState,
    /// Whether cancellation was requested. A running step notices it at its next
    /// checkpoint.
    #[serde(default)]
    pub cancel_requested: bool,
    /// Reason why the transfer is being ended. `finalize` writes it before it closes anything,
    /// so that no new work begins. It is still known after `finalize` was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<FailureCode>,
    /// Time of the request for the present run, which decides the place in the queue. It is
    /// `None` in the first run and in records of older versions. [`Transfer::queue_time`]
    /// returns the time for these cases as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<Timestamp>,
    /// Time at which the present run got its first slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "admittedAt")]
    pub slot_granted_at: Option<Timestamp>,
    /// Time at which work on the present run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Time at which the present run ended, with any outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Number of pushes requested from the source, including a push that is about to be
    /// requested. Each push may copy the document to the exchange bucket once.
    #[serde(default)]
    pub pushes: u32,
    /// Whether the object under the exchange key may be another document. In that case the
    /// source has to push again before the next check for the arrival.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub push_again: bool,
    /// Exchange key that the source named last for the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_key: Option<String>,
    /// Keys under which an object of an earlier push may still arrive. The key in `source` is
    /// not included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(rename = "owedKeys")]
    pub late_arrival_keys: Vec<LateArrivalKey>,
    /// Description of the document from the response to the last push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<PushedSource>,
    /// The object in the exchange bucket, recorded when `poll` finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ArrivedObject>,
    /// Fencing epoch. It grows with each invocation that takes over the upload. Writes of an
    /// invocation with an older epoch fail.
    #[serde(default)]
    pub epoch: u64,
    /// Upload checkpoint, written after each acknowledged fragment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    /// Maximum number of bytes acknowledged in this run, which status responses show. It does
    /// not decrease when the upload starts over in a new session.
    #[serde(default)]
    pub bytes_done: u64,
    /// End of a pause that the drive asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_at: Option<Timestamp>,
    /// The verified delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// Why the transfer ended without a delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Whether the run has ended and all its resources are closed, so that a retry may start.
    /// An object of this run may still arrive in the exchange bucket later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[serde(rename = "settled")]
    pub closed: bool,
    /// Number of failed tries of each step in the present run.
    #[serde(flatten)]
    pub failed_tries: FailedTries,
    /// Last failure in this run that caused another try of a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transient_error: Option<TransientError>,
}

/// A validated request for a transfer.
#[derive(Debug, Clone)]
pub struct NewTransfer {
    /// Specification that the transfer has in common with every job.
    pub spec: JobSpec,
    /// Facts for the audit trail.
    pub audit: AuditContext,
    /// Id of the document in the object store.
    pub object_guid: ObjectGuid,
    /// Number of the document, if it was requested through the downloads API.
    pub file_id: Option<FileId>,
    /// Destination of the document.
    pub target: Target,
    /// Priority in the queue for slots.
    pub priority: Priority,
}

impl Transfer {
    /// Returns the record of an accepted transfer on which no work has begun.
    #[must_use]
    pub fn new(
        transfer_id: TransferId,
        request: NewTransfer,
        created_at: Timestamp,
        deadline: Timestamp,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            transfer_id,
            spec: request.spec,
            audit: request.audit,
            object_guid: request.object_guid,
            file_id: request.file_id,
            pool: request.target.pool(),
            target: request.target,
            created_at,
            deadline,
            execution_number: 1,
            retries: 0,
            past_executions: 0,
            phase: Phase::Accepted,
            priority: request.priority,
            slot_state: SlotState::Queued,
            cancel_requested: false,
            ending: None,
            queued_at: None,
            slot_granted_at: None,
            started_at: None,
            ended_at: None,
            pushes: 0,
            push_again: false,
            known_key: None,
            late_arrival_keys: Vec::new(),
            source: None,
            object: None,
            epoch: 0,
            checkpoint: None,
            bytes_done: 0,
            resume_at: None,
            delivery: None,
            failure: None,
            closed: false,
            failed_tries: FailedTries::default(),
            last_transient_error: None,
        }
    }

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
}

impl Transfer {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::DriveFolder;
    use crate::person::Person;
    use crate::transfer::{DownloadTarget, DriveTarget, Step, percent};

    fn target() -> DriveTarget {
        DriveTarget {
            recipient: "a@b.example".parse().unwrap(),
            file_path: None,
            folder: DriveFolder::default(),
        }
    }

    /// Returns a delivery to OneDrive that is uploading.
    fn transfer() -> Transfer {
        let request = NewTransfer {
            spec: JobSpec::of_owner("scv"),
            audit: AuditContext::default(),
            object_guid: "AAAA".parse().unwrap(),
            file_id: None,
            target: target().into(),
            priority: Priority::Normal,
        };
        let created_at = Timestamp::UNIX_EPOCH;
        let deadline = Timestamp::UNIX_EPOCH;
        let accepted = Transfer::new(TransferId::from_u128(1), request, created_at, deadline);
        Transfer { phase: Phase::Uploading, ..accepted }
    }

    /// Returns a delivery to OneDrive whose document has this size.
    fn with_size(size: u64) -> Transfer {
        let source = PushedSource {
            key: "k".into(),
            name: "k".parse().unwrap(),
            mime: None,
            size,
            requested_at: Timestamp::UNIX_EPOCH,
            found: None,
            asked_at: None,
            pushed_at: Timestamp::UNIX_EPOCH,
            must_end_by: None,
        };
        Transfer { source: Some(source), ..transfer() }
    }

    /// Regression: the service before docferry computed `90 / fragments` in integers. For a file
    /// of more than about 29 MB this is 0, so the percentage stayed at 10.
    #[test]
    fn percent_of_a_large_file_rises_and_is_100_only_when_completed() {
        assert_eq!(percent(&transfer()), 0);
        let mut large = with_size(300_000_000);
        let mut last = percent(&large);
        assert_eq!(last, 10);

        let mut shown = vec![last];
        while large.bytes_done < 300_000_000 {
            large.bytes_done += 1_000_000;
            let now = percent(&large);
            assert!(now >= last);
            if now > last {
                shown.push(now);
            }
            last = now;
        }
        assert_eq!(shown, (10..=99).collect::<Vec<_>>());

        large.phase = Phase::Completed;
        assert_eq!(percent(&large), 100);
    }

    #[test]
    fn percent_never_overflows_and_is_10_for_an_unverified_empty_file() {
        assert_eq!(percent(&with_size(0)), 10);
        let huge = Transfer { bytes_done: u64::MAX, ..with_size(u64::MAX) };
        assert_eq!(percent(&huge), 99);
    }

    #[test]
    fn transfer_of_an_older_version_is_read_with_defaults() {
        let mut item = serde_json::to_value(transfer()).unwrap();
        let fields = item.as_object_mut().unwrap();
        for name in ["cancelRequested", "epoch", "bytesDone", "pool", "priority", "turn"] {
            fields.remove(name);
        }
        fields.insert("unknownToThisVersion".into(), 1.into());
        // A record without a slot state counts as holding no slot.
        let expected = Transfer { slot_state: SlotState::Idle, ..transfer() };
        assert_eq!(serde_json::from_value::<Transfer>(item).unwrap(), expected);
    }

    #[test]
    fn run_is_queued_by_the_time_of_its_request() {
        let hour = |number| Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(number);
        let first = Transfer { deadline: hour(4), ..transfer() };
        let order = |transfer: &Transfer| transfer.queue_entry().order;
        assert_eq!(
            order(&first),
            Priority::Normal.order(hour(0)),
            "also for a record of an older version"
        );
        let second = first.for_retry_at(hour(30), hour(36), None);
        assert_eq!(order(&second), Priority::Normal.order(hour(30)));
        let stored = serde_json::to_value(&second).unwrap();
        let read: Transfer = serde_json::from_value(stored).unwrap();
        assert_eq!(order(&read), order(&second));
        // The second run had six hours, so the third counts as requested six hours before 100.
        let third = second.for_retry_by(hour(100), None);
        assert_eq!(order(&third), Priority::Normal.order(hour(94)));
    }

    #[test]
    fn tries_count_the_present_step_and_restart_with_each_run() {
        let mut moving = transfer();
        let stored_tries = |transfer: &Transfer| {
            let stored = serde_json::to_value(transfer).unwrap();
            serde_json::from_value::<Transfer>(stored).unwrap().tries()
        };
        assert_eq!(stored_tries(&moving), 1);
        moving.failed_tries.count(Step::Deliver);
        moving.failed_tries.count(Step::Deliver);
        moving.failed_tries.count(Step::Push);
        assert_eq!(stored_tries(&moving), 3);
        assert_eq!(stored_tries(&Transfer { phase: Phase::Pushing, ..moving.clone() }), 2);
        assert_eq!(stored_tries(&Transfer { phase: Phase::AwaitingArrival, ..moving.clone() }), 1);
        let ending = Some(crate::failure::FailureCode::Canceled);
        assert_eq!(stored_tries(&Transfer { ending, ..moving.clone() }), 1);
        assert_eq!(stored_tries(&Transfer { phase: Phase::Failed, ..moving.clone() }), 3);
        assert_eq!(stored_tries(&moving.for_retry_by(Timestamp::UNIX_EPOCH, None)), 1);
    }

    #[test]
    fn stored_transfer_contains_its_target_and_person() {
        let stored = serde_json::to_value(transfer()).unwrap();
        assert_eq!(
            stored["recipient"], "a@b.example",
            "older versions, which had no downloads, stored the same field"
        );
        let target = Target::Download(DownloadTarget { person: Person::new("p") });
        let download = Transfer { target: target.clone(), ..transfer() };
        let stored = serde_json::to_value(&download).unwrap();
        let read: Transfer = serde_json::from_value(stored).unwrap();
        assert_eq!((&read.target, read.queue_entry().person), (&target, Person::new("p")));
    }
}

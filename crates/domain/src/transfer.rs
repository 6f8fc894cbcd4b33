use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    ArrivedObject, CallbackUrl, Checkpoint, Delivery, FailedTries, Failure, FailureCode, FileId,
    ObjectGuid, OwedKey, Person, Phase, Pool, Priority, PushedSource, Target, TraceParent,
    TransferId, TransientError, Turn, Waiting,
};

/// Version of the stored form. Readers accept every version up to theirs.
pub const SCHEMA_VERSION: u32 = 1;

/// One document on its way to one person: the record that everything reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transfer {
    /// Version of the stored form.
    pub schema_version: u32,
    /// The id that the caller polls with.
    pub transfer_id: TransferId,
    /// The principal that asked; nobody else sees the transfer.
    pub owner: String,
    /// For whom it was asked, when that is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Person>,
    /// The document, by the name that its source knows.
    pub object_guid: ObjectGuid,
    /// The document as a client of the downloads API named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<FileId>,
    /// Where it goes.
    #[serde(flatten)]
    pub target: Target,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it must have ended, whatever its size. See [`Transfer::must_end_by`].
    pub deadline: Timestamp,
    /// 1, and one more for each execution that carries it on.
    pub attempt: u32,
    /// How often its owner had it run again after it had ended.
    #[serde(default)]
    pub retries: u32,
    /// Executions that were used up before its owner had it run again for the last
    /// time.
    #[serde(default)]
    pub past_attempts: u32,
    /// Until when what was delivered is kept; `None` when that is not ours to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_until: Option<Timestamp>,
    /// Where its end is told to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<CallbackUrl>,
    /// Where it stands.
    pub phase: Phase,
    /// Whose slots it uses while it moves bytes.
    #[serde(default)]
    pub pool: Pool,
    /// How urgent it is.
    #[serde(default)]
    pub priority: Priority,
    /// Whether it holds a slot, or waits for one.
    #[serde(default)]
    pub turn: Turn,
    /// Somebody asked to stop; noticed at the next checkpoint.
    #[serde(default)]
    pub cancel_requested: bool,
    /// Why it is being ended: set before anything is closed, so that nothing new
    /// begins meanwhile, and kept when the ending itself is interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<FailureCode>,
    /// When its present run was asked for, which decides its place in the queue. `None` in
    /// the first run, and in records of older versions: see [`Transfer::queue_time`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<Timestamp>,
    /// When it was given a slot for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted_at: Option<Timestamp>,
    /// When work began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended, however it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// How often the source was asked, or was about to be: each time may bring the
    /// document once.
    #[serde(default)]
    pub pushes: u32,
    /// The object under the exchange key may be another document: push once more before
    /// looking for the arrival again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub push_again: bool,
    /// The key that the source last named for the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_key: Option<String>,
    /// Keys under which an object may still arrive, beside the one in `source`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owed_keys: Vec<OwedKey>,
    /// Set by the push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<PushedSource>,
    /// Set by the arrival.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ArrivedObject>,
    /// Counts the invocations that took over the upload; the newest wins.
    #[serde(default)]
    pub epoch: u64,
    /// Set after each acknowledged fragment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    /// The most bytes ever acknowledged in this attempt: what status shows. A
    /// session that has to begin again does not make it go down.
    #[serde(default)]
    pub bytes_done: u64,
    /// The drive asked for a pause until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_at: Option<Timestamp>,
    /// Set when the delivery is verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// Set when it ended without a delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// It has ended and what it had open is closed: it may run again. A document that
    /// comes late may still be watched for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
    /// The trace that the request for it belonged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
    /// Failed tries of the present run.
    #[serde(flatten)]
    pub failed_tries: FailedTries,
    /// The last failure of this run after which a step was tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transient_error: Option<TransientError>,
}

/// What somebody asks for, checked.
#[derive(Debug, Clone)]
pub struct NewTransfer {
    /// The principal that asks.
    pub owner: String,
    /// For whom, when that is somebody else.
    pub on_behalf_of: Option<Person>,
    /// The document.
    pub object_guid: ObjectGuid,
    /// The document as a client of the downloads API named it.
    pub file_id: Option<FileId>,
    /// Where it goes.
    pub target: Target,
    /// How urgent it is.
    pub priority: Priority,
    /// Until when what is delivered is kept; `None` when that is not ours to say.
    pub keep_until: Option<Timestamp>,
    /// Where its end is told to; never for a document of a bundle.
    pub callback: Option<CallbackUrl>,
}

impl Transfer {
    /// The record of a transfer that nobody works on yet.
    #[must_use]
    pub fn new(
        transfer_id: TransferId,
        new: NewTransfer,
        created_at: Timestamp,
        deadline: Timestamp,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            transfer_id,
            owner: new.owner,
            on_behalf_of: new.on_behalf_of,
            object_guid: new.object_guid,
            file_id: new.file_id,
            pool: new.target.pool(),
            target: new.target,
            created_at,
            deadline,
            attempt: 1,
            retries: 0,
            past_attempts: 0,
            keep_until: new.keep_until,
            callback: new.callback,
            phase: Phase::Accepted,
            priority: new.priority,
            turn: Turn::Queued,
            cancel_requested: false,
            ending: None,
            queued_at: None,
            admitted_at: None,
            started_at: None,
            ended_at: None,
            pushes: 0,
            push_again: false,
            known_key: None,
            owed_keys: Vec::new(),
            source: None,
            object: None,
            epoch: 0,
            checkpoint: None,
            bytes_done: 0,
            resume_at: None,
            delivery: None,
            failure: None,
            settled: false,
            trace: None,
            failed_tries: FailedTries::default(),
            last_transient_error: None,
        }
    }

    /// The record of a transfer that runs again: nothing of its last run counts any
    /// more but how often the source was asked, for what, and whose newest invocation
    /// it was. What that run may still bring is known by it.
    #[must_use]
    pub fn again_at(
        self,
        now: Timestamp,
        deadline: Timestamp,
        keep_until: Option<Timestamp>,
    ) -> Self {
        let owed_keys = self.keys_in_doubt();
        Self {
            owed_keys,
            push_again: false,
            queued_at: Some(now),
            deadline,
            keep_until,
            past_attempts: self.attempt,
            attempt: self.attempt.saturating_add(1),
            retries: self.retries.saturating_add(1),
            // Who was late in the last run writes nothing into this one.
            epoch: self.epoch.saturating_add(1),
            phase: Phase::Accepted,
            turn: if self.transfer_id.in_bundle().is_some() { Turn::Idle } else { Turn::Queued },
            cancel_requested: false,
            ending: None,
            admitted_at: None,
            started_at: None,
            ended_at: None,
            object: None,
            checkpoint: None,
            bytes_done: 0,
            resume_at: None,
            delivery: None,
            failure: None,
            settled: false,
            failed_tries: FailedTries::default(),
            last_transient_error: None,
            ..self
        }
    }

    /// The same for a run that was asked for as long before its deadline as the last one.
    #[must_use]
    pub fn again(self, deadline: Timestamp, keep_until: Option<Timestamp>) -> Self {
        let allowed = self.deadline.duration_since(self.queue_time());
        let now = deadline.checked_sub(allowed).unwrap_or(deadline);
        self.again_at(now, deadline, keep_until)
    }

    /// Keys under which an object of this transfer may still arrive: that of its last push
    /// and those that earlier pushes named, each once.
    #[must_use]
    pub fn keys_in_doubt(&self) -> Vec<OwedKey> {
        let mut keys = self.owed_keys.clone();
        let pushed = self.source.as_ref().filter(|s| self.pushes > 0 && !s.key.is_empty());
        if let Some(source) = pushed
            && !keys.iter().any(|owed| owed.key == source.key)
        {
            let requested_at = source.requested_at;
            keys.push(OwedKey { key: source.key.clone(), requested_at });
        }
        keys
    }

    /// Whether the source has to be asked for the document.
    #[must_use]
    pub fn needs_push(&self) -> bool {
        self.phase <= Phase::Pushing || self.push_again
    }

    /// Whether the document has to be looked for in the exchange bucket before bytes can
    /// move.
    #[must_use]
    pub const fn needs_source(&self) -> bool {
        self.object.is_none() && self.delivery.is_none()
    }

    /// Executions of this run, 1 or more.
    #[must_use]
    pub const fn executions(&self) -> u32 {
        self.attempt.saturating_sub(self.past_attempts)
    }

    /// When it must have ended: by its deadline, and by its size once that is known.
    #[must_use]
    pub fn must_end_by(&self) -> Timestamp {
        // Before the push, a source is that of an earlier run.
        let pushed = self.source.as_ref().filter(|_| self.phase > Phase::Pushing);
        let by_size = pushed.and_then(|source| source.must_end_by);
        by_size.map_or(self.deadline, |by_size| by_size.min(self.deadline))
    }

    /// Until when what is delivered is kept at least.
    #[must_use]
    pub fn kept_until(&self) -> Timestamp {
        self.keep_until.unwrap_or(self.deadline).max(self.deadline)
    }

    /// When its present run was asked for: at the time of the retry, after one.
    #[must_use]
    pub fn queue_time(&self) -> Timestamp {
        self.queued_at.unwrap_or(self.created_at)
    }

    /// Its place in the queue for a slot.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        Waiting {
            order: self.priority.order(self.queue_time()),
            transfer_id: self.transfer_id.clone(),
            person: self.target.person(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DownloadTarget, DriveFolder, DriveTarget, Person, Step, percent};

    fn target() -> DriveTarget {
        DriveTarget {
            recipient: "a@b.example".parse().unwrap(),
            file_path: None,
            folder: DriveFolder::default(),
        }
    }

    fn transfer() -> Transfer {
        let new = NewTransfer {
            owner: "scv".into(),
            on_behalf_of: None,
            object_guid: "AAAA".parse().unwrap(),
            file_id: None,
            target: target().into(),
            priority: Priority::Normal,
            keep_until: None,
            callback: None,
        };
        let (id, then) = (TransferId::from_u128(1), Timestamp::UNIX_EPOCH);
        Transfer { phase: Phase::Uploading, ..Transfer::new(id, new, then, then) }
    }

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

    /// Regression: the old service computed `90 / fragments` in integers, so that
    /// above about 29 MB it stuck at 10 and never reached 100.
    #[test]
    fn percent_rises_with_the_bytes_of_large_files_and_is_100_only_when_completed() {
        assert_eq!(percent(&transfer()), 0);
        let mut large = with_size(300_000_000);
        let mut last = percent(&large);
        assert_eq!(last, 10);
        let mut seen = vec![last];
        while large.bytes_done < 300_000_000 {
            large.bytes_done += 1_000_000;
            let now = percent(&large);
            assert!(now >= last);
            if now > last {
                seen.push(now);
            }
            last = now;
        }
        assert_eq!(seen, (10..=99).collect::<Vec<_>>());
        large.phase = Phase::Completed;
        assert_eq!(percent(&large), 100);
    }

    #[test]
    fn percent_never_overflows_and_an_empty_file_stays_at_10_until_verified() {
        assert_eq!(percent(&with_size(0)), 10);
        let huge = Transfer { bytes_done: u64::MAX, ..with_size(u64::MAX) };
        assert_eq!(percent(&huge), 99);
    }

    #[test]
    fn a_record_of_an_older_version_reads_with_defaults() {
        let mut item = serde_json::to_value(transfer()).unwrap();
        let fields = item.as_object_mut().unwrap();
        for name in ["cancelRequested", "epoch", "bytesDone", "pool", "priority", "turn"] {
            fields.remove(name);
        }
        fields.insert("unknownToThisVersion".into(), 1.into());
        // It has no slot and asks for one when it comes to moving bytes.
        let expected = Transfer { turn: Turn::Idle, ..transfer() };
        assert_eq!(serde_json::from_value::<Transfer>(item).unwrap(), expected);
    }

    #[test]
    fn a_run_queues_at_the_time_at_which_it_was_asked_for() {
        let hour = |n| Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(n);
        let first = Transfer { deadline: hour(4), ..transfer() };
        let order = |transfer: &Transfer| transfer.waiting().order;
        assert_eq!(order(&first), Priority::Normal.order(hour(0)), "also of an older version");
        let second = first.again_at(hour(30), hour(36), None);
        assert_eq!(order(&second), Priority::Normal.order(hour(30)));
        let stored = serde_json::to_value(&second).unwrap();
        let read: Transfer = serde_json::from_value(stored).unwrap();
        assert_eq!(order(&read), order(&second));
        let third = second.again(hour(100), None);
        assert_eq!(order(&third), Priority::Normal.order(hour(94)));
    }

    #[test]
    fn tries_are_those_of_the_present_step_and_start_anew_with_a_run() {
        let mut moving = transfer();
        let seen = |transfer: &Transfer| {
            let stored = serde_json::to_value(transfer).unwrap();
            serde_json::from_value::<Transfer>(stored).unwrap().tries()
        };
        assert_eq!(seen(&moving), 1);
        moving.failed_tries.count(Step::Deliver);
        moving.failed_tries.count(Step::Deliver);
        moving.failed_tries.count(Step::Push);
        assert_eq!(seen(&moving), 3);
        assert_eq!(seen(&Transfer { phase: Phase::Pushing, ..moving.clone() }), 2);
        assert_eq!(seen(&Transfer { phase: Phase::AwaitingArrival, ..moving.clone() }), 1);
        let ending = Some(crate::FailureCode::Canceled);
        assert_eq!(seen(&Transfer { ending, ..moving.clone() }), 1);
        assert_eq!(seen(&Transfer { phase: Phase::Failed, ..moving.clone() }), 3);
        assert_eq!(seen(&moving.again(Timestamp::UNIX_EPOCH, None)), 1);
    }

    #[test]
    fn a_record_says_where_its_document_goes_and_for_whom_it_counts() {
        let stored = serde_json::to_value(transfer()).unwrap();
        assert_eq!(stored["recipient"], "a@b.example", "as before there were downloads");
        let target = Target::Download(DownloadTarget { person: Person::new("p") });
        let download = Transfer { target: target.clone(), ..transfer() };
        let stored = serde_json::to_value(&download).unwrap();
        let read: Transfer = serde_json::from_value(stored).unwrap();
        assert_eq!((&read.target, read.waiting().person), (&target, Person::new("p")));
    }
}

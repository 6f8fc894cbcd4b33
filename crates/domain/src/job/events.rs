//! The event stream of a job: which events a client receives next, given the last one that
//! it has seen.

use std::fmt;
use std::str::FromStr;

use crate::job::JobState;

/// Snapshot of a job, reduced to the values that events carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobSnapshot {
    /// Number of the run: 1, and one more for each retry.
    pub run_number: u32,
    /// State of the job.
    pub state: JobState,
    /// Progress in percent, 0 to 100.
    pub percent: u8,
    /// Number of bytes that have arrived at the destination.
    pub bytes_done: u64,
}

/// Cursor in the event stream: the last values of a job that a client knows. Any process
/// can continue the stream from it.
///
/// It is sent to the client as the id of an event. Only this type interprets the text form:
/// `1.running.40.6000000`, `1.completed.100.15000000.end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    run_number: u32,
    state: JobState,
    /// Progress of the last progress event in this run; `None` before the first.
    progress: Option<Progress>,
    /// Whether the final event was sent.
    ended: bool,
}

impl Cursor {
    /// Returns whether the client knows everything: the end of this run was sent, and no
    /// other run has begun.
    #[must_use]
    pub fn has_seen_the_end(&self, now: &JobSnapshot) -> bool {
        self.ended && self.run_number == now.run_number && now.state.is_terminal()
    }
}

/// Content of a progress event. Progress is compared by percent, then by bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Progress {
    percent: u8,
    bytes_done: u64,
}

/// Kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEvent {
    /// The state has changed, or another run has begun.
    Status,
    /// The progress has changed.
    Progress,
    /// The final result. No event of this run follows.
    End,
}

/// Returns the events to send, in order, each with the cursor after it.
///
/// Within a run, percent and bytes never decrease, whatever the snapshot says. The final
/// event is sent once: a job that expires after it produces no further event.
#[must_use]
pub fn events_since(cursor: Option<Cursor>, now: &JobSnapshot) -> Vec<(JobEvent, Cursor)> {
    if cursor.is_some_and(|cursor| cursor.has_seen_the_end(now)) {
        return Vec::new();
    }
    // A cursor of an earlier run does not apply to this one. A cursor of a later run is
    // invalid, because no event with it was ever sent.
    let known = cursor.filter(|cursor| cursor.run_number == now.run_number);
    let mut events = Vec::with_capacity(3);
    let mut cursor = match known {
        Some(cursor) if cursor.state == now.state => cursor,
        _ => {
            let progress = known.and_then(|cursor| cursor.progress);
            let cursor =
                Cursor { run_number: now.run_number, state: now.state, progress, ended: false };
            events.push((JobEvent::Status, cursor));
            cursor
        }
    };
    let progress = Progress { percent: now.percent, bytes_done: now.bytes_done };
    if cursor.progress.is_none_or(|before| before < progress) {
        cursor.progress = Some(progress);
        events.push((JobEvent::Progress, cursor));
    }
    if now.state.is_terminal() {
        cursor.ended = true;
        events.push((JobEvent::End, cursor));
    }
    events
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.run_number, self.state.as_str())?;
        if let Some(Progress { percent, bytes_done }) = self.progress {
            write!(f, ".{percent}.{bytes_done}")?;
        }
        f.write_str(if self.ended { ".end" } else { "" })
    }
}

/// Error for a text that is not the id of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid event id")]
pub struct InvalidEventId;

impl FromStr for Cursor {
    type Err = InvalidEventId;

    fn from_str(text: &str) -> Result<Self, InvalidEventId> {
        let (values, ended) =
            text.strip_suffix(".end").map_or((text, false), |values| (values, true));
        let parts: Vec<_> = values.split('.').collect();
        let (run_number, state, progress) = match parts[..] {
            [run_number, state] => (run_number, state, None),
            [run_number, state, percent, bytes] => {
                let percent = percent.parse().ok().filter(|percent| *percent <= 100);
                let percent = percent.ok_or(InvalidEventId)?;
                let bytes_done = bytes.parse().map_err(|_| InvalidEventId)?;
                (run_number, state, Some(Progress { percent, bytes_done }))
            }
            _ => return Err(InvalidEventId),
        };
        let state = JobState::ALL.into_iter().find(|known| known.as_str() == state);
        let state = state.ok_or(InvalidEventId)?;
        let run_number = run_number.parse().ok().filter(|run_number| *run_number > 0);
        if ended && !state.is_terminal() {
            return Err(InvalidEventId);
        }
        Ok(Self { run_number: run_number.ok_or(InvalidEventId)?, state, progress, ended })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: JobSnapshot =
        JobSnapshot { run_number: 1, state: JobState::Running, percent: 40, bytes_done: 6 };

    fn kinds(cursor: Option<Cursor>, now: &JobSnapshot) -> Vec<JobEvent> {
        events_since(cursor, now).into_iter().map(|(kind, _)| kind).collect()
    }

    fn last(cursor: Option<Cursor>, now: &JobSnapshot) -> Option<Cursor> {
        events_since(cursor, now).last().map(|(_, cursor)| *cursor)
    }

    #[test]
    fn new_client_gets_every_event_and_later_only_changes() {
        assert_eq!(kinds(None, &RUNNING), [JobEvent::Status, JobEvent::Progress]);
        let cursor = last(None, &RUNNING);
        assert_eq!(kinds(cursor, &RUNNING), []);
        let further = JobSnapshot { bytes_done: 7, ..RUNNING };
        assert_eq!(kinds(cursor, &further), [JobEvent::Progress]);
        let done = JobSnapshot { state: JobState::Completed, percent: 100, ..further };
        assert_eq!(kinds(cursor, &done), [JobEvent::Status, JobEvent::Progress, JobEvent::End]);
        // The connection broke before the final event.
        let cut = events_since(cursor, &done)[1].1;
        assert_eq!(kinds(Some(cut), &done), [JobEvent::End]);
    }

    #[test]
    fn final_event_is_sent_once_and_a_retry_starts_over() {
        let failed = JobSnapshot { state: JobState::Failed, ..RUNNING };
        let cursor = last(None, &failed);
        assert!(cursor.unwrap().has_seen_the_end(&failed));
        let expired = JobSnapshot { state: JobState::Expired, ..failed };
        assert_eq!(kinds(cursor, &expired), []);
        let second_run =
            JobSnapshot { run_number: 2, state: JobState::Queued, percent: 0, bytes_done: 0 };
        assert!(!cursor.unwrap().has_seen_the_end(&second_run));
        assert_eq!(kinds(cursor, &second_run), [JobEvent::Status, JobEvent::Progress]);
    }

    #[test]
    fn decreasing_progress_within_a_run_sends_no_event() {
        let cursor = last(None, &RUNNING);
        for (percent, bytes_done) in [(39, 9), (40, 5), (40, 6)] {
            assert_eq!(kinds(cursor, &JobSnapshot { percent, bytes_done, ..RUNNING }), []);
        }
    }

    #[test]
    fn event_id_reads_back_as_its_cursor() {
        let done = JobSnapshot { state: JobState::Completed, percent: 100, ..RUNNING };
        for (_, cursor) in events_since(None, &RUNNING).into_iter().chain(events_since(None, &done))
        {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        assert_eq!(last(None, &done).unwrap().to_string(), "1.completed.100.6.end");
    }

    #[test]
    fn malformed_event_id_is_refused() {
        for text in [
            "",
            "7",
            "0.running",
            "1.walking",
            "1.running.40",
            "1.running.101.6",
            "1.running.40.6.7",
            "1.running.end",
            "1.completed.100.6.end.end",
            "-1.running",
            "1.running.40.-6",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidEventId), "{text}");
        }
    }
}

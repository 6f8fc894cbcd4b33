//! Event stream of a job. The downloads API sends it to clients that wait for the end of a job.
//!
//! docferry does not store events. A [`Cursor`] contains the values that the client has already
//! received. [`events_since`] compares the cursor with the present values of the job, a
//! [`JobSnapshot`], and returns the differences as events. A *run* is one pass of a job: the first
//! run, or a retry.

use std::fmt;
use std::str::FromStr;

use crate::job::JobState;

/// Values of a job at one time. It contains only values that events show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobSnapshot {
    /// Number of the run: 1, and one more for each retry.
    pub run_number: u32,
    /// State of the job.
    pub state: JobState,
    /// Progress in percent, 0 to 100.
    pub percent: u8,
    /// Number of bytes that have been delivered to the destination.
    pub bytes_done: u64,
}

/// Position in the event stream: the last values of a job that a client has received. Any
/// process can continue the stream from a cursor.
///
/// The client receives the cursor as the id of an event. Examples of the text form are
/// `1.running.40.6000000` and `1.completed.100.15000000.end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    run_number: u32,
    state: JobState,
    /// Progress in the last progress event of this run; `None` before the first one.
    progress: Option<Progress>,
    /// Whether the final event of the run was sent.
    ended: bool,
}

impl Cursor {
    /// Returns whether the client has received the final event and no new run has begun.
    #[must_use]
    pub fn has_seen_the_end(&self, snapshot: &JobSnapshot) -> bool {
        self.ended && self.run_number == snapshot.run_number && snapshot.state.is_terminal()
    }
}

/// Content of a progress event. Two values are compared by percent first, then by bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Progress {
    percent: u8,
    bytes_done: u64,
}

impl Progress {
    /// Parses the two fields of a progress in an event id.
    fn parse(percent: &str, bytes_done: &str) -> Result<Self, InvalidEventId> {
        let percent = percent.parse::<u8>().ok().filter(|percent| *percent <= 100);
        let bytes_done = bytes_done.parse().map_err(|_| InvalidEventId)?;
        Ok(Self { percent: percent.ok_or(InvalidEventId)?, bytes_done })
    }
}

/// Kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEvent {
    /// The state has changed, or a new run has begun.
    Status,
    /// The progress has changed.
    Progress,
    /// The final result. It is the last event of the run.
    End,
}

/// Returns the events to send, in order, each with its id. The id is the cursor of a client that
/// has received the event. `cursor` is `None` for a client that has received no event.
///
/// Within a run, the progress in events never decreases, even if a snapshot contains less progress.
/// The final event of a run is sent only once. A job that expires later causes no further event.
#[must_use]
pub fn events_since(cursor: Option<Cursor>, snapshot: &JobSnapshot) -> Vec<(JobEvent, Cursor)> {
    if cursor.is_some_and(|cursor| cursor.has_seen_the_end(snapshot)) {
        return Vec::new();
    }
    // Ignore the cursor of an earlier run. A cursor of a later run is invalid and is ignored as
    // well.
    let cursor_of_run = cursor.filter(|cursor| cursor.run_number == snapshot.run_number);
    let mut events = Vec::with_capacity(3);
    let mut cursor = match cursor_of_run {
        Some(cursor) if cursor.state == snapshot.state => cursor,
        _ => {
            let progress = cursor_of_run.and_then(|cursor| cursor.progress);
            let cursor = Cursor {
                run_number: snapshot.run_number,
                state: snapshot.state,
                progress,
                ended: false,
            };
            events.push((JobEvent::Status, cursor));
            cursor
        }
    };
    let progress = Progress { percent: snapshot.percent, bytes_done: snapshot.bytes_done };
    if cursor.progress.is_none_or(|last_sent| last_sent < progress) {
        cursor.progress = Some(progress);
        events.push((JobEvent::Progress, cursor));
    }
    if snapshot.state.is_terminal() {
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
        let fields: Vec<_> = values.split('.').collect();
        let (run_number, state_name, progress) = match fields[..] {
            [run_number, state_name] => (run_number, state_name, None),
            [run_number, state_name, percent, bytes_done] => {
                (run_number, state_name, Some(Progress::parse(percent, bytes_done)?))
            }
            _ => return Err(InvalidEventId),
        };
        let run_number = run_number.parse::<u32>().ok().filter(|number| *number > 0);
        let run_number = run_number.ok_or(InvalidEventId)?;
        let state = JobState::ALL.into_iter().find(|state| state.as_str() == state_name);
        let state = state.ok_or(InvalidEventId)?;
        if ended && !state.is_terminal() {
            return Err(InvalidEventId);
        }
        Ok(Self { run_number, state, progress, ended })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Snapshot of a running job at 40 percent with 6 delivered bytes.
    const RUNNING: JobSnapshot =
        JobSnapshot { run_number: 1, state: JobState::Running, percent: 40, bytes_done: 6 };

    fn new_events(cursor: Option<Cursor>, snapshot: &JobSnapshot) -> Vec<JobEvent> {
        events_since(cursor, snapshot).into_iter().map(|(event, _)| event).collect()
    }

    fn last_cursor(cursor: Option<Cursor>, snapshot: &JobSnapshot) -> Option<Cursor> {
        events_since(cursor, snapshot).last().map(|(_, cursor)| *cursor)
    }

    #[test]
    fn new_client_gets_status_and_progress_of_a_running_job() {
        assert_eq!(new_events(None, &RUNNING), [JobEvent::Status, JobEvent::Progress]);
    }

    #[test]
    fn client_with_a_cursor_gets_only_changes() {
        let cursor = last_cursor(None, &RUNNING);
        assert_eq!(new_events(cursor, &RUNNING), []);

        let more_bytes = JobSnapshot { bytes_done: 7, ..RUNNING };
        assert_eq!(new_events(cursor, &more_bytes), [JobEvent::Progress]);

        let completed = JobSnapshot { state: JobState::Completed, percent: 100, ..more_bytes };
        let all_events = [JobEvent::Status, JobEvent::Progress, JobEvent::End];
        assert_eq!(new_events(cursor, &completed), all_events);
    }

    #[test]
    fn reconnected_client_gets_the_missing_final_event() {
        let completed = JobSnapshot { state: JobState::Completed, percent: 100, ..RUNNING };
        let events = events_since(None, &completed);
        let (last_received, cursor) = events[1];
        assert_eq!(last_received, JobEvent::Progress);

        assert_eq!(new_events(Some(cursor), &completed), [JobEvent::End]);
    }

    #[test]
    fn final_event_is_sent_once_and_a_retry_starts_over() {
        let failed = JobSnapshot { state: JobState::Failed, ..RUNNING };
        let cursor = last_cursor(None, &failed);
        assert!(cursor.unwrap().has_seen_the_end(&failed));

        let expired = JobSnapshot { state: JobState::Expired, ..failed };
        assert_eq!(new_events(cursor, &expired), []);

        let second_run =
            JobSnapshot { run_number: 2, state: JobState::Queued, percent: 0, bytes_done: 0 };
        assert!(!cursor.unwrap().has_seen_the_end(&second_run));
        assert_eq!(new_events(cursor, &second_run), [JobEvent::Status, JobEvent::Progress]);
    }

    #[test]
    fn decreasing_progress_within_a_run_sends_no_event() {
        let cursor = last_cursor(None, &RUNNING);
        // Lower percent, fewer bytes at the same percent, and no change.
        for (percent, bytes_done) in [(39, 9), (40, 5), (40, 6)] {
            assert_eq!(new_events(cursor, &JobSnapshot { percent, bytes_done, ..RUNNING }), []);
        }
    }

    #[test]
    fn event_id_reads_back_as_its_cursor() {
        let completed = JobSnapshot { state: JobState::Completed, percent: 100, ..RUNNING };
        for snapshot in [&RUNNING, &completed] {
            for (_, cursor) in events_since(None, snapshot) {
                assert_eq!(cursor.to_string().parse(), Ok(cursor));
            }
        }
        assert_eq!(last_cursor(None, &completed).unwrap().to_string(), "1.completed.100.6.end");
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

//! The event stream of a job: which events a client receives next, given the last one that
//! it has seen.

use std::fmt;
use std::str::FromStr;

use crate::JobState;

/// Snapshot of a job, reduced to the values that events carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Number of the run: 1, and one more for each retry.
    pub attempt: u32,
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
pub struct Told {
    attempt: u32,
    state: JobState,
    /// Percent and bytes of the last progress event in this run; `None` before the first.
    progress: Option<(u8, u64)>,
    /// Whether the final event was sent.
    ended: bool,
}

impl Told {
    /// Returns whether the client knows everything: the end of this run was sent, and no
    /// other run has begun.
    #[must_use]
    pub fn knows_the_end(&self, now: &Standing) -> bool {
        self.ended && self.attempt == now.attempt && now.state.is_terminal()
    }
}

/// Kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
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
pub fn news(cursor: Option<Told>, now: &Standing) -> Vec<(News, Told)> {
    if cursor.is_some_and(|cursor| cursor.knows_the_end(now)) {
        return Vec::new();
    }
    // A cursor of an earlier run does not apply to this one. A cursor of a later run is
    // invalid, because no event with it was ever sent.
    let known = cursor.filter(|cursor| cursor.attempt == now.attempt);
    let mut events = Vec::with_capacity(3);
    let mut cursor = match known {
        Some(cursor) if cursor.state == now.state => cursor,
        _ => {
            let progress = known.and_then(|cursor| cursor.progress);
            let cursor = Told { attempt: now.attempt, state: now.state, progress, ended: false };
            events.push((News::Status, cursor));
            cursor
        }
    };
    let progress = (now.percent, now.bytes_done);
    if cursor.progress.is_none_or(|before| before < progress) {
        cursor.progress = Some(progress);
        events.push((News::Progress, cursor));
    }
    if now.state.is_terminal() {
        cursor.ended = true;
        events.push((News::End, cursor));
    }
    events
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.attempt, self.state.as_str())?;
        if let Some((percent, bytes)) = self.progress {
            write!(f, ".{percent}.{bytes}")?;
        }
        f.write_str(if self.ended { ".end" } else { "" })
    }
}

/// Error for a text that is not the id of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid event id")]
pub struct UnknownEvent;

impl FromStr for Told {
    type Err = UnknownEvent;

    fn from_str(text: &str) -> Result<Self, UnknownEvent> {
        let (rest, ended) = text.strip_suffix(".end").map_or((text, false), |rest| (rest, true));
        let parts: Vec<_> = rest.split('.').collect();
        let (attempt, state, progress) = match parts[..] {
            [attempt, state] => (attempt, state, None),
            [attempt, state, percent, bytes] => {
                let percent = percent.parse().ok().filter(|percent| *percent <= 100);
                let bytes = bytes.parse().map_err(|_| UnknownEvent)?;
                (attempt, state, Some((percent.ok_or(UnknownEvent)?, bytes)))
            }
            _ => return Err(UnknownEvent),
        };
        let state = JobState::ALL.into_iter().find(|known| known.as_str() == state);
        let state = state.ok_or(UnknownEvent)?;
        let attempt = attempt.parse().ok().filter(|attempt| *attempt > 0);
        if ended && !state.is_terminal() {
            return Err(UnknownEvent);
        }
        Ok(Self { attempt: attempt.ok_or(UnknownEvent)?, state, progress, ended })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: Standing =
        Standing { attempt: 1, state: JobState::Running, percent: 40, bytes_done: 6 };

    fn kinds(cursor: Option<Told>, now: &Standing) -> Vec<News> {
        news(cursor, now).into_iter().map(|(kind, _)| kind).collect()
    }

    fn last(cursor: Option<Told>, now: &Standing) -> Option<Told> {
        news(cursor, now).last().map(|(_, cursor)| *cursor)
    }

    #[test]
    fn who_knows_nothing_is_told_all_and_then_only_what_is_new() {
        assert_eq!(kinds(None, &RUNNING), [News::Status, News::Progress]);
        let cursor = last(None, &RUNNING);
        assert_eq!(kinds(cursor, &RUNNING), []);
        let further = Standing { bytes_done: 7, ..RUNNING };
        assert_eq!(kinds(cursor, &further), [News::Progress]);
        let done = Standing { state: JobState::Completed, percent: 100, ..further };
        assert_eq!(kinds(cursor, &done), [News::Status, News::Progress, News::End]);
        // The connection broke before the final event.
        let cut = news(cursor, &done)[1].1;
        assert_eq!(kinds(Some(cut), &done), [News::End]);
    }

    #[test]
    fn an_end_is_told_once_and_an_attempt_after_it_from_its_beginning() {
        let failed = Standing { state: JobState::Failed, ..RUNNING };
        let cursor = last(None, &failed);
        assert!(cursor.unwrap().knows_the_end(&failed));
        let expired = Standing { state: JobState::Expired, ..failed };
        assert_eq!(kinds(cursor, &expired), []);
        let again = Standing { attempt: 2, state: JobState::Queued, percent: 0, bytes_done: 0 };
        assert!(!cursor.unwrap().knows_the_end(&again));
        assert_eq!(kinds(cursor, &again), [News::Status, News::Progress]);
    }

    #[test]
    fn what_goes_down_within_an_attempt_is_not_told() {
        let cursor = last(None, &RUNNING);
        for (percent, bytes_done) in [(39, 9), (40, 5), (40, 6)] {
            assert_eq!(kinds(cursor, &Standing { percent, bytes_done, ..RUNNING }), []);
        }
    }

    #[test]
    fn an_id_reads_back_as_what_was_told() {
        let done = Standing { state: JobState::Completed, percent: 100, ..RUNNING };
        for (_, cursor) in news(None, &RUNNING).into_iter().chain(news(None, &done)) {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        assert_eq!(last(None, &done).unwrap().to_string(), "1.completed.100.6.end");
    }

    #[test]
    fn what_is_no_id_is_not_read() {
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
            assert_eq!(text.parse::<Told>(), Err(UnknownEvent), "{text}");
        }
    }
}

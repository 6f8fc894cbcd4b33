//! Model test of the event stream: however often connections break, a client ends with the
//! complete state of the job.

#![allow(clippy::unwrap_used, reason = "a test")]

use docferry_domain::job::{Cursor, JobEvent, JobSnapshot, JobState, events_since};
use proptest::prelude::*;
use proptest::sample::Index;

/// State that a client derives from the events it has received.
#[derive(Debug, Default)]
struct View {
    run_number: u32,
    state: Option<JobState>,
    percent: Option<u8>,
    has_ended: bool,
    last_id: Option<String>,
}

impl View {
    /// Processes an event.
    fn apply(&mut self, kind: JobEvent, cursor: Cursor, now: &JobSnapshot) {
        match kind {
            JobEvent::Status => {
                if self.run_number != now.run_number {
                    *self = Self { run_number: now.run_number, ..Self::default() };
                }
                self.state = Some(now.state);
            }
            JobEvent::Progress => {
                assert_eq!(
                    self.run_number, now.run_number,
                    "progress of a run without a status event"
                );
                assert!(
                    self.percent.is_none_or(|before| before <= now.percent),
                    "the percentage decreased"
                );
                self.percent = Some(now.percent);
            }
            JobEvent::End => {
                assert!(!self.has_ended, "two final events");
                assert_eq!(self.state, Some(now.state), "final event without a status event");
                self.has_ended = true;
            }
        }
        self.last_id = Some(cursor.to_string());
    }
}

/// Generates snapshots of a job with one to three runs, in the order of its states.
fn snapshots() -> impl Strategy<Value = Vec<JobSnapshot>> {
    use JobState::{Canceled, Completed, Expired, Failed, Queued, Running};

    let end = prop::sample::select(vec![Completed, Failed, Canceled]);
    let run = (prop::collection::vec((0..=100_u8, 0..1000_u64), 0..8), end, any::<bool>());
    prop::collection::vec(run, 1..4).prop_map(|runs| {
        let mut all = Vec::new();
        for (run_number, (steps, end, expires)) in (1..).zip(runs) {
            let at =
                |state, percent, bytes_done| JobSnapshot { run_number, state, percent, bytes_done };
            all.push(at(Queued, 0, 0));
            // Snapshots may be read out of order.
            all.extend(steps.iter().map(|(percent, bytes)| at(Running, *percent.min(&99), *bytes)));
            let (percent, bytes) = steps.iter().copied().max().unwrap_or_default();
            let percent = if end == Completed { 100 } else { percent.min(99) };
            all.push(at(end, percent, bytes));
            if expires {
                all.push(at(Expired, percent, bytes));
            }
        }
        all
    })
}

proptest! {
    #[test]
    fn client_state_is_complete_however_often_connections_break(
        snapshots in snapshots(),
        // Number of events of each response that arrive before the connection breaks.
        cuts in prop::collection::vec(any::<Index>(), 32),
        reads in prop::collection::vec(any::<bool>(), 32),
    ) {
        let mut view = View::default();
        for (number, now) in snapshots.iter().enumerate() {
            let is_last = number + 1 == snapshots.len();
            if !reads[number % reads.len()] && !is_last {
                continue;
            }
            let cursor = view.last_id.as_deref().map(|id| id.parse().unwrap());
            let found = events_since(cursor, now);
            let arrives = cuts[number % cuts.len()].index(found.len() + 1);
            for (kind, cursor) in found.into_iter().take(arrives) {
                view.apply(kind, cursor, now);
            }
        }
        // The last connection does not break.
        let end = snapshots.last().unwrap();
        let cursor: Option<Cursor> = view.last_id.as_deref().map(|id| id.parse().unwrap());
        for (kind, cursor) in events_since(cursor, end) {
            view.apply(kind, cursor, end);
        }
        prop_assert_eq!(view.run_number, end.run_number);
        prop_assert!(view.has_ended);
        // A job that expires after its final event cause_chain no further event.
        prop_assert!(view.state == Some(end.state) || end.state == JobState::Expired);
        prop_assert!(view.percent.unwrap() >= end.percent);
        let cursor: Cursor = view.last_id.unwrap().parse().unwrap();
        prop_assert!(cursor.has_seen_the_end(end) && events_since(Some(cursor), end).is_empty());
    }

    #[test]
    fn client_event_id_is_refused_or_survives_a_round_trip(
        text in prop_oneof![
            "\\PC{0,40}",
            "[0-9]{1,3}\\.(queued|running|completed|failed)(\\.[0-9]{1,3}\\.[0-9]{1,6})?(\\.end)?",
        ],
    ) {
        let now = JobSnapshot { run_number: 1, state: JobState::Running, percent: 1, bytes_done: 1 };
        if let Ok(cursor) = text.parse::<Cursor>() {
            // The normalised id has the same meaning.
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
            prop_assert!(events_since(Some(cursor), &now).len() <= 3);
        }
    }
}

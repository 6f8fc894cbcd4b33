//! Model test of the event stream of a job. A client derives the state of the job from the
//! events that it receives, and its connections break at random places. In the end it must
//! know the complete state.

#![allow(clippy::unwrap_used, reason = "a test")]

use docferry_domain::job::{Cursor, JobEvent, JobSnapshot, JobState, events_since};
use proptest::prelude::*;
use proptest::sample::Index;

/// State that a client derives from the events it has received.
#[derive(Debug, Default)]
struct ClientView {
    run_number: u32,
    state: Option<JobState>,
    percent: Option<u8>,
    has_ended: bool,
    /// Id of the last event.
    last_id: Option<String>,
}

impl ClientView {
    /// Processes an event that was sent with this cursor and describes the snapshot `now`.
    fn apply(&mut self, event: JobEvent, cursor: Cursor, now: &JobSnapshot) {
        match event {
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

    let end_state = prop::sample::select(vec![Completed, Failed, Canceled]);
    let progress = prop::collection::vec((0..=100_u8, 0..1000_u64), 0..8);
    let expires = any::<bool>();
    let run = (progress, end_state, expires);
    prop::collection::vec(run, 1..4).prop_map(|runs| {
        let mut all = Vec::new();
        for (run_number, (progress, end_state, expires)) in (1..).zip(runs) {
            let snapshot =
                |state, percent, bytes_done| JobSnapshot { run_number, state, percent, bytes_done };
            all.push(snapshot(Queued, 0, 0));
            // Snapshots may be read out of order.
            all.extend(
                progress
                    .iter()
                    .map(|(percent, bytes)| snapshot(Running, *percent.min(&99), *bytes)),
            );
            let (percent, bytes) = progress.iter().copied().max().unwrap_or_default();
            let percent = if end_state == Completed { 100 } else { percent.min(99) };
            all.push(snapshot(end_state, percent, bytes));
            if expires {
                all.push(snapshot(Expired, percent, bytes));
            }
        }
        all
    })
}

proptest! {
    #[test]
    fn client_state_is_complete_however_often_connections_break(
        snapshots in snapshots(),
        // For each connection, the share of its events that arrive before it breaks.
        breaks in prop::collection::vec(any::<Index>(), 32),
        // For each snapshot, whether the client connects while the job is in this state.
        connects in prop::collection::vec(any::<bool>(), 32),
    ) {
        let mut view = ClientView::default();
        for (number, now) in snapshots.iter().enumerate() {
            let is_last = number + 1 == snapshots.len();
            if !connects[number % connects.len()] && !is_last {
                continue;
            }
            let cursor = view.last_id.as_deref().map(|id| id.parse().unwrap());
            let events = events_since(cursor, now);
            let arriving = breaks[number % breaks.len()].index(events.len() + 1);
            for (event, cursor) in events.into_iter().take(arriving) {
                view.apply(event, cursor, now);
            }
        }
        // The last connection does not break.
        let end = snapshots.last().unwrap();
        let cursor: Option<Cursor> = view.last_id.as_deref().map(|id| id.parse().unwrap());
        for (event, cursor) in events_since(cursor, end) {
            view.apply(event, cursor, end);
        }
        prop_assert_eq!(view.run_number, end.run_number);
        prop_assert!(view.has_ended);
        // A job that expires after its final event causes no further event.
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
            // The id that is written for the cursor has the same meaning.
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
            prop_assert!(events_since(Some(cursor), &now).len() <= 3);
        }
    }
}

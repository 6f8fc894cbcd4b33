//! Whoever follows a job, over however many connections, ends with a whole view of it.

#![allow(clippy::unwrap_used, reason = "a test")]

use docferry_domain::{JobState, News, Standing, Told, news};
use proptest::prelude::*;
use proptest::sample::Index;

/// What a client makes of the events: all that it has is what it was told.
#[derive(Debug, Default)]
struct View {
    attempt: u32,
    state: Option<JobState>,
    percent: Option<u8>,
    has_ended: bool,
    last_id: Option<String>,
}

impl View {
    /// One event arrives.
    fn hear(&mut self, kind: News, told: Told, now: &Standing) {
        match kind {
            News::Status => {
                if self.attempt != now.attempt {
                    *self = Self { attempt: now.attempt, ..Self::default() };
                }
                self.state = Some(now.state);
            }
            News::Progress => {
                assert_eq!(self.attempt, now.attempt, "its attempt was told before");
                assert!(self.percent.is_none_or(|before| before <= now.percent), "went down");
                self.percent = Some(now.percent);
            }
            News::End => {
                assert!(!self.has_ended, "the end was told twice");
                assert_eq!(self.state, Some(now.state), "the state was told before");
                self.has_ended = true;
            }
        }
        self.last_id = Some(told.to_string());
    }
}

/// One run of a job: where it comes to, in the order of its states.
fn attempts() -> impl Strategy<Value = Vec<Standing>> {
    use JobState::{Canceled, Completed, Expired, Failed, Queued, Running};

    let end = prop::sample::select(vec![Completed, Failed, Canceled]);
    let run = (prop::collection::vec((0..=100_u8, 0..1000_u64), 0..8), end, any::<bool>());
    prop::collection::vec(run, 1..4).prop_map(|runs| {
        let mut all = Vec::new();
        for (attempt, (steps, end, expires)) in (1..).zip(runs) {
            let at = |state, percent, bytes_done| Standing { attempt, state, percent, bytes_done };
            all.push(at(Queued, 0, 0));
            // As read, which may be out of order.
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
    fn whenever_connections_break_the_view_is_whole_and_no_end_comes_twice(
        standings in attempts(),
        // How much of what is told at each look arrives; then the client comes back.
        cuts in prop::collection::vec(any::<Index>(), 32),
        looks in prop::collection::vec(any::<bool>(), 32),
    ) {
        let mut view = View::default();
        for (number, now) in standings.iter().enumerate() {
            let is_last = number + 1 == standings.len();
            if !looks[number % looks.len()] && !is_last {
                continue;
            }
            let told = view.last_id.as_deref().map(|id| id.parse().unwrap());
            let found = news(told, now);
            let arrives = cuts[number % cuts.len()].index(found.len() + 1);
            for (kind, told) in found.into_iter().take(arrives) {
                view.hear(kind, told, now);
            }
        }
        // The last connection holds.
        let end = standings.last().unwrap();
        let told: Option<Told> = view.last_id.as_deref().map(|id| id.parse().unwrap());
        for (kind, told) in news(told, end) {
            view.hear(kind, told, end);
        }
        prop_assert_eq!(view.attempt, end.attempt);
        prop_assert!(view.has_ended);
        // Expired after its end was told is no news.
        prop_assert!(view.state == Some(end.state) || end.state == JobState::Expired);
        prop_assert!(view.percent.unwrap() >= end.percent);
        let told: Told = view.last_id.unwrap().parse().unwrap();
        prop_assert!(told.knows_the_end(end) && news(Some(told), end).is_empty());
    }

    #[test]
    fn whatever_a_client_sends_is_refused_or_an_id_that_means_the_same_written_again(
        text in prop_oneof![
            "\\PC{0,40}",
            "[0-9]{1,3}\\.(queued|running|completed|failed)(\\.[0-9]{1,3}\\.[0-9]{1,6})?(\\.end)?",
        ],
    ) {
        let now = Standing { attempt: 1, state: JobState::Running, percent: 1, bytes_done: 1 };
        if let Ok(told) = text.parse::<Told>() {
            // Written again it means the same.
            prop_assert_eq!(told.to_string().parse(), Ok(told));
            prop_assert!(news(Some(told), &now).len() <= 3);
        }
    }
}

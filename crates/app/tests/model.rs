//! Many processes at once, in any order, killed at any moment: the invariants hold.
//!
//! `DOCFERRY_MODEL_CASES` says how many cases are tried.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{GUID, SETTINGS, assert_at_rest, bytes, request_to};
use docferry_app::initiate::initiate;
use docferry_app::{TaskInput, control};
use docferry_domain::{
    FailureCode, NewTransfer, ObjectGuid, Phase, PoolLimits, TransferId, Turn, percent,
};
use docferry_testkit::builders::callback;
use docferry_testkit::{Fault, Kill, Mode, Processes, Runner, World};
use jiff::SignedDuration;
use proptest::prelude::*;

const LIMITS: PoolLimits = PoolLimits::new(2, 1);
const OTHER: &str = "AAECAwQFBgcICQoLDA0ODw==";
const LEN: usize = 700_000;

/// What happens next.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Somebody asks: which document, and who.
    Ask { other: bool, person: u8 },
    /// A process goes on to its next effect, a few times.
    Run { process: usize, effects: u8 },
    /// What it is doing is killed.
    Kill { process: usize },
    /// The answer to the effect after so many more is lost.
    LoseAnswer { ahead: u8 },
    /// Somebody wants a transfer to stop.
    Cancel { transfer: usize },
    /// A step runs a second time, beside the first.
    Duplicate { transfer: usize },
    /// The minute is over.
    Sweep,
    /// The clock jumps.
    Jump { seconds: u16 },
    /// Outcomes are told.
    Notify,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (any::<bool>(), 0_u8..3).prop_map(|(other, person)| Step::Ask { other, person }),
        12 => (0_usize..8, 1_u8..30).prop_map(|(process, effects)| Step::Run { process, effects }),
        2 => (0_usize..8).prop_map(|process| Step::Kill { process }),
        2 => (0_u8..20).prop_map(|ahead| Step::LoseAnswer { ahead }),
        1 => (0_usize..4).prop_map(|transfer| Step::Cancel { transfer }),
        1 => (0_usize..4).prop_map(|transfer| Step::Duplicate { transfer }),
        1 => Just(Step::Sweep),
        1 => (60_u16..700).prop_map(|seconds| Step::Jump { seconds }),
        1 => Just(Step::Notify),
    ]
}

fn new_runner(world: &World) -> Runner {
    let mut runner = Runner::new(world);
    runner.limits = LIMITS.into();
    runner
}

/// The system, and all that has been seen of it.
struct Model {
    world: World,
    processes: Processes<'static>,
    executions: BTreeSet<String>,
    /// In the order in which they were asked for: their ids are random.
    asked: Vec<TransferId>,
    shown: BTreeMap<String, (u32, u8, u64)>,
}

impl Model {
    fn new() -> Self {
        let world = World::default();
        world.add_document(GUID, "order.pdf", bytes(LEN));
        world.add_document(OTHER, "exhibit.pdf", bytes(LEN / 2));
        world.state().interleaved = true;
        let processes = Processes::default();
        let (executions, shown) = (BTreeSet::new(), BTreeMap::new());
        Self { world, processes, executions, asked: Vec::new(), shown }
    }

    /// A process of its own; its runner lives as long as the test's program.
    fn spawn<F: Future<Output = ()> + 'static>(&mut self, make: impl FnOnce(&'static Runner) -> F) {
        let runner: &'static Runner = Box::leak(Box::new(new_runner(&self.world)));
        let kill: Kill = runner.kill.clone();
        self.processes.add(kill, make(runner));
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Ask { other, person } if self.asked.len() < 4 => {
                let guid: ObjectGuid = if other { OTHER } else { GUID }.parse().unwrap();
                let email = format!("person{person}@court.example");
                // One of them wants to be told of the end.
                let callback = (person == 0).then(callback);
                let new = NewTransfer { object_guid: guid, callback, ..request_to(&email) };
                self.spawn(async move |runner| {
                    let admitter = runner.admitter();
                    runner.survive(initiate(&admitter, SETTINGS, new)).await;
                });
            }
            Step::Ask { .. } => {}
            Step::Run { process, effects } => {
                for _ in 0..effects {
                    // Ids are in the order of time, so that a case runs again as it ran.
                    self.world.advance(SignedDuration::from_millis(1));
                    self.processes.step(process).await;
                    self.look();
                }
            }
            Step::Kill { process } => self.processes.kill(process),
            Step::LoseAnswer { ahead } => {
                let at = self.world.effects().len() + usize::from(ahead);
                self.world.inject(Fault { at, mode: Mode::AnswerLost });
            }
            Step::Cancel { transfer } => {
                let Some(task) = self.chosen(transfer) else { return };
                self.spawn(async move |runner| {
                    let ids = [task.transfer_id];
                    let admitter = runner.admitter();
                    let asked = control::terminate(&admitter, SETTINGS.record_ttl, "scv", &ids);
                    runner.survive(asked).await;
                });
            }
            Step::Duplicate { transfer } => {
                let Some(task) = self.chosen(transfer) else { return };
                self.spawn(async move |runner| {
                    let twice = Box::pin(runner.upload_once_after_arrival(&task));
                    runner.survive(twice).await;
                });
            }
            Step::Sweep => self.spawn(async move |runner| {
                runner.sweep().await;
            }),
            Step::Jump { seconds } => {
                self.world.advance(SignedDuration::from_secs(seconds.into()));
                // No invocation outlasts its function's time limit; the lease on a
                // deletion is longer than that.
                for process in 0..self.processes.len() {
                    self.processes.kill(process);
                }
            }
            Step::Notify => self.spawn(async move |runner| runner.notify().await),
        }
        self.start_executions();
    }

    fn chosen(&self, transfer: usize) -> Option<TaskInput> {
        let id = self.asked.get(transfer % self.asked.len().max(1))?;
        let records = self.world.store().transfers();
        let record = records.into_iter().find(|record| record.transfer_id == *id)?;
        Some(TaskInput { transfer_id: record.transfer_id, attempt: record.attempt })
    }

    /// Whatever was started, somebody runs.
    fn start_executions(&mut self) {
        let mut started = new_runner(&self.world).started();
        started.sort_by_key(|task| self.asked.iter().position(|id| *id == task.transfer_id));
        for task in started {
            if self.executions.insert(format!("{}-{}", task.transfer_id, task.attempt)) {
                self.spawn(async move |runner| {
                    runner.execute(&task).await;
                });
            }
        }
    }

    /// What must hold at every moment.
    fn look(&mut self) {
        let transfers = self.world.store().transfers();
        for transfer in &transfers {
            if !self.asked.contains(&transfer.transfer_id) {
                self.asked.push(transfer.transfer_id.clone());
            }
        }
        let holding: Vec<_> = transfers.iter().filter(|t| t.turn == Turn::Holding).collect();
        assert!(holding.len() <= LIMITS.active, "{} hold a slot", holding.len());
        let people: BTreeSet<_> = holding.iter().map(|t| t.target.person()).collect();
        assert_eq!(people.len(), holding.len(), "one a person");
        for transfer in &transfers {
            let now = (transfer.attempt, percent(transfer), transfer.bytes_done);
            let before = self.shown.insert(transfer.transfer_id.to_string(), now);
            if let Some(before) = before.filter(|before| before.0 == now.0) {
                assert!(before.1 <= now.1 && before.2 <= now.2, "went down: {before:?} {now:?}");
            }
            assert_eq!(transfer.phase == Phase::Completed, now.1 == 100);
        }
    }

    /// No more trouble: everything comes to its end.
    async fn settle(&mut self) {
        for _ in 0..40 {
            self.processes.run().await;
            self.world.advance(SignedDuration::from_secs(60));
            self.spawn(async move |runner| {
                runner.sweep().await;
            });
            self.processes.run().await;
            self.start_executions();
        }
        // What came late is watched for an hour.
        self.world.advance(SignedDuration::from_hours(2));
        for _ in 0..3 {
            self.spawn(async move |runner| {
                runner.sweep().await;
            });
            self.processes.run().await;
            self.world.advance(SignedDuration::from_secs(600));
        }
        self.world.state().interleaved = false;
    }
}

async fn run(steps: &[Step]) {
    let mut model = Model::new();
    for step in steps {
        model.take(*step).await;
    }
    model.settle().await;
    assert_at_rest(&model.world, "at the end").await;
    for transfer in model.world.store().transfers() {
        let failure = transfer.failure.as_ref().map(|failure| failure.code);
        // Killed again and again, or late; never because a document was taken away
        // or came out wrong.
        let allowed = [
            None,
            Some(FailureCode::Canceled),
            Some(FailureCode::Internal),
            Some(FailureCode::DeadlineExceeded),
            Some(FailureCode::ArrivalTimeout),
        ];
        let retryable = failure.is_some_and(FailureCode::is_retryable);
        assert!(retryable || allowed.contains(&failure), "{failure:?}");
        if failure == Some(FailureCode::Canceled) {
            assert!(transfer.cancel_requested);
        }
    }
}

fn play(steps: &[Step]) {
    // For the pauses of those who admit at once.
    fastrand::seed(1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(run(steps));
}

/// How many cases; more of them by hand.
#[expect(clippy::disallowed_methods, reason = "a setting of the test, not of the program")]
fn cases() -> u32 {
    std::env::var("DOCFERRY_MODEL_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_in_whatever_order_the_invariants_hold(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        play(&steps);
    }
}

/// A small document is on its way, sent by a step that runs twice, while its transfer is
/// being ended on request: nobody can close a PUT, so the ending waits for it.
#[test]
fn regression_a_put_on_its_way_is_not_denied_by_an_ending() {
    let ask = |other, person| Step::Ask { other, person };
    let run = |process, effects| Step::Run { process, effects };
    play(&[
        ask(false, 0),
        run(0, 13),
        run(0, 8),
        Step::Cancel { transfer: 0 },
        Step::Jump { seconds: 60 },
        Step::Duplicate { transfer: 0 },
        Step::Cancel { transfer: 0 },
        run(2, 12),
        ask(true, 0),
        ask(false, 1),
        Step::Cancel { transfer: 0 },
        run(0, 1),
        Step::Kill { process: 0 },
        run(6, 14),
    ]);
}

#[test]
fn regression_source_gone() {
    let ask = |other, person| Step::Ask { other, person };
    let run = |process, effects| Step::Run { process, effects };
    play(&[
        run(0, 1),
        ask(false, 0),
        run(0, 8),
        run(1, 2),
        Step::Jump { seconds: 60 },
        run(0, 17),
        run(0, 25),
        Step::Notify,
        run(2, 24),
        ask(false, 1),
        run(0, 7),
        Step::LoseAnswer { ahead: 3 },
        run(0, 7),
        ask(false, 1),
        run(0, 18),
        run(0, 11),
        run(0, 5),
        run(1, 21),
        run(0, 13),
        run(0, 22),
        run(0, 26),
        Step::Jump { seconds: 115 },
        run(0, 10),
        Step::Sweep,
        run(5, 4),
        Step::Kill { process: 6 },
        Step::LoseAnswer { ahead: 6 },
        run(1, 27),
        Step::Notify,
        run(5, 23),
        run(6, 6),
        ask(false, 0),
        run(4, 1),
        ask(false, 0),
        run(2, 20),
        run(0, 29),
        ask(false, 0),
    ]);
}

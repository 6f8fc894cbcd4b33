//! Model test: concurrent processes in random order, with crashes, duplicates, lost responses and
//! cancels. The invariants hold at every moment and at the end.
//!
//! The environment variable `DOCFERRY_MODEL_CASES` sets the number of random cases.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use common::{GUID, OWNER, SETTINGS, assert_final_invariants, bytes, request_to};
use docferry_app::TaskInput;
use docferry_app::job;
use docferry_app::transfer::create::initiate;
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::{ObjectGuid, TransferId};
use docferry_domain::phase::Phase;
use docferry_domain::slots::{PoolLimits, SlotState};
use docferry_domain::transfer::{NewTransfer, percent};
use docferry_testkit::builders::callback;
use docferry_testkit::{Fault, Kill, Mode, Processes, Runner, World};
use jiff::SignedDuration;
use proptest::prelude::*;

const LIMITS: PoolLimits = PoolLimits::new(2, 1);
/// GUID of a second document, half as long.
const OTHER: &str = "AAECAwQFBgcICQoLDA0ODw==";
/// Length in bytes of the first document.
const LEN: usize = 700_000;

/// One random event.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A person requests one of the two documents.
    Request { other: bool, person: u8 },
    /// A process runs its next effects.
    Run { process: usize, effects: u8 },
    /// The current invocation of a process is killed.
    Kill { process: usize },
    /// The response of a later effect is lost; `ahead` counts the effects before it.
    LoseResponse { ahead: u8 },
    /// A cancel is requested.
    Cancel { transfer: usize },
    /// A step runs a second time, concurrently with the first.
    Duplicate { transfer: usize },
    /// The sweeper runs.
    Sweep,
    /// The clock advances, and all invocations are killed.
    AdvanceClock { seconds: u16 },
    /// Outcomes and notifications are sent.
    Notify,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (any::<bool>(), 0_u8..3).prop_map(|(other, person)| Step::Request { other, person }),
        12 => (0_usize..8, 1_u8..30).prop_map(|(process, effects)| Step::Run { process, effects }),
        2 => (0_usize..8).prop_map(|process| Step::Kill { process }),
        2 => (0_u8..20).prop_map(|ahead| Step::LoseResponse { ahead }),
        1 => (0_usize..4).prop_map(|transfer| Step::Cancel { transfer }),
        1 => (0_usize..4).prop_map(|transfer| Step::Duplicate { transfer }),
        1 => Just(Step::Sweep),
        1 => (60_u16..700).prop_map(|seconds| Step::AdvanceClock { seconds }),
        1 => Just(Step::Notify),
    ]
}

fn new_runner(world: &World) -> Runner {
    let mut runner = Runner::new(world);
    runner.limits = LIMITS.into();
    runner
}

/// The system under test, and the observations of it.
struct Model {
    world: World,
    processes: Processes<'static>,
    /// Names of the executions that a process runs.
    executions: BTreeSet<String>,
    /// Transfers in the order of their requests. Ids are random, so their order is of no use.
    requested: Vec<TransferId>,
    /// Last observed execution number, percent and bytes done of each transfer.
    observed: BTreeMap<String, (u32, u8, u64)>,
}

impl Model {
    fn new() -> Self {
        let world = World::default();
        world.add_document(GUID, "order.pdf", bytes(LEN));
        world.add_document(OTHER, "exhibit.pdf", bytes(LEN / 2));
        world.state().interleaved = true;
        let processes = Processes::default();
        let (executions, observed) = (BTreeSet::new(), BTreeMap::new());
        Self { world, processes, executions, requested: Vec::new(), observed }
    }

    /// Starts a process with its own runner.
    fn spawn<F: Future<Output = ()> + 'static>(&mut self, make: impl FnOnce(Rc<Runner>) -> F) {
        let runner = Rc::new(new_runner(&self.world));
        let kill: Kill = runner.kill.clone();
        self.processes.add(kill, make(runner));
    }

    async fn apply(&mut self, step: Step) {
        match step {
            Step::Request { other, person } if self.requested.len() < 4 => {
                let guid: ObjectGuid = if other { OTHER } else { GUID }.parse().unwrap();
                let email = format!("person{person}@court.example");
                // Person 0 gets a webhook notification.
                let callback = (person == 0).then(callback);
                let mut new = NewTransfer { object_guid: guid, ..request_to(&email) };
                new.spec.callback = callback;
                self.spawn(async move |runner| {
                    let scheduler = runner.scheduler();
                    runner.survive(initiate(&scheduler, SETTINGS, new)).await;
                });
            }
            Step::Request { .. } => {}
            Step::Run { process, effects } => {
                for _ in 0..effects {
                    // Ids sort by time, so the clock advances to make cases reproducible.
                    self.world.advance(SignedDuration::from_millis(1));
                    self.processes.step(process).await;
                    self.check_invariants();
                }
            }
            Step::Kill { process } => self.processes.kill(process),
            Step::LoseResponse { ahead } => {
                let at = self.world.effects().len() + usize::from(ahead);
                self.world.inject(Fault { at, mode: Mode::ResponseLost });
            }
            Step::Cancel { transfer } => {
                let Some(task) = self.chosen(transfer) else { return };
                self.spawn(async move |runner| {
                    let ids = [task.transfer_id];
                    let scheduler = runner.scheduler();
                    let cancel = job::terminate(&scheduler, SETTINGS.record_ttl, OWNER, &ids);
                    runner.survive(cancel).await;
                });
            }
            Step::Duplicate { transfer } => {
                let Some(task) = self.chosen(transfer) else { return };
                self.spawn(async move |runner| {
                    let duplicate = Box::pin(runner.upload_once_after_arrival(&task));
                    runner.survive(duplicate).await;
                });
            }
            Step::Sweep => self.spawn(async move |runner| {
                runner.sweep().await;
            }),
            Step::AdvanceClock { seconds } => {
                self.world.advance(SignedDuration::from_secs(seconds.into()));
                // An invocation does not outlive its time limit, which is shorter than a
                // deletion lease.
                for process in 0..self.processes.len() {
                    self.processes.kill(process);
                }
            }
            Step::Notify => self.spawn(async move |runner| runner.notify().await),
        }
        self.start_executions();
    }

    fn chosen(&self, transfer: usize) -> Option<TaskInput> {
        let id = self.requested.get(transfer % self.requested.len().max(1))?;
        let records = self.world.store().transfers();
        let record = records.into_iter().find(|record| record.transfer_id == *id)?;
        Some(TaskInput {
            transfer_id: record.transfer_id,
            execution_number: record.execution_number,
        })
    }

    /// Starts a process for each started execution that has none.
    fn start_executions(&mut self) {
        let mut started = new_runner(&self.world).started();
        started.sort_by_key(|task| self.requested.iter().position(|id| *id == task.transfer_id));
        for task in started {
            if self.executions.insert(format!("{}-{}", task.transfer_id, task.execution_number)) {
                self.spawn(async move |runner| {
                    runner.execute(&task).await;
                });
            }
        }
    }

    /// Checks the invariants that hold at every moment.
    fn check_invariants(&mut self) {
        let transfers = self.world.store().transfers();
        for transfer in &transfers {
            if !self.requested.contains(&transfer.transfer_id) {
                self.requested.push(transfer.transfer_id.clone());
            }
        }
        let holding: Vec<_> =
            transfers.iter().filter(|t| t.slot_state == SlotState::Holding).collect();
        assert!(holding.len() <= LIMITS.active, "{} transfers hold a slot", holding.len());
        let people: BTreeSet<_> = holding.iter().map(|t| t.target.person()).collect();
        assert_eq!(people.len(), holding.len(), "a person holds two slots");
        for transfer in &transfers {
            let now = (transfer.execution_number, percent(transfer), transfer.bytes_done);
            let before = self.observed.insert(transfer.transfer_id.to_string(), now);
            if let Some(before) = before.filter(|before| before.0 == now.0) {
                assert!(
                    before.1 <= now.1 && before.2 <= now.2,
                    "progress decreased: {before:?} {now:?}"
                );
            }
            assert_eq!(transfer.phase == Phase::Completed, now.1 == 100);
        }
    }

    /// Runs everything to its end without further faults.
    async fn run_to_end(&mut self) {
        for _ in 0..40 {
            self.processes.run().await;
            self.world.advance(SignedDuration::from_secs(60));
            self.spawn(async move |runner| {
                runner.sweep().await;
            });
            self.processes.run().await;
            self.start_executions();
        }
        // Exchange keys are watched for late objects for an hour.
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
        model.apply(*step).await;
    }
    model.run_to_end().await;
    assert_final_invariants(&model.world, "at the end").await;
    for transfer in model.world.store().transfers() {
        let failure = transfer.failure.as_ref().map(|failure| failure.code);
        // Repeated crashes and late events may fail a transfer. A missing or wrong document must
        // not occur.
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

/// Runs one case in a Tokio runtime with paused time.
fn play(steps: &[Step]) {
    // Makes the jitter of concurrent slot schedulers reproducible.
    fastrand::seed(1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(run(steps));
}

/// Number of random cases.
#[expect(clippy::disallowed_methods, reason = "configures the test, not the program")]
fn cases() -> u32 {
    std::env::var("DOCFERRY_MODEL_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold_for_random_event_sequences(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        play(&steps);
    }
}

/// A duplicate step is uploading a small document while its transfer is being canceled. A PUT
/// cannot be closed, so the ending waits for it.
#[test]
fn regression_ending_waits_for_a_duplicate_put() {
    let request = |other, person| Step::Request { other, person };
    let run = |process, effects| Step::Run { process, effects };
    play(&[
        request(false, 0),
        run(0, 13),
        run(0, 8),
        Step::Cancel { transfer: 0 },
        Step::AdvanceClock { seconds: 60 },
        Step::Duplicate { transfer: 0 },
        Step::Cancel { transfer: 0 },
        run(2, 12),
        request(true, 0),
        request(false, 1),
        Step::Cancel { transfer: 0 },
        run(0, 1),
        Step::Kill { process: 0 },
        run(6, 14),
    ]);
}

#[test]
fn regression_two_processes_that_end_one_transfer_delete_only_its_object() {
    let request = |other, person| Step::Request { other, person };
    let run = |process, effects| Step::Run { process, effects };
    play(&[
        run(0, 1),
        request(false, 0),
        run(0, 8),
        run(1, 2),
        Step::AdvanceClock { seconds: 60 },
        run(0, 17),
        run(0, 25),
        Step::Notify,
        run(2, 24),
        request(false, 1),
        run(0, 7),
        Step::LoseResponse { ahead: 3 },
        run(0, 7),
        request(false, 1),
        run(0, 18),
        run(0, 11),
        run(0, 5),
        run(1, 21),
        run(0, 13),
        run(0, 22),
        run(0, 26),
        Step::AdvanceClock { seconds: 115 },
        run(0, 10),
        Step::Sweep,
        run(5, 4),
        Step::Kill { process: 6 },
        Step::LoseResponse { ahead: 6 },
        run(1, 27),
        Step::Notify,
        run(5, 23),
        run(6, 6),
        request(false, 0),
        run(4, 1),
        request(false, 0),
        run(2, 20),
        run(0, 29),
        request(false, 0),
    ]);
}

#[test]
fn regression_lost_response_to_a_lease_leaves_nothing_but_the_lease() {
    let request = |other, person| Step::Request { other, person };
    let run = |process, effects| Step::Run { process, effects };
    play(&[
        request(false, 0),
        run(0, 8),
        run(2, 16),
        Step::AdvanceClock { seconds: 595 },
        run(0, 13),
        run(0, 15),
        request(true, 0),
        request(false, 1),
        Step::Cancel { transfer: 0 },
        run(3, 3),
        request(true, 0),
        Step::Cancel { transfer: 0 },
        run(6, 17),
        Step::Duplicate { transfer: 1 },
        Step::Sweep,
        run(1, 28),
        Step::Cancel { transfer: 2 },
        run(0, 9),
        run(5, 8),
        run(6, 17),
        Step::Cancel { transfer: 0 },
        Step::LoseResponse { ahead: 3 },
        run(7, 7),
    ]);
}

/// Two invocations upload a small document. The second notices the cancel request and withdraws
/// its lease, while the first is still about to send its PUT.
#[test]
fn regression_withdrawn_lease_does_not_end_the_lease_of_an_earlier_put() {
    let request = |other, person| Step::Request { other, person };
    let run = |process, effects| Step::Run { process, effects };
    play(&[
        request(false, 0),
        run(0, 9),
        Step::Duplicate { transfer: 0 },
        run(6, 12),
        run(1, 16),
        run(2, 9),
        Step::Cancel { transfer: 0 },
        run(2, 18),
        request(false, 1),
    ]);
}

/// An invocation is about to send its PUT while the transfer is being canceled. The ending waits
/// for the end of the lease, and the invocation aborts the PUT before.
#[test]
fn regression_put_is_aborted_before_an_ending_stops_waiting() {
    let request = |other, person| Step::Request { other, person };
    let run = |process, effects| Step::Run { process, effects };
    play(&[
        request(false, 0),
        run(0, 3),
        request(false, 1),
        run(0, 2),
        run(6, 7),
        Step::Cancel { transfer: 0 },
        run(0, 1),
        run(2, 2),
        run(0, 3),
        run(2, 10),
        run(0, 13),
        request(true, 2),
        run(2, 23),
        run(1, 23),
        run(0, 16),
        run(0, 26),
        run(0, 19),
        run(0, 11),
        request(false, 0),
        Step::Kill { process: 1 },
        request(false, 2),
        run(0, 22),
        Step::Duplicate { transfer: 3 },
        Step::Cancel { transfer: 3 },
        Step::Cancel { transfer: 0 },
        run(4, 14),
        run(5, 21),
        run(6, 16),
        run(2, 28),
        request(false, 0),
    ]);
}

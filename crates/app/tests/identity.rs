//! Tests of documents that share one exchange key, the name of their object in the exchange bucket.
//! Each recipient must get only their own document. An *unnamed push* is a push whose response,
//! which names the key, was lost.
//!
//! The environment variable `DOCFERRY_MODEL_CASES` sets the number of random cases.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::rc::Rc;

use bytes::Bytes;
use common::{MB, OWNER, SETTINGS, bytes, request_to};
use docferry_app::TaskInput;
use docferry_app::batch::{BatchDocument, NewBatch, initiate_batch};
use docferry_app::job;
use docferry_app::ports::{BatchStore as _, ConflictPolicy, PushStore as _, TransferStore as _};
use docferry_app::transfer::create::initiate;
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::{ObjectGuid, TransferId};
use docferry_domain::job::OnItemError;
use docferry_domain::job_spec::JobSpec;
use docferry_domain::person::Person;
use docferry_domain::phase::Phase;
use docferry_domain::slots::PoolLimits;
use docferry_domain::transfer::{
    Delivery, DownloadTarget, NewTransfer, Target, Transfer, UNNAMED_PUSH_TIMEOUT,
};
use docferry_testkit::{Fault, Kill, Mode, Move, Processes, Runner, World};
use jiff::SignedDuration;
use proptest::prelude::*;

/// File name of all documents at their source.
const NAME: &str = "order.pdf";

/// GUID of the document with this number.
fn guid(document: usize) -> ObjectGuid {
    format!("{document:08}").parse().unwrap()
}

/// Content of a document: each byte differs from the byte at the same offset of the other
/// documents.
fn content(document: usize, len: usize) -> Bytes {
    let mask = u8::try_from(document * 37 % 256).unwrap();
    bytes(len).iter().map(|byte| byte ^ mask).collect::<Vec<u8>>().into()
}

/// A world with documents of these lengths.
fn world_of(lengths: &[usize]) -> World {
    let world = World::default();
    for (document, len) in lengths.iter().enumerate() {
        world.add_document(guid(document).as_str(), NAME, content(document, *len));
    }
    world
}

/// Email address of the only recipient of a document.
fn address(document: usize) -> String {
    format!("reader{document}@court.example")
}

fn request(document: usize, download: bool) -> NewTransfer {
    let new = NewTransfer { object_guid: guid(document), ..request_to(&address(document)) };
    if !download {
        return new;
    }
    let person = Person::new(address(document));
    let retain_until = Some(docferry_testkit::builders::epoch() + SignedDuration::from_hours(9999));
    let spec = JobSpec { retain_until, ..new.spec };
    NewTransfer { target: Target::Download(DownloadTarget { person }), spec, ..new }
}

/// Requests a document for its recipient. Returns the input of its first execution.
async fn start_transfer(world: &World, document: usize, download: bool) -> TaskInput {
    let runner = Runner::new(world);
    let transfer =
        initiate(&runner.scheduler(), SETTINGS, request(document, download)).await.unwrap();
    TaskInput { transfer_id: transfer.transfer_id, execution_number: 1 }
}

async fn record(world: &World, id: &TransferId) -> Transfer {
    world.store().get(id).await.unwrap().unwrap()
}

async fn assert_completed(world: &World, task: &TaskInput) {
    let record = record(world, &task.transfer_id).await;
    let failure = record.failure.map(|failure| failure.code);
    assert_eq!((record.phase, failure), (Phase::Completed, None), "{}", task.transfer_id);
}

/// Checks that each recipient has only bytes of their own document.
fn assert_own_bytes(world: &World) {
    assert_own_bytes_except(world, &BTreeSet::new());
}

/// Checks the same, but permits bytes of `overdue` documents: a push of theirs was unanswered for
/// longer than [`UNNAMED_PUSH_TIMEOUT`], so other documents no longer waited for it.
fn assert_own_bytes_except(world: &World, overdue: &BTreeSet<ObjectGuid>) {
    let state = world.state();
    let is_overdue =
        |bytes: &Bytes| overdue.iter().any(|guid| state.documents[guid.as_str()].bytes == *bytes);
    for (path, file) in state.drive.files() {
        let document = path.trim_start_matches("reader").split('@').next().unwrap();
        let own = &state.documents[guid(document.parse().unwrap()).as_str()].bytes;
        let is_excused = is_overdue(&file.bytes);
        assert!(is_excused || file.bytes == *own, "{path} has the bytes of another document");
    }
    for transfer in world.store().transfers() {
        if let Some(Delivery::Download(artifact)) = &transfer.delivery {
            let own = &state.documents[transfer.object_guid.as_str()].bytes;
            let object = state.delivery.objects.get(&artifact.key);
            let is_own = object.is_none_or(|bytes| bytes == own || is_overdue(bytes));
            assert!(is_own, "{} has the bytes of another document", artifact.key);
        }
    }
}

/// Delivers two documents that are both pushed before the arrival of either is checked.
async fn deliver_two_pushed_documents(lengths: [usize; 2], download: bool) {
    let world = world_of(&lengths);
    let first = start_transfer(&world, 0, download).await;
    let second = start_transfer(&world, 1, download).await;
    let runner = Runner::new(&world);
    assert!(runner.push_once(&first).await.unwrap());
    assert!(!runner.push_once(&second).await.unwrap(), "the first document holds the key");
    // Each transfer may wait for the other, so their steps alternate.
    for _ in 0..200 {
        for task in [&first, &second] {
            runner.visit(task).await;
            assert_own_bytes(&world);
        }
    }
    runner.run_all().await;
    assert_own_bytes(&world);
    for task in [&first, &second] {
        assert_completed(&world, task).await;
    }
}

#[tokio::test(start_paused = true)]
async fn documents_with_equal_names_reach_their_own_recipients() {
    for lengths in [[MB, MB], [MB, MB + 1], [5 * MB, 5 * MB]] {
        deliver_two_pushed_documents(lengths, false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn downloads_with_equal_names_deliver_their_own_documents() {
    for lengths in [[MB, MB], [MB, MB + 1]] {
        deliver_two_pushed_documents(lengths, true).await;
    }
}

/// The push of the second document replaces the object of the first document during its upload.
#[tokio::test(start_paused = true)]
async fn upload_delivers_its_own_bytes_after_its_object_was_replaced() {
    for len in [5 * MB, 5 * MB + 1] {
        let world = world_of(&[5 * MB, len]);
        let mut runner = Runner::new(&world);
        // An invocation has time for two fragments.
        runner.function_time = SignedDuration::from_secs(6);
        let first = start_transfer(&world, 0, false).await;
        runner.push_once(&first).await.unwrap();
        world.advance(SignedDuration::from_secs(10));
        // An effect in the middle of the upload.
        let at = world.effects().len() + 12;
        world.inject(Fault { at, mode: Mode::CrashAfter });
        let _died = Box::pin(runner.survive(runner.upload_once_after_arrival(&first))).await;
        let second = start_transfer(&world, 1, false).await;

        assert!(!runner.push_once(&second).await.unwrap());

        runner.function_time = SignedDuration::from_secs(300);
        runner.execute(&first).await;
        runner.execute(&second).await;
        assert_own_bytes(&world);
        for task in [&first, &second] {
            assert_completed(&world, task).await;
        }
    }
}

/// The process dies after the source has pushed and before it learns the exchange key.
#[tokio::test(start_paused = true)]
async fn unnamed_push_is_awaited_before_an_object_is_accepted() {
    let world = world_of(&[MB, MB]);
    let first = start_transfer(&world, 0, false).await;
    let second = start_transfer(&world, 1, false).await;
    let runner = Runner::new(&world);
    runner.push_once(&first).await.unwrap();
    // The effect that calls the source. The assertion below checks this.
    let at = world.effects().len() + 3;
    world.inject(Fault { at, mode: Mode::CrashAfter });

    let _died = runner.survive(runner.push_once(&second)).await;

    assert_eq!(world.effects()[at], "push");

    // The object is now that of the second document.
    runner.visit(&first).await;
    assert_own_bytes(&world);
    assert!(record(&world, &first.transfer_id).await.object.is_none());

    runner.push_once(&second).await.unwrap();
    runner.execute(&first).await;
    runner.execute(&second).await;
    assert_own_bytes(&world);
    for task in [&first, &second] {
        assert_completed(&world, task).await;
    }
}

#[tokio::test(start_paused = true)]
async fn documents_of_one_batch_with_equal_names_are_numbered() {
    for policy in [ConflictPolicy::Replace, ConflictPolicy::Rename, ConflictPolicy::Fail] {
        for (len, slots_per_person) in [(2000, 1), (2000, 3), (4_100_000, 3)] {
            let world = world_of(&[len, len, len + 1]);
            let mut runner = Runner::new(&world);
            runner.settings.policy = policy;
            runner.limits = PoolLimits::new(50, slots_per_person).into();
            let first = request(0, false);
            let new = NewBatch {
                spec: first.spec,
                origin: None,
                documents: (0..3).map(|n| BatchDocument::of_guid(guid(n))).collect(),
                target: first.target,
                priority: first.priority,
                on_item_error: OnItemError::Fail,
            };
            let id = TransferId::of_batch(7);
            let scheduler = runner.scheduler();
            initiate_batch(&scheduler, SETTINGS, id.clone(), new, None).await.unwrap();
            for task in runner.started() {
                runner.push_once(&task).await.unwrap();
            }

            runner.run_all().await;
            runner.recover(5).await;

            let (ended, counts) = world.store().batch(&id).await.unwrap().unwrap();
            assert_eq!((ended.phase, counts.completed), (Phase::Completed, 3), "{policy:?}");

            let state = world.state();
            let found: BTreeSet<_> = state.drive.files().values().map(|f| &f.bytes).collect();
            let sent: BTreeSet<_> = state.documents.values().map(|d| &d.bytes).collect();
            assert_eq!(found, sent, "{policy:?}: a document is missing or wrong");
        }
    }
}

/// The source has pushed, but its response is rejected because the resulting path is too long.
#[tokio::test(start_paused = true)]
async fn object_of_a_rejected_push_is_removed() {
    let world = world_of(&[MB]);
    let folder = format!("{}/{}", "a".repeat(200), "b".repeat(192));
    let target = docferry_testkit::builders::drive_target(&address(0), &folder);
    let new = NewTransfer { target: target.into(), ..request(0, false) };
    let runner = Runner::new(&world);
    let transfer = initiate(&runner.scheduler(), SETTINGS, new).await.unwrap();
    runner.run_all().await;
    let ended = record(&world, &transfer.transfer_id).await;
    let failure = ended.failure.map(|failure| failure.code);

    assert_eq!((ended.phase, failure), (Phase::Failed, Some(FailureCode::DestinationRefused)));

    runner.recover(2).await;
    assert!(world.state().objects.is_empty(), "the exchange bucket is not empty");
    assert!(world.keys_in_use().is_empty());
}

/// One random event.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The recipient of a document requests it.
    Request { document: usize, download: bool },
    /// A process runs its next effects.
    Run { process: usize, effects: u8 },
    /// The current invocation of a process is killed.
    Kill { process: usize },
    /// The response of a later effect is lost; `ahead` counts the effects before it.
    LoseResponse { ahead: u8 },
    /// A cancel is requested.
    Cancel { transfer: usize },
    /// The sweeper runs.
    Sweep,
    /// The clock advances, and all invocations are killed.
    AdvanceClock { seconds: u16 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_usize..5, prop::bool::weighted(0.3))
            .prop_map(|(document, download)| Step::Request { document, download }),
        12 => (0_usize..8, 1_u8..30).prop_map(|(process, effects)| Step::Run { process, effects }),
        1 => (0_usize..8).prop_map(|process| Step::Kill { process }),
        1 => (0_u8..20).prop_map(|ahead| Step::LoseResponse { ahead }),
        1 => (0_usize..5).prop_map(|transfer| Step::Cancel { transfer }),
        1 => Just(Step::Sweep),
        1 => (1_u16..120).prop_map(|seconds| Step::AdvanceClock { seconds }),
    ]
}

/// Behavior of the document source for each push: the delay of the copy, and whether it overwrites
/// an object. Each copy arrives before the arrival deadline.
fn moves() -> impl Strategy<Value = Vec<Move>> {
    let single_move = (prop_oneof![Just(0_i64), 1_i64..10, 10_i64..500], any::<bool>()).prop_map(
        |(seconds, overwrites)| Move { delay: SignedDuration::from_secs(seconds), overwrites },
    );
    prop::collection::vec(single_move, 0..12)
}

/// The system under test, and the observations of it.
struct Model {
    world: World,
    processes: Processes<'static>,
    /// Names of the executions that a process runs.
    executions: BTreeSet<String>,
    /// Number of documents at the source.
    documents: usize,
    /// Number of requests so far.
    requests: usize,
    /// Documents whose push was unanswered for [`UNNAMED_PUSH_TIMEOUT`] or longer.
    overdue: BTreeSet<ObjectGuid>,
}

impl Model {
    /// Starts a process with its own runner.
    fn spawn<F: Future<Output = ()> + 'static>(&mut self, make: impl FnOnce(Rc<Runner>) -> F) {
        let runner = Rc::new(Runner::new(&self.world));
        let kill: Kill = runner.kill.clone();
        self.processes.add(kill, make(runner));
    }

    async fn apply(&mut self, step: Step) {
        match step {
            Step::Request { document, download } if self.requests < 6 => {
                self.requests += 1;
                let new = request(document % self.documents, download);
                self.spawn(async move |runner| {
                    runner.survive(initiate(&runner.scheduler(), SETTINGS, new)).await;
                });
            }
            Step::Request { .. } => {}
            Step::Run { process, effects } => {
                for _ in 0..effects {
                    self.world.advance(SignedDuration::from_millis(20));
                    self.step(process).await;
                }
                assert_own_bytes_except(&self.world, &self.overdue);
            }
            Step::Kill { process } => self.processes.kill(process),
            Step::LoseResponse { ahead } => {
                let at = self.world.effects().len() + usize::from(ahead);
                self.world.inject(Fault { at, mode: Mode::ResponseLost });
            }
            Step::Cancel { transfer } => {
                let records = self.world.store().transfers();
                let Some(record) = records.get(transfer % records.len().max(1)) else { return };
                let ids = [record.transfer_id.clone()];
                self.spawn(async move |runner| {
                    let scheduler = runner.scheduler();
                    let cancel = job::terminate(&scheduler, SETTINGS.record_ttl, OWNER, &ids);
                    runner.survive(cancel).await;
                });
            }
            Step::Sweep => self.spawn(async move |runner| {
                runner.sweep().await;
            }),
            Step::AdvanceClock { seconds } => {
                self.world.advance(SignedDuration::from_secs(seconds.into()));
                for process in 0..self.processes.len() {
                    self.processes.kill(process);
                }
            }
        }
        self.start_executions();
    }

    /// Starts a process for each started execution that has none.
    fn start_executions(&mut self) {
        for task in Runner::new(&self.world).started() {
            if self.executions.insert(format!("{}-{}", task.transfer_id, task.execution_number)) {
                self.spawn(async move |runner| {
                    runner.execute(&task).await;
                });
            }
        }
    }

    /// Runs the next effect of a process and records overdue pushes.
    async fn step(&mut self, process: usize) {
        self.processes.step(process).await;
        let now = self.world.state().now;
        let pushes = self.world.store().pushes_in_flight().await.unwrap().into_iter();
        let overdue =
            pushes.filter(|push| now.duration_since(push.pushed_at) >= UNNAMED_PUSH_TIMEOUT);
        self.overdue.extend(overdue.map(|push| push.guid));
    }

    async fn run(&mut self) {
        for process in 0..1_000_000 {
            if self.processes.is_empty() {
                return;
            }
            self.step(process).await;
        }
        panic!("the processes have not ended after a million effects");
    }

    /// Runs everything to its end without further faults.
    async fn run_to_end(&mut self) {
        for _ in 0..40 {
            self.run().await;
            assert_own_bytes_except(&self.world, &self.overdue);
            self.world.advance(SignedDuration::from_secs(60));
            self.spawn(async move |runner| {
                runner.sweep().await;
            });
            self.run().await;
            self.start_executions();
        }
        self.world.advance(SignedDuration::from_hours(2));
        for _ in 0..3 {
            self.spawn(async move |runner| {
                runner.sweep().await;
            });
            self.run().await;
            self.world.advance(SignedDuration::from_secs(600));
        }
    }
}

/// Runs one case and checks its end state.
async fn play(lengths: Vec<usize>, moves: Vec<Move>, steps: Vec<Step>) {
    let world = world_of(&lengths);
    {
        let mut state = world.state();
        state.interleaved = true;
        state.moves = moves.into();
    }
    let has_faults = steps.iter().any(|step| {
        matches!(step, Step::Kill { .. } | Step::LoseResponse { .. } | Step::AdvanceClock { .. })
    });
    let mut model = Model {
        world: world.clone(),
        processes: Processes::default(),
        executions: BTreeSet::new(),
        documents: lengths.len(),
        requests: 0,
        overdue: BTreeSet::new(),
    };
    for step in steps {
        model.apply(step).await;
    }
    model.run_to_end().await;
    world.state().interleaved = false;
    assert_own_bytes_except(&world, &model.overdue);
    for transfer in world.store().transfers() {
        assert!(transfer.phase.is_terminal(), "{:?}", transfer.phase);
        let failure = transfer.failure.as_ref().map(|failure| failure.code);
        if !has_faults {
            assert!(matches!(failure, None | Some(FailureCode::Canceled)), "{failure:?}");
        }
        if transfer.phase == Phase::Completed && transfer.target.drive().is_some() {
            let state = world.state();
            let path = format!("{} court/{NAME}", transfer.target.person().as_str());
            assert!(state.drive.files().contains_key(&path), "{path} is missing");
        }
    }
    assert!(world.keys_in_use().is_empty(), "an exchange key is in use");
}

/// Number of random cases.
#[expect(clippy::disallowed_methods, reason = "configures the test, not the program")]
fn cases() -> u32 {
    std::env::var("DOCFERRY_MODEL_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_recipient_gets_a_byte_of_another_document(
        lengths in prop::collection::vec(prop_oneof![3 => Just(1000_usize), 1 => Just(1001)], 2..6),
        moves in moves(),
        steps in prop::collection::vec(step(), 1..100),
    ) {
        fastrand::seed(1);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(play(lengths, moves, steps));
    }
}

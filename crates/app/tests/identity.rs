//! Documents that share one exchange key: each recipient gets their own.
//!
//! `DOCFERRY_MODEL_CASES` says how many cases are tried.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::BTreeSet;

use bytes::Bytes;
use common::{MB, SETTINGS, bytes, request_to};
use docferry_app::bundle::{NewBundle, initiate_bundle};
use docferry_app::initiate::initiate;
use docferry_app::ports::{BundleStore as _, ConflictPolicy, TransferStore as _};
use docferry_app::{TaskInput, control};
use docferry_domain::{
    Delivery, DownloadTarget, FailureCode, NewTransfer, ObjectGuid, OnItemError, Person, Phase,
    PoolLimits, Target, Transfer, TransferId, UNNAMED_PUSH_WAIT,
};
use docferry_testkit::{Fault, Kill, Mode, Move, Processes, Runner, World};
use jiff::SignedDuration;
use proptest::prelude::*;

/// What all of them are called at their source.
const NAME: &str = "order.pdf";

fn guid(document: usize) -> ObjectGuid {
    format!("{document:08}").parse().unwrap()
}

/// The bytes of a document: every byte differs from the same byte of the others.
fn content(document: usize, len: usize) -> Bytes {
    let mask = u8::try_from(document * 37 % 256).unwrap();
    bytes(len).iter().map(|byte| byte ^ mask).collect::<Vec<u8>>().into()
}

fn world_of(lengths: &[usize]) -> World {
    let world = World::default();
    for (document, len) in lengths.iter().enumerate() {
        world.add_document(guid(document).as_str(), NAME, content(document, *len));
    }
    world
}

fn address(document: usize) -> String {
    format!("reader{document}@court.example")
}

fn request(document: usize, download: bool) -> NewTransfer {
    let new = NewTransfer { object_guid: guid(document), ..request_to(&address(document)) };
    if !download {
        return new;
    }
    let person = Person::new(address(document));
    let keep_until = Some(docferry_testkit::builders::epoch() + SignedDuration::from_hours(9999));
    NewTransfer { target: Target::Download(DownloadTarget { person }), keep_until, ..new }
}

async fn ask(world: &World, document: usize, download: bool) -> TaskInput {
    let runner = Runner::new(world);
    let made = initiate(&runner.admitter(), SETTINGS, request(document, download)).await.unwrap();
    TaskInput { transfer_id: made.transfer_id, attempt: 1 }
}

async fn record(world: &World, id: &TransferId) -> Transfer {
    world.store().get(id).await.unwrap().unwrap()
}

async fn assert_completed(world: &World, task: &TaskInput) {
    let record = record(world, &task.transfer_id).await;
    let failure = record.failure.map(|failure| failure.code);
    assert_eq!((record.phase, failure), (Phase::Completed, None), "{}", task.transfer_id);
}

/// No recipient has a byte of another's document.
fn assert_own(world: &World) {
    assert_own_but(world, &BTreeSet::new());
}

/// The same, but for documents of which a push stayed without an answer for longer than
/// others wait for it.
fn assert_own_but(world: &World, overdue: &BTreeSet<ObjectGuid>) {
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
            assert!(is_own, "{} is served another", artifact.key);
        }
    }
}

/// Two pushes before either object is looked at.
async fn both_pushed(lengths: [usize; 2], download: bool) {
    let world = world_of(&lengths);
    let first = ask(&world, 0, download).await;
    let second = ask(&world, 1, download).await;
    let runner = Runner::new(&world);
    assert!(runner.push_once(&first).await.unwrap());
    assert!(!runner.push_once(&second).await.unwrap(), "the key is the first document's");
    // Each waits for the other, so they run in turn.
    for _ in 0..200 {
        for task in [&first, &second] {
            runner.visit(task).await;
            assert_own(&world);
        }
    }
    runner.run_all().await;
    assert_own(&world);
    for task in [&first, &second] {
        assert_completed(&world, task).await;
    }
}

#[tokio::test(start_paused = true)]
async fn documents_with_equal_names_reach_their_own_recipients() {
    for lengths in [[MB, MB], [MB, MB + 1], [5 * MB, 5 * MB]] {
        both_pushed(lengths, false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn downloads_of_documents_with_equal_names_are_served_under_their_own() {
    for lengths in [[MB, MB], [MB, MB + 1]] {
        both_pushed(lengths, true).await;
    }
}

/// The second document replaces the first one in the middle of its upload.
#[tokio::test(start_paused = true)]
async fn upload_whose_object_another_document_replaces_sends_its_own_bytes() {
    for len in [5 * MB, 5 * MB + 1] {
        let world = world_of(&[5 * MB, len]);
        let mut runner = Runner::new(&world);
        // Two fragments an invocation.
        runner.function_time = SignedDuration::from_secs(6);
        let first = ask(&world, 0, false).await;
        runner.push_once(&first).await.unwrap();
        world.advance(SignedDuration::from_secs(10));
        let at = world.effects().len() + 12;
        world.inject(Fault { at, mode: Mode::CrashAfter });
        let _died = Box::pin(runner.survive(runner.upload_once_after_arrival(&first))).await;
        let second = ask(&world, 1, false).await;
        assert!(!runner.push_once(&second).await.unwrap());
        runner.function_time = SignedDuration::from_secs(300);
        runner.execute(&first).await;
        runner.execute(&second).await;
        assert_own(&world);
        for task in [&first, &second] {
            assert_completed(&world, task).await;
        }
    }
}

/// The source has pushed, and the process dies before it hears under which key.
#[tokio::test(start_paused = true)]
async fn unnamed_push_is_awaited_before_an_object_is_accepted() {
    let world = world_of(&[MB, MB]);
    let first = ask(&world, 0, false).await;
    let second = ask(&world, 1, false).await;
    let runner = Runner::new(&world);
    runner.push_once(&first).await.unwrap();
    let at = world.effects().len() + 3;
    world.inject(Fault { at, mode: Mode::CrashAfter });
    let _died = runner.survive(runner.push_once(&second)).await;
    assert_eq!(world.effects()[at], "push");
    // The object is the second document now.
    runner.visit(&first).await;
    assert_own(&world);
    assert!(record(&world, &first.transfer_id).await.object.is_none());
    runner.push_once(&second).await.unwrap();
    runner.execute(&first).await;
    runner.execute(&second).await;
    assert_own(&world);
    for task in [&first, &second] {
        assert_completed(&world, task).await;
    }
}

#[tokio::test(start_paused = true)]
async fn documents_of_one_batch_with_equal_names_are_numbered() {
    for policy in [ConflictPolicy::Replace, ConflictPolicy::Rename, ConflictPolicy::Fail] {
        for (len, at_once) in [(2000, 1), (2000, 3), (4_100_000, 3)] {
            let world = world_of(&[len, len, len + 1]);
            let mut runner = Runner::new(&world);
            runner.settings.policy = policy;
            runner.limits = PoolLimits::new(50, at_once).into();
            let one = request(0, false);
            let new = NewBundle {
                owner: one.owner,
                on_behalf_of: None,
                documents: (0..3).map(|n| (guid(n), None)).collect(),
                keep_until: None,
                callback: None,
                target: one.target,
                priority: one.priority,
                on_item_error: OnItemError::Fail,
            };
            let id = TransferId::of_bundle(7);
            let admitter = runner.admitter();
            initiate_bundle(&admitter, SETTINGS, id.clone(), new, None).await.unwrap();
            for task in runner.started() {
                runner.push_once(&task).await.unwrap();
            }
            runner.run_all().await;
            runner.recover(5).await;
            let (ended, counts) = world.store().bundle(&id).await.unwrap().unwrap();
            assert_eq!((ended.phase, counts.completed), (Phase::Completed, 3), "{policy:?}");
            let state = world.state();
            let found: BTreeSet<_> = state.drive.files().values().map(|f| &f.bytes).collect();
            let sent: BTreeSet<_> = state.documents.values().map(|d| &d.bytes).collect();
            assert_eq!(found, sent, "{policy:?}: each document is there");
        }
    }
}

/// The source has pushed, and then its answer is refused: the path is too long.
#[tokio::test(start_paused = true)]
async fn object_of_a_refused_push_is_removed() {
    let world = world_of(&[MB]);
    let folder = format!("{}/{}", "a".repeat(200), "b".repeat(192));
    let target = docferry_testkit::builders::drive_target(&address(0), &folder);
    let new = NewTransfer { target: target.into(), ..request(0, false) };
    let runner = Runner::new(&world);
    let made = initiate(&runner.admitter(), SETTINGS, new).await.unwrap();
    runner.run_all().await;
    let ended = record(&world, &made.transfer_id).await;
    let failure = ended.failure.map(|failure| failure.code);
    assert_eq!((ended.phase, failure), (Phase::Failed, Some(FailureCode::DestinationRefused)));
    runner.recover(2).await;
    assert!(world.state().objects.is_empty(), "the exchange bucket is clean");
    assert!(world.store().keys_in_use().is_empty());
}

/// What happens next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Ask { document: usize, download: bool },
    Run { process: usize, effects: u8 },
    Kill { process: usize },
    LoseAnswer { ahead: u8 },
    Cancel { transfer: usize },
    Sweep,
    Jump { seconds: u16 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_usize..5, prop::bool::weighted(0.3))
            .prop_map(|(document, download)| Step::Ask { document, download }),
        12 => (0_usize..8, 1_u8..30).prop_map(|(process, effects)| Step::Run { process, effects }),
        1 => (0_usize..8).prop_map(|process| Step::Kill { process }),
        1 => (0_u8..20).prop_map(|ahead| Step::LoseAnswer { ahead }),
        1 => (0_usize..5).prop_map(|transfer| Step::Cancel { transfer }),
        1 => Just(Step::Sweep),
        1 => (1_u16..120).prop_map(|seconds| Step::Jump { seconds }),
    ]
}

/// What the mover does with each push: every copy comes before the arrival deadline.
fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = (prop_oneof![Just(0_i64), 1_i64..10, 10_i64..500], any::<bool>()).prop_map(
        |(seconds, overwrites)| Move { delay: SignedDuration::from_secs(seconds), overwrites },
    );
    prop::collection::vec(one, 0..12)
}

struct Model {
    world: World,
    processes: Processes<'static>,
    executions: BTreeSet<String>,
    documents: usize,
    asked: usize,
    /// Documents of which a push was without an answer for too long.
    overdue: BTreeSet<ObjectGuid>,
}

impl Model {
    fn spawn<F: Future<Output = ()> + 'static>(&mut self, make: impl FnOnce(&'static Runner) -> F) {
        let runner: &'static Runner = Box::leak(Box::new(Runner::new(&self.world)));
        let kill: Kill = runner.kill.clone();
        self.processes.add(kill, make(runner));
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Ask { document, download } if self.asked < 6 => {
                self.asked += 1;
                let new = request(document % self.documents, download);
                self.spawn(async move |runner| {
                    runner.survive(initiate(&runner.admitter(), SETTINGS, new)).await;
                });
            }
            Step::Ask { .. } => {}
            Step::Run { process, effects } => {
                for _ in 0..effects {
                    self.world.advance(SignedDuration::from_millis(20));
                    self.step(process).await;
                }
                assert_own_but(&self.world, &self.overdue);
            }
            Step::Kill { process } => self.processes.kill(process),
            Step::LoseAnswer { ahead } => {
                let at = self.world.effects().len() + usize::from(ahead);
                self.world.inject(Fault { at, mode: Mode::AnswerLost });
            }
            Step::Cancel { transfer } => {
                let records = self.world.store().transfers();
                let Some(record) = records.get(transfer % records.len().max(1)) else { return };
                let ids = [record.transfer_id.clone()];
                self.spawn(async move |runner| {
                    let admitter = runner.admitter();
                    let asked = control::terminate(&admitter, SETTINGS.record_ttl, "scv", &ids);
                    runner.survive(asked).await;
                });
            }
            Step::Sweep => self.spawn(async move |runner| {
                runner.sweep().await;
            }),
            Step::Jump { seconds } => {
                self.world.advance(SignedDuration::from_secs(seconds.into()));
                for process in 0..self.processes.len() {
                    self.processes.kill(process);
                }
            }
        }
        self.start_executions();
    }

    fn start_executions(&mut self) {
        for task in Runner::new(&self.world).started() {
            if self.executions.insert(format!("{}-{}", task.transfer_id, task.attempt)) {
                self.spawn(async move |runner| {
                    runner.execute(&task).await;
                });
            }
        }
    }

    async fn step(&mut self, process: usize) {
        self.processes.step(process).await;
        let now = self.world.state().now;
        let waits = self.world.store().pushes_in_flight().await.unwrap().into_iter();
        let late = waits.filter(|push| now.duration_since(push.pushed_at) >= UNNAMED_PUSH_WAIT);
        self.overdue.extend(late.map(|push| push.guid));
    }

    async fn run(&mut self) {
        for process in 0..1_000_000 {
            if self.processes.is_empty() {
                return;
            }
            self.step(process).await;
        }
        panic!("the processes never end");
    }

    async fn settle(&mut self) {
        for _ in 0..40 {
            self.run().await;
            assert_own_but(&self.world, &self.overdue);
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

async fn play(lengths: Vec<usize>, moves: Vec<Move>, steps: Vec<Step>) {
    let world = world_of(&lengths);
    {
        let mut state = world.state();
        state.interleaved = true;
        state.moves = moves.into();
    }
    let disturbed = steps.iter().any(|step| {
        matches!(step, Step::Kill { .. } | Step::LoseAnswer { .. } | Step::Jump { .. })
    });
    let mut model = Model {
        world: world.clone(),
        processes: Processes::default(),
        executions: BTreeSet::new(),
        documents: lengths.len(),
        asked: 0,
        overdue: BTreeSet::new(),
    };
    for step in steps {
        model.take(step).await;
    }
    model.settle().await;
    world.state().interleaved = false;
    assert_own_but(&world, &model.overdue);
    for transfer in world.store().transfers() {
        assert!(transfer.phase.is_terminal(), "{:?}", transfer.phase);
        let failure = transfer.failure.as_ref().map(|failure| failure.code);
        if !disturbed {
            assert!(matches!(failure, None | Some(FailureCode::Canceled)), "{failure:?}");
        }
        if transfer.phase == Phase::Completed && transfer.target.drive().is_some() {
            let state = world.state();
            let path = format!("{} court/{NAME}", transfer.target.person().as_str());
            assert!(state.drive.files().contains_key(&path), "{path} is there");
        }
    }
    assert!(world.store().keys_in_use().is_empty(), "no key is used any more");
}

/// How many cases; more of them by hand.
#[expect(clippy::disallowed_methods, reason = "a setting of the test, not of the program")]
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

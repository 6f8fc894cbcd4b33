//! Tests of documents of at most 4,000,000 bytes, which one PUT uploads without a session.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{MB, assert_invariants, bytes, record, start, world_with};
use std::ops::Range;
use std::sync::Arc;

use docferry_app::delivery::upload::{UploadPorts, upload};
use docferry_app::ports::{
    Adapters, ByteStream, Clock as _, ConflictPolicy, Destination, Drive as _, ExchangeError,
    ExchangeStore, TransferStore as _, UploadAdapters,
};
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Delivery, ObjectHead};
use docferry_testkit::{Ended, Fault, Mode, Runner, Scripted, World};
use jiff::Timestamp;

/// Largest size in bytes of a document that is uploaded without a session.
const LARGEST: usize = 4_000_000;

/// Requests a delivery and runs its execution.
async fn send(world: &World, policy: ConflictPolicy) -> (docferry_app::TaskInput, Ended) {
    let task = start(world).await;
    let mut runner = Runner::new(world);
    runner.settings.policy = policy;
    let ended = runner.execute(&task).await;
    (task, ended)
}

/// File names in the drive.
fn names(world: &World) -> Vec<String> {
    world.state().drive.files().keys().map(|path| path.rsplit('/').next().unwrap().into()).collect()
}

/// Number of PUTs of a whole document.
fn puts(world: &World) -> usize {
    world.effects().iter().filter(|effect| **effect == "put_whole").count()
}

#[tokio::test(start_paused = true)]
async fn documents_up_to_four_million_bytes_need_no_session() {
    for (len, sessions) in [(0, 0), (1, 0), (LARGEST, 0), (LARGEST + 1, 1)] {
        let world = world_with(len);
        let (task, ended) = send(&world, ConflictPolicy::Replace).await;
        assert_eq!(ended.phase, Some(Phase::Completed), "{ended:?}");
        assert_invariants(&world, &task, &bytes(len), "small").await;
        let opened = world.effects().iter().filter(|e| **e == "create_session").count();
        assert_eq!((opened, puts(&world)), (sessions, 1 - sessions), "{len}");
        assert_eq!(world.state().drive.received, len as u64);
    }
}

/// Number of the effect that uploads the document when no fault happens.
async fn put_at(policy: ConflictPolicy, foreign: bool) -> usize {
    let world = world_beside(foreign).await;
    send(&world, policy).await;
    world.effects().iter().rposition(|effect| *effect == "put_whole").unwrap()
}

fn destination() -> Destination {
    Destination {
        recipient: "judge@court.example".parse().unwrap(),
        folder: "Court".parse().unwrap(),
        name: "order.pdf".parse().unwrap(),
    }
}

/// A world in which another user's file of the same name may exist already.
async fn world_beside(foreign: bool) -> World {
    let world = world_with(MB);
    if foreign {
        world.put_whole(&destination(), "theirs".into(), ConflictPolicy::Fail).await.unwrap();
    }
    world
}

/// A rejected PUT stores nothing. A file that exists at the path belongs to another user, even if
/// its bytes are the same.
#[tokio::test(start_paused = true)]
async fn locked_put_does_not_adopt_an_identical_foreign_file() {
    let world = world_with(MB);
    world.put_whole(&destination(), bytes(MB), ConflictPolicy::Fail).await.unwrap();
    world.state().drive.script = vec![Scripted::Lock];
    let (task, ended) = send(&world, ConflictPolicy::Fail).await;
    assert_eq!(ended.phase, Some(Phase::Failed));
    let failure = record(&world, &task).await.failure.unwrap();
    assert_eq!(failure.code, FailureCode::DestinationConflict);
}

/// Each conflict policy, with a lost response and with a crash after the PUT.
#[tokio::test(start_paused = true)]
async fn put_with_lost_response_is_found_and_not_repeated() {
    for policy in [ConflictPolicy::Replace, ConflictPolicy::Rename, ConflictPolicy::Fail] {
        for mode in [Mode::ResponseLost, Mode::CrashAfter] {
            let world = world_beside(false).await;
            world.inject(Fault { at: put_at(policy, false).await, mode });
            let (task, ended) = send(&world, policy).await;
            assert_eq!(ended.phase, Some(Phase::Completed), "{policy:?} {mode:?} {ended:?}");
            assert_invariants(&world, &task, &bytes(MB), "lost").await;
            assert_eq!(puts(&world), 1, "{policy:?} {mode:?}");
        }
    }
}

/// Another user's file has the name, so the document gets a number. When the response is lost, the
/// numbered file is recognised by its bytes.
#[tokio::test(start_paused = true)]
async fn retry_under_rename_makes_no_second_copy() {
    for mode in [Mode::ResponseLost, Mode::CrashBefore, Mode::CrashAfter] {
        let world = world_beside(true).await;
        world.inject(Fault { at: put_at(ConflictPolicy::Rename, true).await, mode });
        let (task, ended) = send(&world, ConflictPolicy::Rename).await;
        assert_eq!(ended.phase, Some(Phase::Completed), "{mode:?} {ended:?}");
        assert_eq!(names(&world), ["order 1.pdf", "order.pdf"], "{mode:?}");
        let delivery = record(&world, &task).await.delivery;
        let Some(Delivery::Onedrive(item)) = delivery else { panic!("{delivery:?}") };
        assert_eq!(item.size, MB as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn fail_policy_keeps_a_foreign_file_and_reports_the_conflict() {
    let world = world_beside(true).await;
    let (task, ended) = send(&world, ConflictPolicy::Fail).await;
    assert_eq!(ended.phase, Some(Phase::Failed));
    let failure = record(&world, &task).await.failure.unwrap();
    assert_eq!(failure.code, FailureCode::DestinationConflict);
    assert_eq!(names(&world), ["order.pdf"]);
}

#[tokio::test(start_paused = true)]
async fn put_is_repeated_after_a_server_error() {
    let world = world_with(MB);
    world.state().drive.script = vec![Scripted::ServerError];
    let (task, ended) = send(&world, ConflictPolicy::Replace).await;
    assert_eq!(ended.phase, Some(Phase::Completed), "{ended:?}");
    assert_invariants(&world, &task, &bytes(MB), "500").await;
    assert_eq!(puts(&world), 2);
}

/// A rejected second PUT does not tell whether the first PUT, whose response was lost, is still in
/// progress. The ending has to wait for the first PUT.
#[tokio::test(start_paused = true)]
async fn rejected_put_keeps_the_lease_of_an_earlier_put() {
    for (script, has_lease) in [(vec![Scripted::Lock], false), (lost_then_locked(), true)] {
        let world = world_with(MB);
        let task = start(&world).await;
        let runner = Runner::new(&world);
        runner.push_once(&task).await.unwrap();
        world.state().drive.script = script;
        runner.upload_once_after_arrival(&task).await.unwrap_err();
        let checkpoint = record(&world, &task).await.checkpoint.unwrap();
        assert_eq!(checkpoint.put_lease_until.is_some(), has_lease);
    }
}

fn lost_then_locked() -> Vec<Scripted> {
    vec![Scripted::ServerError, Scripted::Lock]
}

/// An exchange bucket that requests a cancel of the transfer whenever an object is read.
struct CancelsOnRead(World, TransferId);

impl ExchangeStore for CancelsOnRead {
    async fn store_time(&self) -> Result<Timestamp, ExchangeError> {
        self.0.store_time().await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectHead>, ExchangeError> {
        self.0.head(key).await
    }

    async fn read(
        &self,
        key: &str,
        etag: &str,
        range: Range<u64>,
    ) -> Result<ByteStream, ExchangeError> {
        self.0.store().request_cancel(&self.1, "scv", 0).await.unwrap();
        self.0.read(key, etag, range).await
    }

    async fn delete(&self, key: &str) -> Result<(), ExchangeError> {
        self.0.delete(key).await
    }
}

/// The world, except for its exchange bucket.
#[derive(Debug)]
enum Canceling {}

impl Adapters for Canceling {
    type Store = World;
    type Clock = World;
}

impl UploadAdapters for Canceling {
    type Drive = World;
    type Exchange = CancelsOnRead;
    type Sealer = World;
    type Budget = World;
}

#[tokio::test(start_paused = true)]
async fn cancel_is_checked_before_the_put() {
    let world = world_with(MB);
    let task = start(&world).await;
    let runner = Runner::new(&world);
    runner.push_once(&task).await.unwrap();
    docferry_app::source::poll::poll(&runner.scheduler(), &world, runner.rules, &task)
        .await
        .unwrap();
    let ports = UploadPorts::<Canceling> {
        store: world.clone(),
        drive: world.clone(),
        exchange: Arc::new(CancelsOnRead(world.clone(), task.transfer_id.clone())),
        sealer: world.clone(),
        clock: world.clone(),
        budget: world.clone(),
        settings: runner.settings,
    };
    let deadline = world.now() + runner.function_time;
    let canceled = upload(&ports, &task, deadline).await.unwrap_err();
    assert_eq!((canceled.code, puts(&world)), (FailureCode::Canceled, 0));
    let ended = runner.execute(&task).await;
    assert_eq!(ended.phase, Some(Phase::Canceled), "{ended:?}");
    assert_invariants(&world, &task, &bytes(MB), "canceled").await;
}

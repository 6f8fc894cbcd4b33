//! Tests of uploads of small documents: documents of at most 4,000,000 bytes, which are uploaded
//! with a single PUT, without an upload session.
//!
//! A PUT whose response was lost may have taken effect. Docferry then looks for the document at
//! the destination before it sends another PUT.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::ops::Range;
use std::sync::Arc;

use common::{
    FAULT_MODES, MB, OWNER, assert_invariants, bytes, effect_count, record, start, world_with,
};
use docferry_app::delivery::upload::{UploadPorts, upload};
use docferry_app::ports::{
    Adapters, ByteStream, Clock as _, ConflictPolicy, Destination, Drive as _, ExchangeError,
    ExchangeStore, RegistryAdapters, TransferStore as _, UploadAdapters,
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
fn put_count(world: &World) -> usize {
    effect_count(world, "put_whole")
}

#[tokio::test(start_paused = true)]
async fn documents_up_to_four_million_bytes_need_no_session() {
    for (len, expected_sessions) in [(0, 0), (1, 0), (LARGEST, 0), (LARGEST + 1, 1)] {
        let world = world_with(len);

        let (task, ended) = send(&world, ConflictPolicy::Replace).await;

        assert_eq!(ended.phase, Some(Phase::Completed), "{ended:?}");
        assert_invariants(&world, &task, &bytes(len), "small").await;
        assert_eq!(effect_count(&world, "create_session"), expected_sessions, "{len}");
        assert_eq!(put_count(&world), 1 - expected_sessions, "{len}");
        assert_eq!(world.state().drive.received, len as u64);
    }
}

/// Index of the effect that uploads the document to the drive of `world`, if no fault happens.
async fn index_of_put(world: World, policy: ConflictPolicy) -> usize {
    send(&world, policy).await;
    world.effects().iter().rposition(|effect| *effect == "put_whole").unwrap()
}

/// Path at which all tests deliver the document.
fn destination() -> Destination {
    Destination {
        recipient: "judge@court.example".parse().unwrap(),
        folder: "Court".parse().unwrap(),
        name: "order.pdf".parse().unwrap(),
    }
}

/// A world in which another user's file already has the path and name of the document.
async fn world_with_foreign_file() -> World {
    let world = world_with(MB);
    world.put_whole(&destination(), "theirs".into(), ConflictPolicy::Fail).await.unwrap();
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

/// Tests each conflict policy. Either the response to the PUT is lost, or the process dies after
/// the PUT.
#[tokio::test(start_paused = true)]
async fn put_with_lost_response_is_found_and_not_repeated() {
    for policy in [ConflictPolicy::Replace, ConflictPolicy::Rename, ConflictPolicy::Fail] {
        for mode in [Mode::ResponseLost, Mode::CrashAfter] {
            let world = world_with(MB);
            world.inject(Fault { at: index_of_put(world_with(MB), policy).await, mode });

            let (task, ended) = send(&world, policy).await;

            assert_eq!(ended.phase, Some(Phase::Completed), "{policy:?} {mode:?} {ended:?}");
            assert_invariants(&world, &task, &bytes(MB), "lost").await;
            assert_eq!(put_count(&world), 1, "{policy:?} {mode:?}");
        }
    }
}

/// A file of another user has the name of the document, so the document gets a numbered name. If
/// the response is lost, the retry recognizes the numbered file by its content.
#[tokio::test(start_paused = true)]
async fn retry_under_rename_makes_no_second_copy() {
    for mode in FAULT_MODES {
        let world = world_with_foreign_file().await;
        let put = index_of_put(world_with_foreign_file().await, ConflictPolicy::Rename).await;
        world.inject(Fault { at: put, mode });

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
    let world = world_with_foreign_file().await;

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
    assert_eq!(put_count(&world), 2);
}

/// A *PUT lease* is the time for which the ending of a transfer waits for a PUT that may still be
/// in progress. If the first PUT is rejected, no PUT is in progress and the lease is withdrawn. If
/// the response to the first PUT is lost and the second PUT is rejected, the first may still be in
/// progress, so the lease stays.
#[tokio::test(start_paused = true)]
async fn rejected_put_keeps_the_lease_of_an_earlier_put() {
    let rejected = vec![Scripted::Lock];
    let lost_then_rejected = vec![Scripted::ServerError, Scripted::Lock];
    for (script, keeps_lease) in [(rejected, false), (lost_then_rejected, true)] {
        let world = world_with(MB);
        let task = start(&world).await;
        let runner = Runner::new(&world);
        runner.push_once(&task).await.unwrap();
        world.state().drive.script = script;

        runner.upload_once_after_arrival(&task).await.unwrap_err();

        let checkpoint = record(&world, &task).await.checkpoint.unwrap();
        assert_eq!(checkpoint.put_lease_until.is_some(), keeps_lease);
    }
}

/// An exchange bucket that requests a cancel of the transfer before each read of an object.
struct CancelsOnRead {
    world: World,
    transfer_id: TransferId,
}

impl ExchangeStore for CancelsOnRead {
    async fn store_time(&self) -> Result<Timestamp, ExchangeError> {
        self.world.store_time().await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectHead>, ExchangeError> {
        self.world.head(key).await
    }

    async fn read(
        &self,
        key: &str,
        etag: &str,
        range: Range<u64>,
    ) -> Result<ByteStream, ExchangeError> {
        self.world.store().request_cancel(&self.transfer_id, OWNER, 0).await.unwrap();
        self.world.read(key, etag, range).await
    }

    async fn delete(&self, key: &str) -> Result<(), ExchangeError> {
        self.world.delete(key).await
    }
}

/// Adapters of an upload in which [`CancelsOnRead`] replaces the exchange bucket.
#[derive(Debug)]
enum Canceling {}

impl Adapters for Canceling {
    type Store = World;
    type Clock = World;
}

impl RegistryAdapters for Canceling {
    type Registry = World;
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
        exchange: Arc::new(CancelsOnRead {
            world: world.clone(),
            transfer_id: task.transfer_id.clone(),
        }),
        sealer: world.clone(),
        clock: world.clone(),
        budget: world.clone(),
        registry: world.clone(),
        settings: runner.settings,
    };
    let deadline = world.now() + runner.function_time;

    let error = upload(&ports, &task, deadline).await.unwrap_err();

    assert_eq!(error.code, FailureCode::Canceled);
    assert_eq!(put_count(&world), 0);
    let ended = runner.execute(&task).await;
    assert_eq!(ended.phase, Some(Phase::Canceled), "{ended:?}");
    assert_invariants(&world, &task, &bytes(MB), "canceled").await;
}

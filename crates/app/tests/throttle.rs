//! Tests of throttling. The drive throttles docferry by requesting a pause. All transfers of the
//! tenant share a long pause, because the drive limits the requests of the whole tenant.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::Duration;

use common::{MB, assert_invariants, bytes, effect_count, start, start_for, world_with};
use docferry_app::TaskInput;
use docferry_app::delivery::upload::Progress;
use docferry_app::ports::{Clock as _, ThrottleBudget as _};
use docferry_domain::phase::Phase;
use docferry_testkit::{InMemoryThrottleBudget, Runner, Scripted, World};
use jiff::SignedDuration;

/// Requests a delivery and runs the steps before the upload.
async fn start_and_await_arrival(world: &World, email: &str) -> TaskInput {
    let task = start_for(world, email).await.unwrap();
    Runner::new(world).push_once(&task).await.unwrap();
    let runner = Runner::new(world);
    docferry_app::source::poll::poll(&runner.scheduler(), world, runner.rules, &task)
        .await
        .unwrap();
    task
}

/// Throttles one transfer with a `Retry-After` of `seconds`, and then uploads another transfer.
/// Returns the result of the second upload.
async fn upload_after_throttling(seconds: u64) -> (World, Progress) {
    let world = world_with(MB);
    let first = start_and_await_arrival(&world, "ada@court.example").await;
    let second = start_and_await_arrival(&world, "ben@court.example").await;
    let runner = Runner::new(&world);
    world.state().drive.script = vec![Scripted::Throttle(Some(Duration::from_secs(seconds)))];
    runner.upload_once(&first).await.unwrap();
    let progress = runner.upload_once(&second).await.unwrap();
    (world, progress)
}

#[tokio::test(start_paused = true)]
async fn throttled_transfer_pauses_all_transfers_of_the_tenant() {
    let (world, progress) = upload_after_throttling(120).await;
    // The workflow waits at most 60 seconds at a time.
    assert_eq!(progress, Progress::Wait { seconds: 60 });
    assert_eq!(effect_count(&world, "put_whole"), 1, "the second transfer sent its document");
    let pause = world.paused().await.unwrap().unwrap();
    assert_eq!(pause.until.duration_since(world.now()), SignedDuration::from_secs(120));
}

#[tokio::test(start_paused = true)]
async fn short_pause_is_not_shared_with_other_transfers() {
    let (world, progress) = upload_after_throttling(1).await;
    assert_eq!(progress, Progress::Done);
    assert_eq!(world.paused().await.unwrap(), None);
}

/// A wrong `Retry-After` date must not stop all transfers.
#[tokio::test(start_paused = true)]
async fn shared_pause_lasts_at_most_an_hour() {
    let (world, _) = upload_after_throttling(10_000_000).await;
    let pause = world.paused().await.unwrap().unwrap();
    assert_eq!(pause.until.duration_since(pause.since), SignedDuration::from_hours(1));
}

#[tokio::test(start_paused = true)]
async fn shared_pause_is_read_once_per_invocation() {
    let world = world_with(5 * MB);
    let task = start(&world).await;

    let ended = Runner::new(&world).execute(&task).await;

    assert_eq!((ended.phase, ended.uploads), (Some(Phase::Completed), 1));
    assert!(effect_count(&world, "put_fragment") > 10);
    assert_eq!(effect_count(&world, "paused"), 1);
    assert_eq!(effect_count(&world, "pause_all"), 0);
    assert_invariants(&world, &task, &bytes(5 * MB), "once").await;
}

#[tokio::test]
async fn in_memory_throttle_budget_conforms_to_its_port() {
    docferry_testkit::conformance::throttle_budget(&InMemoryThrottleBudget::default()).await;
}

//! Tests of guarantees that hold while a transfer runs. Most other tests check only the end of a
//! transfer. They would not detect a violation, because a later step repairs it.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::Duration;

use common::{MB, OWNER, assert_invariants, bytes, record, start, start_for, world_with};
use docferry_app::TaskInput;
use docferry_app::delivery::upload::Progress;
use docferry_app::ports::TransferStore as _;
use docferry_domain::failure::FailureCode;
use docferry_domain::phase::Phase;
use docferry_testkit::{Fault, Mode, Runner, Scripted, World};

/// Runs the steps before the upload: the push, and the check that the document has arrived.
async fn run_until_arrival(world: &World, task: &TaskInput) {
    let runner = Runner::new(world);
    runner.push_once(task).await.unwrap();
    docferry_app::source::poll::poll(&runner.scheduler(), world, runner.rules, task).await.unwrap();
}

/// Uploads one fragment, throttles the upload, and requests a cancel during the pause. Returns the
/// phase in which the transfer ends.
async fn cancel_after_one_fragment(world: &World, task: &TaskInput) -> Option<Phase> {
    run_until_arrival(world, task).await;
    let pause = Some(Duration::from_secs(120));
    world.state().drive.script = vec![Scripted::Correct, Scripted::Throttle(pause)];
    let runner = Runner::new(world);
    let progress = runner.upload_once(task).await.unwrap();
    assert!(matches!(progress, Progress::Wait { .. }), "{progress:?}");
    assert!(record(world, task).await.bytes_done > 0, "no fragment was stored");
    world.store().request_cancel(&task.transfer_id, OWNER, 0).await.unwrap();
    runner.execute(task).await.phase
}

#[tokio::test(start_paused = true)]
async fn ended_transfer_keeps_a_source_copy_that_another_transfer_uses() {
    let world = world_with(MB);
    let one = start_for(&world, "one@court.example").await.unwrap();
    let two = start_for(&world, "two@court.example").await.unwrap();
    run_until_arrival(&world, &one).await;
    run_until_arrival(&world, &two).await;
    let runner = Runner::new(&world);

    assert_eq!(runner.execute(&one).await.phase, Some(Phase::Completed));
    assert_eq!(world.state().objects.len(), 1, "the other transfer still needs the object");
    assert_eq!(runner.execute(&two).await.phase, Some(Phase::Completed));
    assert!(world.state().objects.is_empty(), "the last transfer did not delete the object");
}

#[tokio::test(start_paused = true)]
async fn source_copy_is_deleted_only_after_the_ending_is_durable() {
    for is_canceled in [false, true] {
        let world = world_with(5 * MB);
        let task = start(&world).await;

        let phase = if is_canceled {
            cancel_after_one_fragment(&world, &task).await
        } else {
            Runner::new(&world).execute(&task).await.phase
        };
        let expected = if is_canceled { Phase::Canceled } else { Phase::Completed };
        assert_eq!(phase, Some(expected));
        let effects = world.effects();
        let first_index = |name| effects.iter().position(|effect| *effect == name).unwrap();
        assert!(first_index("finish") < first_index("delete_object"), "{effects:?}");
    }
}

/// The process dies after a fragment was stored and before its checkpoint.
#[tokio::test(start_paused = true)]
async fn next_invocation_resends_no_stored_bytes() {
    let world = world_with(5 * MB);
    let task = start(&world).await;
    Runner::new(&world).execute(&task).await;
    let effects = world.effects();
    let fragments = effects.iter().enumerate().filter(|(_, effect)| **effect == "put_fragment");
    for (fragment_index, _) in fragments {
        let world = world_with(5 * MB);
        let task = start(&world).await;
        world.inject(Fault { at: fragment_index, mode: Mode::CrashAfter });

        Runner::new(&world).execute(&task).await;

        assert_invariants(&world, &task, &bytes(5 * MB), &format!("at {fragment_index}")).await;
        assert_eq!(world.state().drive.received, 5 * MB as u64, "at {fragment_index}");
    }
}

#[tokio::test(start_paused = true)]
async fn older_of_two_concurrent_invocations_is_superseded() {
    let world = world_with(5 * MB);
    let task = start(&world).await;
    run_until_arrival(&world, &task).await;
    let runner = Runner::new(&world);

    let (older, newer) = tokio::join!(runner.upload_once(&task), runner.upload_once(&task));

    assert_eq!(older.unwrap_err().code, FailureCode::Superseded);
    assert!(newer.is_ok());
}

#[tokio::test(start_paused = true)]
async fn cancel_during_upload_leaves_neither_session_nor_file() {
    let world = world_with(5 * MB);
    let task = start(&world).await;

    assert_eq!(cancel_after_one_fragment(&world, &task).await, Some(Phase::Canceled));
    assert!(world.state().drive.files().is_empty());
    assert_invariants(&world, &task, &bytes(5 * MB), "stopped").await;
}

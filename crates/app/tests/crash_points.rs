//! Every effect of a transfer × {crash before, crash after, answer lost}: the
//! invariants hold after the state machine's own retries.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{MB, assert_invariants_but, bytes, start, world_with};
use docferry_domain::Phase;
use docferry_testkit::{Fault, Mode, Runner, World};

#[tokio::test(start_paused = true)]
async fn a_transfer_survives_one_fault_at_any_effect() {
    survives(5 * MB, 20).await;
}

/// Put whole: between the PUT and its record is a moment of its own.
#[tokio::test(start_paused = true)]
async fn a_small_document_survives_one_fault_at_any_effect() {
    survives(MB, 15).await;
    survives(0, 15).await;
}

async fn survives(len: usize, effects: usize) {
    let runner = |world: &World| {
        let mut runner = Runner::new(world);
        runner.settings.fragment_bytes = 1_310_720;
        runner
    };
    let world = world_with(len);
    let task = start(&world).await;
    let first = world.effects().len();
    runner(&world).execute(&task).await;
    let count = world.effects().len();
    assert!(count > effects, "the transfer has effects: {count}");
    for at in first..count {
        for mode in [Mode::CrashBefore, Mode::CrashAfter, Mode::AnswerLost] {
            let world = world_with(len);
            let task = start(&world).await;
            world.inject(Fault { at, mode });
            let ended = runner(&world).execute(&task).await;
            let context = format!("{mode:?} at {at} of {:?}", world.effects());
            assert_eq!(ended.phase, Some(Phase::Completed), "{context}: {ended:?}");
            // Between the drive's answer and its record nobody knows the session;
            // it holds no bytes and lapses by itself.
            let unknown = ["create_session", "seal", "put_session"];
            let orphans = usize::from(unknown.contains(&world.effects()[at]));
            assert_invariants_but(&world, &task, &bytes(len), &context, orphans).await;
        }
    }
}

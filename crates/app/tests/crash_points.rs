//! Every effect of a transfer × {crash before, crash after, answer lost}: the
//! invariants hold after the state machine's own retries.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::Duration;

use common::{
    MB, SETTINGS, assert_at_rest, assert_invariants_but, bytes, record, start, world_with,
};
use docferry_app::control::terminate;
use docferry_app::poll;
use docferry_domain::Phase;
use docferry_testkit::{Fault, Mode, Runner, Scripted, World};

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

/// Somebody wants a transfer to stop of which a part has been sent. Whatever is lost
/// on the way: it ends, it says the truth, and nothing is left.
#[tokio::test(start_paused = true)]
async fn a_cancel_in_the_middle_survives_one_fault_at_any_effect() {
    let len = 5 * MB;
    for at in 0.. {
        let mut reached = false;
        for mode in [Mode::CrashBefore, Mode::CrashAfter, Mode::AnswerLost] {
            let world = world_with(len);
            let task = start(&world).await;
            let runner = Runner::new(&world);
            let admitter = runner.admitter();
            runner.push_once(&task).await.unwrap();
            poll::poll(&admitter, &world, runner.rules, &task).await.unwrap();
            let pause = Some(Duration::from_secs(120));
            world.state().drive.script = vec![Scripted::Honest, Scripted::Throttle(pause)];
            runner.upload_once(&task).await.unwrap();
            assert!(record(&world, &task).await.bytes_done > 0, "it is in the middle");

            let first = world.effects().len();
            world.inject(Fault { at: first + at, mode });
            let ids = std::slice::from_ref(&task.transfer_id);
            let asked = terminate(&admitter, SETTINGS.record_ttl, "scv", ids);
            let heard = runner.survive(asked).await.is_some();
            runner.run_all().await;
            runner.recover(8).await;
            reached |= world.effects().len() > first + at;
            let context = format!("{mode:?} at {at}: {:?}", world.effects().get(first + at));
            let transfer = record(&world, &task).await;
            // Who was not answered may have been heard all the same.
            let expected =
                if transfer.cancel_requested { Phase::Canceled } else { Phase::Completed };
            assert_eq!(transfer.phase, expected, "{context}");
            assert!(transfer.cancel_requested || !heard, "{context}");
            assert_at_rest(&world, &context).await;
        }
        if !reached {
            assert!(at > 20, "stopping has effects: {at}");
            break;
        }
    }
}

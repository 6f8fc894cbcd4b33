//! Exhaustive single-fault tests. Each effect of a transfer is combined with a crash before it, a
//! crash after it and a lost response. The invariants hold after the retries of the state machine.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::Duration;

use common::{
    FAULT_MODES, MB, OWNER, SETTINGS, assert_final_invariants, assert_invariants_with_orphans,
    bytes, record, start, world_with,
};
use docferry_app::job::terminate;
use docferry_app::source::poll;
use docferry_domain::phase::Phase;
use docferry_testkit::{Fault, Runner, Scripted, World};

#[tokio::test(start_paused = true)]
async fn transfer_survives_one_fault_at_any_effect() {
    survives(5 * MB, 20).await;
}

/// One PUT uploads a small document, so the effects differ: the process may die between the PUT and
/// the record of the delivery.
#[tokio::test(start_paused = true)]
async fn small_document_survives_one_fault_at_any_effect() {
    survives(MB, 15).await;
    survives(0, 15).await;
}

/// Delivers a document of `len` bytes once for each effect and each kind of fault. Fails if a
/// delivery has no more than `effects` effects.
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
    assert!(count > effects, "the transfer has only {count} effects");
    for at in first..count {
        for mode in FAULT_MODES {
            let world = world_with(len);
            let task = start(&world).await;
            world.inject(Fault { at, mode });
            let ended = runner(&world).execute(&task).await;
            let context = format!("{mode:?} at {at} of {:?}", world.effects());
            assert_eq!(ended.phase, Some(Phase::Completed), "{context}: {ended:?}");
            // A session is unknown until its URL is stored. It holds no bytes and expires.
            let before_url_is_stored = ["create_session", "seal", "put_session"];
            let orphans = usize::from(before_url_is_stored.contains(&world.effects()[at]));
            assert_invariants_with_orphans(&world, &task, &bytes(len), &context, orphans).await;
        }
    }
}

/// A transfer is canceled after one fragment. Wherever the fault is, the transfer ends, its phase
/// matches the outcome, and nothing remains.
#[tokio::test(start_paused = true)]
async fn cancel_during_upload_survives_one_fault_at_any_effect() {
    let len = 5 * MB;
    for at in 0.. {
        let mut was_reached = false;
        for mode in FAULT_MODES {
            let world = world_with(len);
            let task = start(&world).await;
            let runner = Runner::new(&world);
            let scheduler = runner.scheduler();
            runner.push_once(&task).await.unwrap();
            poll::poll(&scheduler, &world, runner.rules, &task).await.unwrap();
            let pause = Some(Duration::from_secs(120));
            world.state().drive.script = vec![Scripted::Correct, Scripted::Throttle(pause)];
            runner.upload_once(&task).await.unwrap();
            assert!(record(&world, &task).await.bytes_done > 0, "no fragment was stored");

            let first = world.effects().len();
            world.inject(Fault { at: first + at, mode });
            let ids = std::slice::from_ref(&task.transfer_id);
            let cancel = terminate(&scheduler, SETTINGS.record_ttl, OWNER, ids);
            let is_confirmed = runner.survive(cancel).await.is_some();
            runner.run_all().await;
            runner.recover(8).await;
            was_reached |= world.effects().len() > first + at;
            let context = format!("{mode:?} at {at}: {:?}", world.effects().get(first + at));
            let transfer = record(&world, &task).await;
            // A cancel request whose response was lost may have been recorded all the same.
            let expected =
                if transfer.cancel_requested { Phase::Canceled } else { Phase::Completed };
            assert_eq!(transfer.phase, expected, "{context}");
            assert!(transfer.cancel_requested || !is_confirmed, "{context}");
            assert_final_invariants(&world, &context).await;
        }
        if !was_reached {
            assert!(at > 20, "the cancel has only {at} effects");
            break;
        }
    }
}

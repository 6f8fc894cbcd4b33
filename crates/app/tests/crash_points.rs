//! Tests of single faults. Each test repeats a transfer once for each of its effects and each kind
//! of fault: a crash before the effect, a crash after it, and a lost response. The workflow retries
//! the step, and then the invariants hold.

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
    assert_survives_faults(5 * MB, 20).await;
}

/// One PUT uploads a small document, so the effects differ: the process may die between the PUT and
/// the record of the delivery.
#[tokio::test(start_paused = true)]
async fn small_document_survives_one_fault_at_any_effect() {
    assert_survives_faults(MB, 15).await;
    assert_survives_faults(0, 15).await;
}

/// Delivers a document of `len` bytes once for each effect and each kind of fault. Fails if a
/// delivery has `min_effects` effects or fewer.
async fn assert_survives_faults(len: usize, min_effects: usize) {
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
    assert!(count > min_effects, "the transfer has only {count} effects");
    for fault_index in first..count {
        for mode in FAULT_MODES {
            let world = world_with(len);
            let task = start(&world).await;
            world.inject(Fault { at: fault_index, mode });
            let ended = runner(&world).execute(&task).await;
            let context = format!("{mode:?} at {fault_index} of {:?}", world.effects());
            assert_eq!(ended.phase, Some(Phase::Completed), "{context}: {ended:?}");
            // If the fault happens before the URL of a session is stored, the session cannot be
            // closed. It holds no bytes and expires.
            let before_url_is_stored = ["create_session", "seal", "put_session"];
            let orphans = usize::from(before_url_is_stored.contains(&world.effects()[fault_index]));
            assert_invariants_with_orphans(&world, &task, &bytes(len), &context, orphans).await;
        }
    }
}

/// A transfer is canceled after one fragment, and one fault happens after that. The transfer ends,
/// its phase matches its outcome, and nothing remains.
#[tokio::test(start_paused = true)]
async fn cancel_during_upload_survives_one_fault_at_any_effect() {
    let len = 5 * MB;
    // The loop ends when the index exceeds the last effect after the cancel request.
    for fault_index in 0.. {
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

            let faulty_effect = world.effects().len() + fault_index;
            world.inject(Fault { at: faulty_effect, mode });
            let ids = std::slice::from_ref(&task.transfer_id);
            let cancel = terminate(&scheduler, SETTINGS.record_ttl, OWNER, ids);
            let is_confirmed = runner.survive(cancel).await.is_some();
            runner.run_all().await;
            runner.recover(8).await;

            was_reached |= world.effects().len() > faulty_effect;
            let effect = world.effects().get(faulty_effect).copied();
            let context = format!("{mode:?} at {fault_index}: {effect:?}");
            let transfer = record(&world, &task).await;
            // The cancel request may be recorded although its response was lost.
            let expected =
                if transfer.cancel_requested { Phase::Canceled } else { Phase::Completed };
            assert_eq!(transfer.phase, expected, "{context}");
            assert!(transfer.cancel_requested || !is_confirmed, "{context}");
            assert_final_invariants(&world, &context).await;
        }
        if !was_reached {
            assert!(fault_index > 20, "the cancel has only {fault_index} effects");
            break;
        }
    }
}

//! Documents into the delivery bucket, whatever is lost on the way.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{GUID, MB, SETTINGS, bytes, record, world_with};
use docferry_app::control::terminate;
use docferry_app::initiate::initiate;
use docferry_app::ports::Clock as _;
use docferry_app::{TaskInput, poll};
use docferry_domain::{Delivery, DownloadTarget, NewTransfer, Person, Phase, Target};
use docferry_testkit::builders::new_transfer;
use docferry_testkit::{Fault, Kill, Mode, Processes, Runner, World};
use jiff::SignedDuration;

const MODES: [Mode; 3] = [Mode::CrashBefore, Mode::CrashAfter, Mode::AnswerLost];

async fn ask(world: &World, person: &str) -> TaskInput {
    let new = NewTransfer {
        on_behalf_of: None,
        object_guid: GUID.parse().unwrap(),
        target: Target::Download(DownloadTarget { person: Person::new(person) }),
        keep_until: Some(world.now() + SignedDuration::from_hours(24)),
        ..new_transfer()
    };
    let transfer = initiate(&Runner::new(world).admitter(), SETTINGS, new).await.unwrap();
    TaskInput { transfer_id: transfer.transfer_id, attempt: 1 }
}

/// Parts of a few hundred kilobytes, so that a document has several.
fn runner(world: &World) -> Runner {
    let mut runner = Runner::new(world);
    runner.settings.fragment_bytes = 1_310_720;
    runner
}

/// Pushed, arrived, and a part of it copied: there was no time for more.
async fn one_part(world: &World, task: &TaskInput) {
    let mut runner = runner(world);
    runner.function_time = SignedDuration::ZERO;
    Runner::new(world).push_once(task).await.unwrap();
    poll::poll(&runner.admitter(), world, runner.rules, task).await.unwrap();
    runner.publish_once(task).await.unwrap();
}

/// The object that a transfer has delivered.
async fn delivered(world: &World, task: &TaskInput) -> String {
    match record(world, task).await.delivery {
        Some(Delivery::Download(artifact)) => artifact.key,
        other => panic!("{other:?}"),
    }
}

/// Nothing is left but these objects.
fn assert_left(world: &World, keys: &[&str], context: &str) {
    let state = world.state();
    let objects: Vec<_> = state.delivery.objects.keys().map(String::as_str).collect();
    assert_eq!(objects, keys, "{context}: objects");
    assert!(state.delivery.uploads.is_empty(), "{context}: an upload is under way");
    assert!(state.objects.is_empty(), "{context}: the exchange bucket is clean");
    assert_eq!(world.store().held_and_queued(), (0, 0), "{context}: slots");
    assert!(world.store().keys_in_use().is_empty(), "{context}: exchange keys");
}

#[tokio::test(start_paused = true)]
async fn a_download_survives_one_fault_at_any_effect() {
    for (len, effects) in [(5 * MB, 25), (MB, 18), (0, 18)] {
        let world = world_with(len);
        let task = ask(&world, "p").await;
        let first = world.effects().len();
        runner(&world).execute(&task).await;
        let count = world.effects().len();
        assert!(count > effects, "a download has effects: {count}");
        for at in first..count {
            for mode in MODES {
                let world = world_with(len);
                let task = ask(&world, "p").await;
                world.inject(Fault { at, mode });
                let ended = runner(&world).execute(&task).await;
                let context = format!("{len} bytes, {mode:?} at {at} of {:?}", world.effects());
                assert_eq!(ended.phase, Some(Phase::Completed), "{context}: {ended:?}");
                let key = delivered(&world, &task).await;
                assert_eq!(world.state().delivery.objects[&key], bytes(len), "{context}");
                assert_left(&world, &[&key], &context);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_canceled_download_leaves_nothing_whatever_is_lost() {
    for at in 0.. {
        let mut reached = false;
        for mode in MODES {
            let world = world_with(5 * MB);
            let task = ask(&world, "p").await;
            one_part(&world, &task).await;
            assert!(record(&world, &task).await.bytes_done > 0, "it is in the middle");
            let runner = runner(&world);
            let admitter = runner.admitter();

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
            if transfer.cancel_requested {
                assert_eq!(transfer.phase, Phase::Canceled, "{context}");
                assert_left(&world, &[], &context);
            } else {
                assert!(!heard, "{context}");
                assert_left(&world, &[&delivered(&world, &task).await], &context);
            }
        }
        if !reached {
            assert!(at > 15, "stopping has effects: {at}");
            break;
        }
    }
}

/// Pushed and arrived; then a process takes it up, and dies when a fault says so.
async fn taken_up(world: &World) -> TaskInput {
    let task = ask(world, "p").await;
    let runner = runner(world);
    Runner::new(world).push_once(&task).await.unwrap();
    poll::poll(&runner.admitter(), world, runner.rules, &task).await.unwrap();
    let _died = runner.survive(runner.publish_once(&task)).await;
    task
}

#[tokio::test(start_paused = true)]
async fn what_was_put_just_before_a_cancel_is_removed() {
    let faultless = world_with(MB);
    taken_up(&faultless).await;
    let effects = faultless.effects();
    let at = effects.iter().position(|name| *name == "put_artifact_object").unwrap();

    let world = world_with(MB);
    world.inject(Fault { at, mode: Mode::CrashAfter });
    let task = taken_up(&world).await;
    assert_eq!(world.state().delivery.objects.len(), 1, "it is there");
    let runner = runner(&world);
    let ids = std::slice::from_ref(&task.transfer_id);
    terminate(&runner.admitter(), SETTINGS.record_ttl, "scv", ids).await.unwrap();
    runner.run_all().await;
    runner.recover(8).await;
    assert_eq!(record(&world, &task).await.phase, Phase::Canceled);
    assert_left(&world, &[], "put and canceled");
}

#[tokio::test(start_paused = true)]
async fn a_document_that_lies_there_already_is_not_fetched_twice() {
    let world = world_with(3 * MB);
    let first = ask(&world, "p").await;
    runner(&world).execute(&first).await;
    world.advance(SignedDuration::from_hours(1));
    let pushes = |world: &World| world.effects().iter().filter(|name| **name == "push").count();
    let pushed = pushes(&world);
    let second = ask(&world, "q").await;
    runner(&world).execute(&second).await;
    assert_eq!(pushes(&world), pushed, "the source was asked again");
    let key = delivered(&world, &first).await;
    assert_eq!(delivered(&world, &second).await, key);
    assert_eq!(record(&world, &second).await.bytes_done, 3 * MB as u64);

    // It stays for as long as the last of them needs it, and not longer.
    let keep = SignedDuration::from_hours(23) + SignedDuration::from_mins(30);
    world.advance(keep);
    runner(&world).recover(3).await;
    assert_left(&world, &[&key], "the second has it for half an hour more");
    world.advance(SignedDuration::from_hours(1));
    runner(&world).recover(3).await;
    assert_left(&world, &[], "nobody has it any more");

    let third = ask(&world, "r").await;
    runner(&world).execute(&third).await;
    assert_eq!(pushes(&world), pushed + 1, "it has to be fetched again");
    assert_ne!(delivered(&world, &third).await, key, "a key is used once");
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_for_a_reuse_survives_one_fault_at_any_effect() {
    for at in 0.. {
        let mut reached = false;
        for mode in MODES {
            let world = world_with(MB);
            let first = ask(&world, "p").await;
            runner(&world).execute(&first).await;
            let second = ask(&world, "q").await;
            let begin = world.effects().len();
            world.inject(Fault { at: begin + at, mode });
            let ended = runner(&world).execute(&second).await;
            runner(&world).recover(3).await;
            reached |= world.effects().len() > begin + at;
            let context = format!("{mode:?} at {at}: {:?}", world.effects().get(begin + at));
            assert_eq!(
                record(&world, &second).await.phase,
                Phase::Completed,
                "{context} {ended:?}"
            );
            let key = delivered(&world, &second).await;
            assert_eq!(world.state().delivery.objects[&key], bytes(MB), "{context}");
        }
        if !reached {
            assert!(at > 10, "it has effects: {at}");
            break;
        }
    }
}

/// F20. Parts of two objects would make a document that never was.
#[tokio::test(start_paused = true)]
async fn a_source_that_is_replaced_in_the_middle_is_copied_from_the_beginning() {
    let world = world_with(5 * MB);
    let task = ask(&world, "p").await;
    one_part(&world, &task).await;
    let other: bytes::Bytes = bytes(5 * MB).iter().map(|byte| !byte).collect();
    let key = record(&world, &task).await.source.unwrap().key;
    world.put_object(&key, other.clone());
    runner(&world).execute(&task).await;
    let key = delivered(&world, &task).await;
    assert_eq!(world.state().delivery.objects[&key], other);
    assert_left(&world, &[&key], "replaced");
}

/// A job that is canceled between the record of its object and that of its delivery removes
/// nothing that another job has delivered.
#[tokio::test(start_paused = true)]
async fn a_cancel_before_the_delivery_removes_no_object_of_another_job() {
    let faultless = world_with(MB);
    taken_up(&faultless).await;
    let at = faultless.effects().iter().position(|name| *name == "put_artifact").unwrap();

    let world = world_with(MB);
    world.inject(Fault { at, mode: Mode::CrashAfter });
    let first = taken_up(&world).await;
    // Another job asks for the same document and delivers it.
    let second = ask(&world, "q").await;
    runner(&world).execute(&second).await;
    assert_eq!(record(&world, &second).await.phase, Phase::Completed);
    let key = delivered(&world, &second).await;
    assert!(world.state().delivery.objects.contains_key(&key), "it is there");
    // The first is canceled before its step runs again.
    let runner = runner(&world);
    let ids = std::slice::from_ref(&first.transfer_id);
    terminate(&runner.admitter(), SETTINGS.record_ttl, "scv", ids).await.unwrap();
    runner.run_all().await;
    runner.recover(8).await;
    assert_eq!(record(&world, &first).await.phase, Phase::Canceled);
    assert_eq!(record(&world, &second).await.phase, Phase::Completed);
    assert!(
        world.state().delivery.objects.contains_key(&key),
        "the second job is completed, and what it delivered is gone"
    );
}

/// The first of two jobs waits an hour for its slot, and its step is repeated after the
/// second job has delivered: both share the object, for as long as the second needs it.
#[tokio::test(start_paused = true)]
async fn a_repeated_step_never_shortens_the_retention_of_another_job() {
    let run = async |world: &World, task: &TaskInput| {
        let runner = runner(world);
        Runner::new(world).push_once(task).await.unwrap();
        poll::poll(&runner.admitter(), world, runner.rules, task).await.unwrap();
        let _died = runner.survive(runner.publish_once(task)).await;
    };
    let faultless = world_with(MB);
    let task = ask(&faultless, "p").await;
    run(&faultless, &task).await;
    let at = faultless.effects().iter().position(|name| *name == "put_artifact").unwrap();

    let world = world_with(MB);
    world.inject(Fault { at, mode: Mode::CrashAfter });
    let first = ask(&world, "p").await;
    world.advance(SignedDuration::from_hours(1));
    run(&world, &first).await;
    let second = ask(&world, "q").await;
    runner(&world).execute(&second).await;
    runner(&world).execute(&first).await;
    for task in [&first, &second] {
        assert_eq!(record(&world, task).await.phase, Phase::Completed);
    }
    let key = delivered(&world, &second).await;
    assert_eq!(delivered(&world, &first).await, key);
    assert_left(&world, &[&key], "the first job's own object is removed");
    // 24 h and a minute after the first was asked for, 23 h after the second.
    world.advance(SignedDuration::from_hours(23) + SignedDuration::from_mins(1));
    runner(&world).recover(3).await;
    let keep_until = record(&world, &second).await.keep_until.unwrap();
    assert!(world.now() < keep_until, "the second job has not expired");
    assert!(world.state().delivery.objects.contains_key(&key), "and its document is gone");
}

/// Another job delivers the document while an invocation of the first is at any of its
/// effects. The first job is carried on and reuses that object before the old invocation
/// writes its own.
#[tokio::test(start_paused = true)]
async fn an_overtaken_step_leaves_no_object_beside_a_reused_one() {
    for effects in 0.. {
        let world = world_with(MB);
        let first = ask(&world, "p").await;
        let runner = runner(&world);
        Runner::new(&world).push_once(&first).await.unwrap();
        poll::poll(&runner.admitter(), &world, runner.rules, &first).await.unwrap();
        let second = ask(&world, "q").await;
        let mut processes = Processes::default();
        processes.add(Kill::default(), async {
            let _overtaken = runner.publish_once(&first).await;
        });
        world.state().interleaved = true;
        for _ in 0..effects {
            processes.step(0).await;
        }
        let is_done = processes.is_empty();
        world.state().interleaved = false;
        for task in [&second, &first] {
            runner.execute(task).await;
        }
        processes.run().await;
        drop(processes);
        let context = format!("after {effects} effects");
        for task in [&first, &second] {
            assert_eq!(record(&world, task).await.phase, Phase::Completed, "{context}");
            let key = delivered(&world, task).await;
            assert_left(&world, &[&key], &context);
        }
        if is_done {
            assert!(effects > 8, "a step has effects: {effects}");
            break;
        }
    }
}

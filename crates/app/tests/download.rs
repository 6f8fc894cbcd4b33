//! Tests of downloads: deliveries into the delivery bucket, with faults at each effect.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{FAULT_MODES, GUID, MB, OWNER, SETTINGS, bytes, effect_count, record, world_with};
use docferry_app::TaskInput;
use docferry_app::delivery::upload::Progress;
use docferry_app::job::terminate;
use docferry_app::ports::{Clock as _, Verification};
use docferry_app::source::poll;
use docferry_app::transfer::create::initiate;
use docferry_domain::document::Crc32;
use docferry_domain::person::Person;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Delivery, DownloadTarget, NewTransfer, Target};
use docferry_testkit::builders::new_transfer;
use docferry_testkit::{Fault, Kill, Mode, Part, Processes, Runner, World};
use jiff::SignedDuration;

/// Requests a download for `person`. Returns the input of its first execution.
async fn request_download(world: &World, person: &str) -> TaskInput {
    let mut new = NewTransfer {
        object_guid: GUID.parse().unwrap(),
        target: Target::Download(DownloadTarget { person: Person::new(person) }),
        ..new_transfer()
    };
    new.spec.retain_until = Some(world.now() + SignedDuration::from_hours(24));
    let transfer = initiate(&Runner::new(world).scheduler(), SETTINGS, new).await.unwrap();
    TaskInput { transfer_id: transfer.transfer_id, execution_number: 1 }
}

/// A runner with parts of 1.3 MB, so that a document has several.
fn runner(world: &World) -> Runner {
    let mut runner = Runner::new(world);
    runner.settings.fragment_bytes = 1_310_720;
    runner
}

/// Runs the steps of a download until one invocation of `publish` has run out of time, after it has
/// copied a part of the document.
async fn copy_one_part(world: &World, task: &TaskInput) {
    let mut runner = runner(world);
    runner.function_time = SignedDuration::ZERO;
    Runner::new(world).push_once(task).await.unwrap();
    poll::poll(&runner.scheduler(), world, runner.rules, task).await.unwrap();
    runner.publish_once(task).await.unwrap();
}

/// Key of the object that a transfer has delivered.
async fn delivered_key(world: &World, task: &TaskInput) -> String {
    match record(world, task).await.delivery {
        Some(Delivery::Download(artifact)) => artifact.key,
        other => panic!("{other:?}"),
    }
}

/// Checks that the delivery bucket contains exactly these objects, and that nothing else remains.
fn assert_only_objects(world: &World, keys: &[&str], context: &str) {
    let state = world.state();
    let objects: Vec<_> = state.delivery.objects.keys().map(String::as_str).collect();
    assert_eq!(objects, keys, "{context}: objects");
    assert!(state.delivery.uploads.is_empty(), "{context}: a multipart upload is open");
    assert!(state.objects.is_empty(), "{context}: the exchange bucket is not empty");
    assert_eq!(
        world.store().held_and_queued(),
        (0, 0),
        "{context}: a slot is held or a transfer is queued"
    );
    assert!(
        world.store().keys_in_use(state.now).is_empty(),
        "{context}: an exchange key is in use"
    );
}

#[tokio::test(start_paused = true)]
async fn download_survives_one_fault_at_any_effect() {
    for (len, min_effects) in [(5 * MB, 25), (MB, 18), (0, 18)] {
        let world = world_with(len);
        let task = request_download(&world, "p").await;
        let first = world.effects().len();

        runner(&world).execute(&task).await;

        let count = world.effects().len();
        assert!(count > min_effects, "the download has only {count} effects");
        for at in first..count {
            for mode in FAULT_MODES {
                let world = world_with(len);
                let task = request_download(&world, "p").await;
                world.inject(Fault { at, mode });

                let ended = runner(&world).execute(&task).await;

                let context = format!("{len} bytes, {mode:?} at {at} of {:?}", world.effects());
                assert_eq!(ended.phase, Some(Phase::Completed), "{context}: {ended:?}");
                let key = delivered_key(&world, &task).await;
                assert_eq!(world.state().delivery.objects[&key], bytes(len), "{context}");
                assert_only_objects(&world, &[&key], &context);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn canceled_download_leaves_nothing_after_any_fault() {
    // The loop ends when the index exceeds the last effect after the cancel request.
    for fault_index in 0.. {
        let mut was_reached = false;
        for mode in FAULT_MODES {
            let world = world_with(5 * MB);
            let task = request_download(&world, "p").await;
            copy_one_part(&world, &task).await;
            assert!(record(&world, &task).await.bytes_done > 0, "nothing was copied");
            let runner = runner(&world);
            let scheduler = runner.scheduler();

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
            if transfer.cancel_requested {
                assert_eq!(transfer.phase, Phase::Canceled, "{context}");
                assert_only_objects(&world, &[], &context);
            } else {
                assert!(!is_confirmed, "{context}");
                assert_only_objects(&world, &[&delivered_key(&world, &task).await], &context);
            }
        }
        if !was_reached {
            assert!(fault_index > 15, "the cancel has only {fault_index} effects");
            break;
        }
    }
}

/// Runs the steps of a download up to and including one invocation of `publish`. An injected fault
/// may kill this invocation.
async fn publish_until_fault(world: &World) -> TaskInput {
    let task = request_download(world, "p").await;
    let runner = runner(world);
    Runner::new(world).push_once(&task).await.unwrap();
    poll::poll(&runner.scheduler(), world, runner.rules, &task).await.unwrap();
    let _died = runner.survive(runner.publish_once(&task)).await;
    task
}

#[tokio::test(start_paused = true)]
async fn object_written_just_before_a_cancel_is_removed() {
    let faultless = world_with(MB);
    publish_until_fault(&faultless).await;
    let effects = faultless.effects();
    let at = effects.iter().position(|name| *name == "put_artifact_object").unwrap();

    let world = world_with(MB);
    world.inject(Fault { at, mode: Mode::CrashAfter });
    let task = publish_until_fault(&world).await;
    assert_eq!(world.state().delivery.objects.len(), 1, "the object was not written");
    let runner = runner(&world);
    let ids = std::slice::from_ref(&task.transfer_id);
    terminate(&runner.scheduler(), SETTINGS.record_ttl, OWNER, ids).await.unwrap();
    runner.run_all().await;
    runner.recover(8).await;
    assert_eq!(record(&world, &task).await.phase, Phase::Canceled);
    assert_only_objects(&world, &[], "canceled after the PUT");
}

#[tokio::test(start_paused = true)]
async fn delivered_document_is_reused_without_a_push() {
    let world = world_with(3 * MB);
    let first = request_download(&world, "p").await;
    runner(&world).execute(&first).await;
    world.advance(SignedDuration::from_hours(1));
    let pushes = |world: &World| effect_count(world, "push");
    let pushed = pushes(&world);
    let second = request_download(&world, "q").await;
    runner(&world).execute(&second).await;
    assert_eq!(pushes(&world), pushed, "the document was pushed again");
    let key = delivered_key(&world, &first).await;
    assert_eq!(delivered_key(&world, &second).await, key);
    assert_eq!(record(&world, &second).await.bytes_done, 3 * MB as u64);

    // The object is retained exactly until both jobs have expired.
    let keep = SignedDuration::from_hours(23) + SignedDuration::from_mins(30);
    world.advance(keep);
    runner(&world).recover(3).await;
    assert_only_objects(&world, &[&key], "the second job has not expired");
    world.advance(SignedDuration::from_hours(1));
    runner(&world).recover(3).await;
    assert_only_objects(&world, &[], "both jobs have expired");

    let third = request_download(&world, "r").await;
    runner(&world).execute(&third).await;
    assert_eq!(pushes(&world), pushed + 1, "the document has to be pushed again");
    assert_ne!(delivered_key(&world, &third).await, key, "a key is never used again");
}

#[tokio::test(start_paused = true)]
async fn reuse_of_an_artifact_survives_one_fault_at_any_effect() {
    // The loop ends when the index exceeds the last effect of the second download.
    for fault_index in 0.. {
        let mut was_reached = false;
        for mode in FAULT_MODES {
            let world = world_with(MB);
            let first = request_download(&world, "p").await;
            runner(&world).execute(&first).await;
            let second = request_download(&world, "q").await;
            let faulty_effect = world.effects().len() + fault_index;
            world.inject(Fault { at: faulty_effect, mode });

            let ended = runner(&world).execute(&second).await;
            runner(&world).recover(3).await;

            was_reached |= world.effects().len() > faulty_effect;
            let effect = world.effects().get(faulty_effect).copied();
            let context = format!("{mode:?} at {fault_index}: {effect:?}");
            assert_eq!(
                record(&world, &second).await.phase,
                Phase::Completed,
                "{context} {ended:?}"
            );
            let key = delivered_key(&world, &second).await;
            assert_eq!(world.state().delivery.objects[&key], bytes(MB), "{context}");
        }
        if !was_reached {
            assert!(fault_index > 10, "the second download has only {fault_index} effects");
            break;
        }
    }
}

/// Checksum of the object that a transfer has delivered, as its record says.
async fn recorded_checksum(world: &World, task: &TaskInput) -> Option<Crc32> {
    match record(world, task).await.delivery {
        Some(Delivery::Download(artifact)) => artifact.crc32,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn download_records_the_checksum_of_the_document() {
    for size in [0, MB, 5 * MB] {
        let expected = Some(Crc32::of(&bytes(size)));
        let world = world_with(size);
        let task = request_download(&world, "p").await;
        // The copy of a large document is continued by a second invocation.
        copy_one_part(&world, &task).await;
        runner(&world).execute(&task).await;
        assert_eq!(recorded_checksum(&world, &task).await, expected, "{size}");

        let reusing = request_download(&world, "q").await;
        runner(&world).execute(&reusing).await;
        assert_eq!(recorded_checksum(&world, &reusing).await, expected, "{size}: reused");
    }
}

#[tokio::test(start_paused = true)]
async fn part_that_changed_in_the_bucket_is_copied_again() {
    let world = world_with(5 * MB);
    let task = request_download(&world, "p").await;
    copy_one_part(&world, &task).await;
    for upload in world.state().delivery.uploads.values_mut() {
        let (_, part) = upload.parts.first_key_value().unwrap();
        let changed = part.bytes.iter().map(|byte| !byte).collect();
        let crc32 = part.crc32;
        let number = *upload.parts.keys().next().unwrap();
        upload.parts.insert(number, Part { bytes: changed, crc32 });
    }

    let ended = runner(&world).execute(&task).await;

    assert_eq!(ended.phase, Some(Phase::Completed), "{ended:?}");
    let key = delivered_key(&world, &task).await;
    assert_eq!(world.state().delivery.objects[&key], bytes(5 * MB));
    assert_only_objects(&world, &[&key], "changed part");
}

/// Requests a download and runs its steps until the document can be copied.
async fn arrived_download(size: usize) -> (World, TaskInput) {
    let world = world_with(size);
    let task = request_download(&world, "p").await;
    let runner = runner(&world);
    runner.push_once(&task).await.unwrap();
    poll::poll(&runner.scheduler(), &world, runner.rules, &task).await.unwrap();
    (world, task)
}

#[tokio::test(start_paused = true)]
async fn copy_that_hangs_ends_before_the_invocation() {
    // A small document is written with one PUT, a large one in parts.
    for (size, effect) in [(MB, "put_artifact_object"), (5 * MB, "put_part")] {
        let (faultless, task) = arrived_download(size).await;
        runner(&faultless).publish_once(&task).await.unwrap();
        let at = faultless.effects().iter().position(|name| *name == effect).unwrap();

        let (world, task) = arrived_download(size).await;
        world.inject(Fault { at, mode: Mode::Hang });
        let progress = runner(&world).publish_once(&task).await.unwrap();
        assert_eq!(progress, Progress::Continue, "{effect}");

        runner(&world).execute(&task).await;
        let key = delivered_key(&world, &task).await;
        assert_eq!(world.state().delivery.objects[&key], bytes(size), "{effect}");
    }
}

#[tokio::test(start_paused = true)]
async fn bucket_without_whole_object_checksums_gets_none() {
    let world = world_with(5 * MB);
    world.state().delivery.verification = Verification::PartsOnly;
    let task = request_download(&world, "p").await;
    runner(&world).execute(&task).await;
    let key = delivered_key(&world, &task).await;
    assert_eq!(world.state().delivery.objects[&key], bytes(5 * MB));
    let checksum = recorded_checksum(&world, &task).await;
    assert_eq!(checksum, Some(Crc32::of(&bytes(5 * MB))));
}

/// Fault F20 of `docs/SEMANTICS.md`: the object is replaced during the copy. Parts of the old and
/// the new object must not be mixed.
#[tokio::test(start_paused = true)]
async fn source_replaced_during_download_is_copied_from_the_start() {
    let world = world_with(5 * MB);
    let task = request_download(&world, "p").await;
    copy_one_part(&world, &task).await;
    let other: bytes::Bytes = bytes(5 * MB).iter().map(|byte| !byte).collect();
    let key = record(&world, &task).await.source.unwrap().key;
    world.put_object(&key, other.clone());

    runner(&world).execute(&task).await;

    let key = delivered_key(&world, &task).await;
    assert_eq!(world.state().delivery.objects[&key], other);
    assert_only_objects(&world, &[&key], "replaced");
}

/// A job is canceled after it has recorded its artifact and before it has recorded its delivery.
/// This must not delete an object that another job has delivered.
#[tokio::test(start_paused = true)]
async fn cancel_before_delivery_keeps_the_object_of_another_job() {
    let faultless = world_with(MB);
    publish_until_fault(&faultless).await;
    let at = faultless.effects().iter().position(|name| *name == "put_artifact").unwrap();

    let world = world_with(MB);
    world.inject(Fault { at, mode: Mode::CrashAfter });
    let first = publish_until_fault(&world).await;
    // Another job requests the same document and delivers it.
    let second = request_download(&world, "q").await;
    runner(&world).execute(&second).await;
    assert_eq!(record(&world, &second).await.phase, Phase::Completed);
    let key = delivered_key(&world, &second).await;
    assert!(world.state().delivery.objects.contains_key(&key), "the object was not written");

    // The first job is canceled before its step runs again.
    let runner = runner(&world);
    let ids = std::slice::from_ref(&first.transfer_id);
    terminate(&runner.scheduler(), SETTINGS.record_ttl, OWNER, ids).await.unwrap();
    runner.run_all().await;
    runner.recover(8).await;

    assert_eq!(record(&world, &first).await.phase, Phase::Canceled);
    assert_eq!(record(&world, &second).await.phase, Phase::Completed);
    assert!(
        world.state().delivery.objects.contains_key(&key),
        "the object of the completed second job was deleted"
    );
}

/// The first of two jobs waits an hour for its slot, and its step is repeated after the second job
/// has delivered. Both jobs share the object, which is retained until the second job expires.
#[tokio::test(start_paused = true)]
async fn repeated_step_never_shortens_the_retention_of_another_job() {
    let run = async |world: &World, task: &TaskInput| {
        let runner = runner(world);
        Runner::new(world).push_once(task).await.unwrap();
        poll::poll(&runner.scheduler(), world, runner.rules, task).await.unwrap();
        let _died = runner.survive(runner.publish_once(task)).await;
    };
    let faultless = world_with(MB);
    let task = request_download(&faultless, "p").await;
    run(&faultless, &task).await;
    let at = faultless.effects().iter().position(|name| *name == "put_artifact").unwrap();

    let world = world_with(MB);
    world.inject(Fault { at, mode: Mode::CrashAfter });
    let first = request_download(&world, "p").await;
    world.advance(SignedDuration::from_hours(1));
    run(&world, &first).await;
    let second = request_download(&world, "q").await;
    runner(&world).execute(&second).await;
    runner(&world).execute(&first).await;
    for task in [&first, &second] {
        assert_eq!(record(&world, task).await.phase, Phase::Completed);
    }
    let key = delivered_key(&world, &second).await;
    assert_eq!(delivered_key(&world, &first).await, key);
    assert_only_objects(&world, &[&key], "the object that the first job wrote itself is deleted");

    // The first job, requested an hour before the second, has expired. The second has not.
    world.advance(SignedDuration::from_hours(23) + SignedDuration::from_mins(1));
    runner(&world).recover(3).await;
    let retain_until = record(&world, &second).await.spec.retain_until.unwrap();
    assert!(world.now() < retain_until, "the second job has not expired");
    assert!(
        world.state().delivery.objects.contains_key(&key),
        "the object of the second job was deleted"
    );
}

/// An invocation of the first job is suspended after each of its effects. Meanwhile another job
/// delivers the document, and a new execution of the first job reuses that object. Then the old
/// invocation resumes and writes an object of its own.
#[tokio::test(start_paused = true)]
async fn outdated_step_leaves_no_object_beside_a_reused_one() {
    for effects in 0.. {
        let world = world_with(MB);
        let first = request_download(&world, "p").await;
        let runner = runner(&world);
        Runner::new(&world).push_once(&first).await.unwrap();
        poll::poll(&runner.scheduler(), &world, runner.rules, &first).await.unwrap();
        let second = request_download(&world, "q").await;
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
            let key = delivered_key(&world, task).await;
            assert_only_objects(&world, &[&key], &context);
        }
        if is_done {
            assert!(effects > 8, "the step has only {effects} effects");
            break;
        }
    }
}

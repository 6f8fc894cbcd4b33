//! Tests of the sweeper: it finds work without a running execution, and restarts or ends it.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{
    FAULT_MODES, GUID, MB, OWNER, assert_invariants, bytes, effect_count, effect_index,
    kill_execution, record, start, start_for, world_with,
};
use docferry_app::TaskInput;
use docferry_app::ports::{RecoveryStore as _, TransferStore as _};
use docferry_app::source::push::{PushPorts, push};
use docferry_domain::failure::FailureCode;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::DeadlineRules;
use docferry_testkit::{Fault, Mode, Runner, World};
use jiff::SignedDuration;

/// Number of transfers that the sweeper still has to check.
async fn unfinished(world: &World) -> usize {
    let far_future = world.state().now + SignedDuration::from_hours(9);
    world.store().unfinished(far_future, 100).await.unwrap().len()
}

/// Fault F2 of `docs/SEMANTICS.md`: the process dies after it has recorded a transfer and before it
/// has called `StartExecution`.
#[tokio::test(start_paused = true)]
async fn sweep_starts_a_transfer_that_lost_its_start() {
    for mode in [Mode::CrashBefore, Mode::ResponseLost] {
        let world = world_with(MB);
        world.inject(Fault { at: effect_index("start").await, mode });
        tokio::select! {
            _ = start_for(&world, "judge@court.example") => {}
            () = tokio::time::sleep(std::time::Duration::from_secs(60)) => {}
        }
        let id = world.store().transfers()[0].transfer_id.clone();

        Runner::new(&world).recover(3).await;

        let transfer = world.get(&id).await.unwrap().unwrap();
        assert_eq!(transfer.phase, Phase::Completed, "{mode:?}");
        assert_eq!(unfinished(&world).await, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn sweep_resumes_a_dead_transfer_in_the_next_execution() {
    let world = world_with(2 * MB);
    let task = start(&world).await;
    let runner = Runner::new(&world);
    runner.push_once(&task).await.unwrap();
    docferry_app::source::poll::poll(&runner.scheduler(), &world, runner.rules, &task)
        .await
        .unwrap();
    kill_execution(&world, &task);

    runner.recover(3).await;

    let transfer = record(&world, &task).await;
    assert_eq!((transfer.phase, transfer.execution_number), (Phase::Completed, 2));
    assert_eq!(effect_count(&world, "push"), 1, "the document was pushed again");
}

#[tokio::test(start_paused = true)]
async fn transfer_fails_after_repeated_execution_deaths() {
    let world = world_with(MB);
    let task = start(&world).await;
    for execution_number in 1..=3 {
        kill_execution(&world, &TaskInput { execution_number, ..task.clone() });
    }

    Runner::new(&world).recover(8).await;

    let transfer = record(&world, &task).await;
    assert_eq!(transfer.phase, Phase::Failed);
    assert_eq!(transfer.failure.unwrap().code, FailureCode::Internal);
    assert_eq!(unfinished(&world).await, 0);
}

/// Invariant I5 of `docs/SEMANTICS.md`: a transfer ends soon after its deadline, even if its
/// workflow hangs.
#[tokio::test(start_paused = true)]
async fn hanging_transfer_is_ended_at_its_deadline() {
    let world = world_with(MB);
    let task = start(&world).await;
    world.advance(SignedDuration::from_hours(4));

    Runner::new(&world).sweep().await;

    assert_eq!(
        record(&world, &task).await.phase,
        Phase::Accepted,
        "the workflow has a minute to end the transfer itself"
    );

    world.advance(SignedDuration::from_secs(61));
    Runner::new(&world).sweep().await;
    let transfer = record(&world, &task).await;
    assert_eq!(transfer.failure.unwrap().code, FailureCode::DeadlineExceeded);
}

/// An object that a push delivers after the ending is found and deleted.
#[tokio::test(start_paused = true)]
async fn document_arriving_after_the_end_is_removed() {
    let world = world_with(10);
    world.state().documents.get_mut(GUID).unwrap().moves = false;
    let task = start(&world).await;
    let runner = Runner::new(&world);

    assert_eq!(runner.execute(&task).await.phase, Some(Phase::Failed));
    assert_eq!(unfinished(&world).await, 1, "the exchange key is no longer watched");

    world.put_object("order.pdf", bytes(10));
    runner.recover(7).await;
    assert_invariants(&world, &task, &bytes(10), "late").await;

    // The document may have been pushed twice: a second copy is deleted as well.
    world.put_object("order.pdf", bytes(10));
    runner.recover(70).await;
    assert_invariants(&world, &task, &bytes(10), "later").await;
    assert!(world.keys_in_use().is_empty());
    assert_eq!(unfinished(&world).await, 0);
}

/// A push is repeated because its response was not recorded. The document arrives twice.
#[tokio::test(start_paused = true)]
async fn second_copy_arriving_after_the_delivery_is_removed() {
    let world = world_with(10);
    let task = start(&world).await;
    let now = world.state().now;
    world.store().begin_push(&task.transfer_id, 1, now).await.unwrap();
    let runner = Runner::new(&world);

    assert_eq!(runner.execute(&task).await.phase, Some(Phase::Completed));
    assert_eq!(unfinished(&world).await, 1, "the exchange key is no longer watched");

    world.put_object("order.pdf", bytes(10));
    runner.recover(7).await;
    assert_invariants(&world, &task, &bytes(10), "second copy").await;

    runner.recover(70).await;
    assert_eq!(unfinished(&world).await, 0);
}

/// Each of two transfers pushes the document, and both deliver the object of the first push.
#[tokio::test(start_paused = true)]
async fn late_copy_pushed_by_another_transfer_is_removed() {
    let world = world_with(10);
    let second = start_for(&world, "clerk@court.example").await.unwrap();
    let tasks = [start(&world).await, second];
    for task in &tasks {
        let w = &world;
        let ports = PushPorts::<World> { store: w, source: w, exchange: w, registry: w, clock: w };
        push(&ports, &DeadlineRules::default(), task).await.unwrap().done().unwrap();
    }
    let runner = Runner::new(&world);

    for task in &tasks {
        assert_eq!(runner.execute(task).await.phase, Some(Phase::Completed));
    }

    assert_eq!(unfinished(&world).await, 1, "the transfer that ended first watches the key");

    world.put_object("order.pdf", bytes(10));
    runner.recover(7).await;
    assert!(world.state().objects.is_empty(), "the late copy is still there");

    runner.recover(70).await;
    assert_eq!(unfinished(&world).await, 0);
}

#[tokio::test(start_paused = true)]
async fn missing_document_is_watched_for_an_hour() {
    let world = world_with(10);
    world.put_object("order.pdf", bytes(10));
    world.advance(SignedDuration::from_secs(60));
    world.state().documents.get_mut(GUID).unwrap().moves = false;
    let task = start(&world).await;
    let runner = Runner::new(&world);

    assert_eq!(runner.execute(&task).await.phase, Some(Phase::Failed));

    runner.recover(70).await;
    assert_eq!(unfinished(&world).await, 0);
    assert!(world.keys_in_use().is_empty());
    assert_eq!(
        world.state().objects.len(),
        1,
        "an object that existed before the push was deleted"
    );
}

/// Tests each effect of a sweep that restarts a transfer, with each kind of fault.
#[tokio::test(start_paused = true)]
async fn sweep_survives_one_fault_at_any_effect() {
    // The loop ends when the index exceeds the last effect of the sweep.
    for fault_index in 0.. {
        let mut was_reached = false;
        for mode in FAULT_MODES {
            let world = world_with(MB);
            let task = start(&world).await;
            kill_execution(&world, &task);
            let faulty_effect = world.effects().len() + fault_index;
            world.inject(Fault { at: faulty_effect, mode });

            // Longer than the time for which a key that may have been pushed twice is watched.
            Runner::new(&world).recover(75).await;

            was_reached |= world.effects().len() > faulty_effect;
            let context = format!("{mode:?} at {fault_index}");
            assert_eq!(record(&world, &task).await.phase, Phase::Completed, "{context}");
            assert_eq!(unfinished(&world).await, 0, "{context}");
        }
        if !was_reached || fault_index > 60 {
            break;
        }
    }
}

/// A sweep handles a limited number of items. Hundreds of transfers that are only watched for a
/// late copy must not delay a transfer that has to be restarted.
#[tokio::test(start_paused = true)]
async fn watched_transfers_are_not_checked_in_every_sweep() {
    let world = world_with(10);
    world.state().documents.get_mut(GUID).unwrap().moves = false;
    let task = start(&world).await;
    let runner = Runner::new(&world);

    assert_eq!(runner.execute(&task).await.phase, Some(Phase::Failed));

    let mut seen = 0;
    for _ in 0..30 {
        world.advance(SignedDuration::from_secs(60));
        seen += runner.sweep().await.unwrap().seen;
    }
    assert!((5..=7).contains(&seen), "checked {seen} times in half an hour");
}

/// Expired downloads are deleted in limited numbers and after the recovery of transfers.
#[tokio::test(start_paused = true)]
async fn lost_start_is_recovered_before_expired_downloads_are_removed() {
    use docferry_app::ports::ArtifactStore as _;
    use docferry_domain::document::ArtifactRecord;
    let world = world_with(MB);
    let now = world.state().now;
    // Ten jobs of 500 documents that expire together.
    for n in 0..5000 {
        let artifact = ArtifactRecord {
            key: format!("downloads/{n}/0"),
            object_guid: GUID.parse().unwrap(),
            size: 1,
            crc32: None,
            name: "a.pdf".parse().unwrap(),
            mime: None,
            written_at: now,
            retain_until: now,
        };
        world.store().put_artifact(&artifact).await.unwrap();
    }
    world.inject(Fault { at: effect_index("start").await, mode: Mode::CrashBefore });
    tokio::select! {
        _ = start_for(&world, "judge@court.example") => {}
        () = tokio::time::sleep(std::time::Duration::from_secs(60)) => {}
    }
    let id = world.store().transfers()[0].transfer_id.clone();
    let mut minutes = 0;

    while world.get(&id).await.unwrap().unwrap().phase != Phase::Completed && minutes < 60 {
        Runner::new(&world).recover(1).await;
        minutes += 1;
    }

    assert!(minutes <= 3, "the transfer was recovered after {minutes} minutes");
}

/// One person has three thousand queued documents. Slots are free, but the person already holds as
/// many as one person may hold.
#[tokio::test(start_paused = true)]
async fn sweep_reads_a_long_queue_once() {
    use docferry_domain::slots::PoolLimits;
    let world = world_with(10);
    let mut runner = Runner::new(&world);
    runner.limits = PoolLimits::new(50, 3).into();
    for _ in 0..3000 {
        docferry_app::transfer::create::initiate(
            &runner.scheduler(),
            common::SETTINGS,
            common::request_to("judge@court.example"),
        )
        .await
        .unwrap();
    }
    world.advance(SignedDuration::from_secs(300));
    let before = effect_count(&world, "queue");

    let swept = runner.sweep().await.unwrap();

    let reads = effect_count(&world, "queue") - before;
    assert!(reads < 100, "{reads} pages of the queue were read in one sweep: {swept:?}");
}

/// Queued transfers have no execution, so the sweeper asks for the status of none.
#[tokio::test(start_paused = true)]
async fn dead_execution_is_found_despite_thousands_of_queued_transfers() {
    use docferry_domain::slots::PoolLimits;
    let world = world_with(10);
    let mut runner = Runner::new(&world);
    runner.limits = PoolLimits::new(50, 3).into();
    let request = async |email: &str| {
        let new = common::request_to(email);
        docferry_app::transfer::create::initiate(&runner.scheduler(), common::SETTINGS, new)
            .await
            .unwrap()
    };
    for _ in 0..3000 {
        request("judge@court.example").await;
    }
    let other = request("clerk@court.example").await;
    let name = format!("{}-1", other.transfer_id);
    {
        let mut state = world.state();
        assert!(state.running.remove(&name), "the transfer has no slot");
        state.closed.insert(name);
    }
    let mut minutes = 0;

    while world.store().get(&other.transfer_id).await.unwrap().unwrap().execution_number == 1
        && minutes < 60
    {
        world.advance(SignedDuration::from_secs(60));
        runner.sweep().await;
        minutes += 1;
    }

    assert!(minutes <= 7, "the next execution started after {minutes} minutes");
}

/// The process that cancels a queued transfer dies before the transfer has ended. The next sweep
/// ends it, not the sweep after its deadline.
#[tokio::test(start_paused = true)]
async fn cancel_of_a_queued_transfer_is_completed_by_the_next_sweep() {
    let world = world_with(MB);
    let mut runner = Runner::new(&world);
    runner.limits = docferry_domain::slots::PoolLimits::new(0, 0).into();
    let new = common::request_to("judge@court.example");
    let scheduler = runner.scheduler();
    let waiting =
        docferry_app::transfer::create::initiate(&scheduler, common::SETTINGS, new).await.unwrap();
    let id = waiting.transfer_id;
    world.store().request_cancel(&id, OWNER, 0).await.unwrap();

    runner.recover(1).await;

    let ended = world.store().get(&id).await.unwrap().unwrap();
    assert_eq!(ended.phase, Phase::Canceled);
    assert_eq!(world.store().held_and_queued(), (0, 0));
}

/// The sweeper handles a queued transfer only once, at its deadline.
#[tokio::test(start_paused = true)]
async fn queued_transfer_is_swept_only_at_its_deadline() {
    let world = world_with(MB);
    let mut runner = Runner::new(&world);
    runner.limits = docferry_domain::slots::PoolLimits::new(0, 0).into();
    let new = common::request_to("judge@court.example");
    let scheduler = runner.scheduler();
    let waiting =
        docferry_app::transfer::create::initiate(&scheduler, common::SETTINGS, new).await.unwrap();
    for _ in 0..3 {
        world.advance(SignedDuration::from_hours(1));
        assert_eq!(runner.sweep().await.unwrap().seen, 0);
    }
    world.advance(SignedDuration::from_mins(62));

    runner.recover(2).await;

    let ended = world.store().get(&waiting.transfer_id).await.unwrap().unwrap();
    assert_eq!(ended.failure.unwrap().code, FailureCode::DeadlineExceeded);
    assert!(
        !world.effects().contains(&"execution_status"),
        "a queued transfer has no execution to describe"
    );
}

/// Hundreds of ended transfers are due for clean-up earlier than a transfer whose execution died.
#[tokio::test(start_paused = true)]
async fn dead_execution_is_recovered_before_ended_transfers_are_cleaned_up() {
    let world = world_with(MB);
    let task = start(&world).await;
    kill_execution(&world, &task);
    let ended_at = Some(world.state().now);
    for _ in 0..300 {
        let ended = docferry_testkit::builders::transfer();
        world.store().set(docferry_domain::transfer::Transfer {
            phase: Phase::Failed,
            ended_at,
            ..ended
        });
    }
    world.advance(SignedDuration::from_secs(120));

    let swept = Runner::new(&world).sweep().await.unwrap();

    assert_eq!(record(&world, &task).await.execution_number, 2, "{swept:?}");
    assert_eq!((swept.started, swept.finalized), (1, 200));
}

/// Each ending frees a slot or a queue entry, but a sweep grants slots only once.
#[tokio::test(start_paused = true)]
async fn sweep_grants_slots_once_for_any_number_of_endings() {
    let world = world_with(MB);
    let mut runner = Runner::new(&world);
    runner.limits = docferry_domain::slots::PoolLimits::new(50, 1).into();
    let mut waiting = Vec::new();
    for _ in 0..6 {
        let new = common::request_to("judge@court.example");
        let scheduler = runner.scheduler();
        let created =
            docferry_app::transfer::create::initiate(&scheduler, common::SETTINGS, new).await;
        waiting.push(created.unwrap().transfer_id);
    }
    for id in &waiting[2..] {
        world.store().request_cancel(id, OWNER, 0).await.unwrap();
    }
    world.advance(SignedDuration::from_secs(60));
    let reads = || effect_count(&world, "queue");

    let before = reads();
    assert_eq!(runner.sweep().await.unwrap().finalized, 4);
    assert_eq!(reads() - before, 2, "expected one page for each pool");
}

//! Tests of slots, the queue and priorities.
//!
//! A *slot* is the right of a transfer to move bytes. Slots are limited in total and for each
//! person; all other transfers wait in the queue. The tests check that the limits hold and that
//! each transfer gets a slot eventually.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{
    FAULT_MODES, GUID, MB, OWNER, SETTINGS, bytes, effect_count, record, request_to, world_with,
};
use docferry_app::TaskInput;
use docferry_app::job;
use docferry_app::ports::{Clock as _, SlotStore as _};
use docferry_app::transfer::create::initiate;
use docferry_domain::phase::Phase;
use docferry_domain::slots::{Pool, PoolLimits, Priority, SlotState};
use docferry_testkit::{Fault, Runner, World};
use jiff::SignedDuration;

/// Two slots in total, and one for each person.
const TWO_SLOTS: PoolLimits = PoolLimits::new(2, 1);

/// One slot for all transfers.
const ONE_SLOT: PoolLimits = PoolLimits::new(1, 1);

fn runner(world: &World, limits: PoolLimits) -> Runner {
    let mut runner = Runner::new(world);
    runner.limits = limits.into();
    runner
}

/// Requests a delivery. Returns the input of its first execution.
async fn request(runner: &Runner, email: &str, priority: Priority) -> TaskInput {
    let new = docferry_domain::transfer::NewTransfer { priority, ..request_to(email) };
    let transfer = initiate(&runner.scheduler(), SETTINGS, new).await.unwrap();
    TaskInput { transfer_id: transfer.transfer_id, execution_number: 1 }
}

/// Requests four deliveries, one second apart. A person may request more than one.
async fn request_in_order(world: &World, runner: &Runner, people: [&str; 4]) -> Vec<TaskInput> {
    let mut tasks = Vec::new();
    for person in people {
        tasks.push(request(runner, &format!("{person}@court.example"), Priority::Normal).await);
        world.advance(SignedDuration::from_secs(1));
    }
    tasks
}

/// Slot states of the transfers.
async fn slot_states(world: &World, tasks: &[TaskInput]) -> Vec<SlotState> {
    let mut slot_states = Vec::new();
    for task in tasks {
        slot_states.push(record(world, task).await.slot_state);
    }
    slot_states
}

#[tokio::test(start_paused = true)]
async fn limits_hold_and_each_ending_starts_the_next_transfer() {
    use SlotState::{Holding, Idle, Queued};
    let world = world_with(MB);
    let runner = runner(&world, TWO_SLOTS);
    let tasks = request_in_order(&world, &runner, ["ada", "ada", "bob", "cyd"]).await;
    let (first_of_ada, bob) = (&tasks[0], &tasks[2]);

    // Ada's second transfer is skipped, because a person may hold only one slot.
    assert_eq!(slot_states(&world, &tasks).await, [Holding, Queued, Holding, Queued]);
    assert_eq!(world.state().running.len(), 2);

    assert_eq!(runner.execute(bob).await.phase, Some(Phase::Completed));
    assert_eq!(slot_states(&world, &tasks).await, [Holding, Queued, Idle, Holding]);

    assert_eq!(runner.execute(first_of_ada).await.phase, Some(Phase::Completed));
    assert_eq!(slot_states(&world, &tasks).await, [Idle, Holding, Idle, Holding]);

    for task in [&tasks[1], &tasks[3]] {
        assert_eq!(runner.execute(task).await.phase, Some(Phase::Completed));
    }
    assert_eq!(world.store().held_and_queued(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn higher_priority_gets_the_next_slot() {
    let world = world_with(MB);
    let runner = runner(&world, ONE_SLOT);
    let first = request(&runner, "ada@court.example", Priority::Normal).await;
    let low = request(&runner, "bob@court.example", Priority::Low).await;
    let high = request(&runner, "cyd@court.example", Priority::High).await;

    runner.execute(&first).await;
    assert_eq!(record(&world, &high).await.slot_state, SlotState::Holding);

    runner.execute(&high).await;
    assert_eq!(record(&world, &low).await.slot_state, SlotState::Holding);

    runner.execute(&low).await;
}

#[tokio::test(start_paused = true)]
async fn transfer_awaiting_arrival_releases_its_slot() {
    let world = world_with(MB);
    world.state().documents.get_mut(GUID).unwrap().moves = false;
    let runner = runner(&world, ONE_SLOT);
    let ada = request(&runner, "ada@court.example", Priority::Normal).await;
    let bob = request(&runner, "bob@court.example", Priority::Normal).await;
    runner.push_once(&ada).await.unwrap();
    let scheduler = runner.scheduler();
    let poll = || docferry_app::source::poll::poll(&scheduler, &world, runner.rules, &ada);

    poll().await.unwrap();
    assert_eq!(
        record(&world, &ada).await.slot_state,
        SlotState::Holding,
        "the document may arrive soon"
    );

    world.advance(SignedDuration::from_secs(11));
    poll().await.unwrap();
    assert_eq!(record(&world, &ada).await.slot_state, SlotState::Idle);
    assert_eq!(record(&world, &bob).await.slot_state, SlotState::Holding);

    // Ada's document arrives, but her upload has to wait until Bob's transfer has ended.
    world.put_object("order.pdf", bytes(MB));
    let progress = runner.upload_once_after_arrival(&ada).await.unwrap();
    assert!(matches!(progress, docferry_app::delivery::upload::Progress::Wait { seconds: 1..=15 }));
    assert_eq!(record(&world, &ada).await.slot_state, SlotState::Queued);

    world.put_object("order.pdf", bytes(MB));
    assert_eq!(runner.execute(&bob).await.phase, Some(Phase::Completed));
    assert_eq!(record(&world, &ada).await.slot_state, SlotState::Holding);
    assert_eq!(runner.execute(&ada).await.phase, Some(Phase::Completed));
}

#[tokio::test(start_paused = true)]
async fn cancel_of_a_queued_transfer_ends_it_at_once() {
    let world = world_with(MB);
    let runner = runner(&world, ONE_SLOT);
    let running = request(&runner, "ada@court.example", Priority::Normal).await;
    let queued = request(&runner, "bob@court.example", Priority::Normal).await;

    let ids = [queued.transfer_id.clone()];
    job::terminate(&runner.scheduler(), SETTINGS.record_ttl, OWNER, &ids).await.unwrap();

    let canceled = record(&world, &queued).await;
    assert_eq!((canceled.phase, canceled.slot_state), (Phase::Canceled, SlotState::Idle));
    assert_eq!(world.store().held_and_queued(), (1, 0));
    assert_eq!(runner.execute(&running).await.phase, Some(Phase::Completed));
    assert_eq!(effect_count(&world, "push"), 1);
}

/// A slot may be released after the slots were read for a grant. The grant stays valid, and the
/// next round of scheduling uses the released slot.
#[tokio::test(start_paused = true)]
async fn skipped_transfer_gets_a_slot_released_during_the_same_round() {
    use SlotState::{Holding, Idle, Queued};
    let world = world_with(MB);
    let runner = runner(&world, TWO_SLOTS);
    let tasks = request_in_order(&world, &runner, ["ada", "cyd", "ada", "bob"]).await;
    let (first_of_ada, cyd, bob) = (&tasks[0], &tasks[1], &tasks[3]);
    assert_eq!(slot_states(&world, &tasks).await, [Holding, Holding, Queued, Queued]);
    let store = world.store();
    store.release_slot(&record(&world, cyd).await).await.unwrap();

    // Ada still holds her slot when the slots are read, so Bob is chosen for Cyd's slot. Ada's
    // slot is released before Bob gets his slot.
    let read_slots = store.slots(Pool::Onedrive).await.unwrap();
    store.release_slot(&record(&world, first_of_ada).await).await.unwrap();
    let chosen = [record(&world, bob).await.queue_entry()];
    let now = world.now();
    assert!(store.grant(Pool::Onedrive, read_slots.version, &chosen, now, now).await.unwrap());
    assert_eq!(slot_states(&world, &tasks).await, [Idle, Idle, Queued, Holding]);

    // The next round of scheduling grants the slot that Ada released to her second transfer.
    assert_eq!(runner.scheduler().fill_slots(Pool::Onedrive).await.unwrap(), 1);
    assert_eq!(slot_states(&world, &tasks).await, [Idle, Idle, Holding, Holding]);
}

/// Faults F2 and F17 of `docs/SEMANTICS.md`: a process dies or loses a response after it has queued
/// a transfer and before it has started the execution. The sweeper repairs this.
#[tokio::test(start_paused = true)]
async fn single_slot_delivers_all_transfers_after_any_fault() {
    // The loop ends when the index exceeds the last effect of both transfers.
    for fault_index in 0.. {
        let mut was_reached = false;
        for mode in FAULT_MODES {
            let world = world_with(MB / 4);
            let runner = runner(&world, ONE_SLOT);
            world.inject(Fault { at: fault_index, mode });

            let mut confirmed = 0;
            let scheduler = runner.scheduler();
            for email in ["ada@court.example", "bob@court.example"] {
                let request = initiate(&scheduler, SETTINGS, request_to(email));
                confirmed += usize::from(runner.survive(request).await.is_some());
            }
            runner.run_all().await;
            runner.recover(10).await;

            was_reached |= world.effects().len() > fault_index;
            let effect = world.effects().get(fault_index).copied();
            let context = format!("{mode:?} at {fault_index}: {effect:?}");
            for transfer in world.store().transfers() {
                assert_eq!(transfer.phase, Phase::Completed, "{context}");
            }
            let delivered = world.state().drive.files().len();
            assert!(delivered >= confirmed, "{context}: a confirmed transfer was not delivered");
            assert_eq!(world.store().held_and_queued(), (0, 0), "{context}");
            assert!(world.state().objects.is_empty(), "{context}");
        }
        if !was_reached {
            assert!(fault_index > 40, "the run has only {fault_index} effects");
            break;
        }
    }
}

#[test]
fn retried_job_queues_at_the_time_of_its_retry() {
    use docferry_domain::transfer::Transfer;
    use docferry_testkit::builders::transfer;
    let day = SignedDuration::from_hours(24);
    let first = transfer();
    let requested_next_day = Transfer { created_at: first.created_at + day, ..transfer() };

    let retried_after_two_days = first.clone().for_retry_by(first.deadline + day + day, None);

    assert!(
        retried_after_two_days.queue_entry().order > requested_next_day.queue_entry().order,
        "the retry was requested a day after the new transfer"
    );
}

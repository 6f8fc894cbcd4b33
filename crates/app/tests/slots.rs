//! Tests of slots, queue and priority: the limits hold, and each transfer gets a slot eventually.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{GUID, MB, SETTINGS, bytes, record, request_to, world_with};
use docferry_app::TaskInput;
use docferry_app::job;
use docferry_app::ports::{Clock as _, SlotStore as _};
use docferry_app::transfer::create::initiate;
use docferry_domain::phase::Phase;
use docferry_domain::slots::{Pool, PoolLimits, Priority, SlotState};
use docferry_testkit::{Fault, Mode, Runner, World};
use jiff::SignedDuration;

const LIMITS: PoolLimits = PoolLimits::new(2, 1);

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

/// Requests deliveries for four people, one second apart.
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
    let runner = runner(&world, LIMITS);
    let tasks = request_in_order(&world, &runner, ["ada", "ada", "bob", "cyd"]).await;
    // Ada's second transfer is skipped, because a person may hold only one slot.
    assert_eq!(slot_states(&world, &tasks).await, [Holding, Queued, Holding, Queued]);
    assert_eq!(world.state().running.len(), 2);
    assert_eq!(runner.execute(&tasks[2]).await.phase, Some(Phase::Completed));
    assert_eq!(slot_states(&world, &tasks).await, [Holding, Queued, Idle, Holding]);
    assert_eq!(runner.execute(&tasks[0]).await.phase, Some(Phase::Completed));
    assert_eq!(slot_states(&world, &tasks).await, [Idle, Holding, Idle, Holding]);
    for task in [&tasks[1], &tasks[3]] {
        assert_eq!(runner.execute(task).await.phase, Some(Phase::Completed));
    }
    assert_eq!(world.store().held_and_queued(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn higher_priority_gets_the_next_slot() {
    let world = world_with(MB);
    let runner = runner(&world, PoolLimits::new(1, 1));
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
    let runner = runner(&world, PoolLimits::new(1, 1));
    let waiting = request(&runner, "ada@court.example", Priority::Normal).await;
    let next = request(&runner, "bob@court.example", Priority::Normal).await;
    runner.push_once(&waiting).await.unwrap();
    let scheduler = runner.scheduler();
    let poll = || docferry_app::source::poll::poll(&scheduler, &world, runner.rules, &waiting);
    poll().await.unwrap();
    assert_eq!(
        record(&world, &waiting).await.slot_state,
        SlotState::Holding,
        "the document may arrive soon"
    );
    world.advance(SignedDuration::from_secs(11));
    poll().await.unwrap();
    assert_eq!(record(&world, &waiting).await.slot_state, SlotState::Idle);
    assert_eq!(record(&world, &next).await.slot_state, SlotState::Holding);
    // The document arrives; now the upload has to wait for the end of the other transfer.
    world.put_object("order.pdf", bytes(MB));
    let progress = runner.upload_once_after_arrival(&waiting).await.unwrap();
    assert!(matches!(progress, docferry_app::delivery::upload::Progress::Wait { seconds: 1..=15 }));
    assert_eq!(record(&world, &waiting).await.slot_state, SlotState::Queued);
    world.put_object("order.pdf", bytes(MB));
    assert_eq!(runner.execute(&next).await.phase, Some(Phase::Completed));
    assert_eq!(record(&world, &waiting).await.slot_state, SlotState::Holding);
    assert_eq!(runner.execute(&waiting).await.phase, Some(Phase::Completed));
}

#[tokio::test(start_paused = true)]
async fn cancel_of_a_queued_transfer_ends_it_at_once() {
    let world = world_with(MB);
    let runner = runner(&world, PoolLimits::new(1, 1));
    let first = request(&runner, "ada@court.example", Priority::Normal).await;
    let waiting = request(&runner, "bob@court.example", Priority::Normal).await;
    let ids = [waiting.transfer_id.clone()];
    job::terminate(&runner.scheduler(), SETTINGS.record_ttl, "scv", &ids).await.unwrap();
    let ended = record(&world, &waiting).await;
    assert_eq!((ended.phase, ended.slot_state), (Phase::Canceled, SlotState::Idle));
    assert_eq!(world.store().held_and_queued(), (1, 0));
    assert_eq!(runner.execute(&first).await.phase, Some(Phase::Completed));
    assert_eq!(world.effects().iter().filter(|e| **e == "push").count(), 1);
}

/// A slot may be released after the slots were read for a grant. The grant stays valid, and the
/// next round of scheduling uses the released slot.
#[tokio::test(start_paused = true)]
async fn skipped_transfer_gets_a_slot_released_during_the_same_round() {
    use SlotState::{Holding, Idle, Queued};
    let world = world_with(MB);
    let runner = runner(&world, LIMITS);
    let tasks = request_in_order(&world, &runner, ["ada", "cyd", "ada", "bob"]).await;
    assert_eq!(slot_states(&world, &tasks).await, [Holding, Holding, Queued, Queued]);
    let store = world.store();
    store.release_slot(&record(&world, &tasks[1]).await).await.unwrap();
    // Ada still holds her slot, so Bob is chosen. Her slot is released before Bob's is granted.
    let seen = store.slots(Pool::Onedrive).await.unwrap();
    store.release_slot(&record(&world, &tasks[0]).await).await.unwrap();
    let bob = [record(&world, &tasks[3]).await.queue_entry()];
    let now = world.now();
    assert!(store.grant(Pool::Onedrive, seen.version, &bob, now, now).await.unwrap());
    assert_eq!(slot_states(&world, &tasks).await, [Idle, Idle, Queued, Holding]);
    // The release of a slot also schedules the next transfer.
    assert_eq!(runner.scheduler().fill_slots(Pool::Onedrive).await.unwrap(), 1);
    assert_eq!(slot_states(&world, &tasks).await, [Idle, Idle, Holding, Holding]);
}

/// Faults F2 and F17: whichever effect fails between the queue and the start of an execution, the
/// sweeper repairs it, and no document is delivered twice.
#[tokio::test(start_paused = true)]
async fn single_slot_delivers_all_transfers_after_any_fault() {
    let limits = PoolLimits::new(1, 1);
    for at in 0.. {
        let mut reached = false;
        for mode in [Mode::CrashBefore, Mode::CrashAfter, Mode::ResponseLost] {
            let world = world_with(MB / 4);
            let runner = runner(&world, limits);
            world.inject(Fault { at, mode });
            let mut tasks = Vec::new();
            let scheduler = runner.scheduler();
            for email in ["ada@court.example", "bob@court.example"] {
                let request = initiate(&scheduler, SETTINGS, request_to(email));
                let created = runner.survive(request).await;
                tasks.extend(
                    created.map(|t| TaskInput { transfer_id: t.transfer_id, execution_number: 1 }),
                );
            }
            runner.run_all().await;
            runner.recover(10).await;
            reached |= world.effects().len() > at;
            let context = format!("{mode:?} at {at}: {:?}", world.effects().get(at));
            for transfer in world.store().transfers() {
                assert_eq!(transfer.phase, Phase::Completed, "{context}");
            }
            let delivered = world.state().drive.files().len();
            assert!(delivered >= tasks.len(), "{context}: a confirmed transfer was not delivered");
            assert_eq!(world.store().held_and_queued(), (0, 0), "{context}");
            assert!(world.state().objects.is_empty(), "{context}");
        }
        if !reached {
            assert!(at > 40, "the run has only {at} effects");
            break;
        }
    }
}

#[test]
fn retried_job_queues_at_the_time_of_its_retry() {
    use docferry_domain::slots::QueueEntry;
    use docferry_domain::transfer::Transfer;
    let first: Transfer = docferry_testkit::builders::transfer();
    let day = SignedDuration::from_hours(24);
    let next_day =
        Transfer { created_at: first.created_at + day, ..docferry_testkit::builders::transfer() };
    let retried = first.clone().for_retry_by(first.deadline + day + day, None);
    let order = |waiting: QueueEntry| waiting.order;
    assert!(
        order(retried.queue_entry()) > order(next_day.queue_entry()),
        "the retry was requested a day later"
    );
}

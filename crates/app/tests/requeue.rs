//! Tests of the operator command `requeue`, which starts a new execution of a transfer whose
//! execution died. An *execution* is a run of the Step Functions workflow of one transfer.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{
    MB, assert_invariants, bytes, effect_count, kill_execution, record, start, world_with,
};
use docferry_app::TaskInput;
use docferry_app::ports::TransferStore as _;
use docferry_app::recovery::requeue::{RequeueError, Requeued, requeue};
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::phase::Phase;
use docferry_domain::slots::SlotState;
use docferry_domain::transfer::Transfer;
use docferry_testkit::{Fault, Mode, Runner, World};

/// Requeues a transfer, and checks that the command is rejected and changes nothing. Returns the
/// reason of the rejection.
async fn expect_rejection(world: &World, task: &TaskInput) -> RequeueError {
    let starts_before = effect_count(world, "start");
    let transfers_before = world.store().transfers();

    let error = requeue(world, world, &task.transfer_id).await.unwrap_err();

    assert_eq!(world.store().transfers(), transfers_before, "a record was changed");
    assert_eq!(effect_count(world, "start"), starts_before, "an execution was started");
    error
}

#[tokio::test(start_paused = true)]
async fn requeue_resumes_a_dead_transfer_in_the_next_execution() {
    let world = world_with(2 * MB);
    let task = start(&world).await;
    let runner = Runner::new(&world);
    runner.push_once(&task).await.unwrap();
    docferry_app::source::poll::poll(&runner.scheduler(), &world, runner.rules, &task)
        .await
        .unwrap();
    kill_execution(&world, &task);

    let requeued = requeue(&world, &world, &task.transfer_id).await.unwrap();

    assert_eq!(requeued, Requeued::Next { execution_number: 2 });
    let next = TaskInput { execution_number: 2, ..task };
    assert_eq!(runner.execute(&next).await.phase, Some(Phase::Completed));
    assert_invariants(&world, &next, &bytes(2 * MB), "requeued").await;
    assert_eq!(effect_count(&world, "push"), 1, "the document was pushed again");
}

#[tokio::test(start_paused = true)]
async fn requeue_starts_the_current_execution_if_its_start_was_lost() {
    let world = world_with(MB);
    let task = start(&world).await;
    world.state().running.clear();

    let requeued = requeue(&world, &world, &task.transfer_id).await.unwrap();

    assert_eq!(requeued, Requeued::Started { execution_number: 1 });
    assert_eq!(Runner::new(&world).execute(&task).await.phase, Some(Phase::Completed));
}

/// The sweeper starts at most three executions. An operator may start more, for instance when the
/// cause of the failures is fixed.
#[tokio::test(start_paused = true)]
async fn operator_may_exceed_the_execution_limit_of_the_sweeper() {
    let world = world_with(MB);
    let mut task = start(&world).await;
    for execution_number in 1..=4 {
        task.execution_number = execution_number;
        kill_execution(&world, &task);

        let requeued = requeue(&world, &world, &task.transfer_id).await.unwrap();

        assert_eq!(requeued, Requeued::Next { execution_number: execution_number + 1 });
    }
}

#[tokio::test(start_paused = true)]
async fn requeue_rejects_running_ending_and_ended_transfers() {
    let world = world_with(MB);
    let task = start(&world).await;
    assert!(matches!(expect_rejection(&world, &task).await, RequeueError::Running(1)));

    kill_execution(&world, &task);
    world.begin_ending(&task.transfer_id, 1, FailureCode::QuotaExceeded).await.unwrap();
    let error = expect_rejection(&world, &task).await;
    assert!(error.to_string().contains("QUOTA_EXCEEDED"), "{error}");

    Runner::new(&world).recover(3).await;
    assert_eq!(record(&world, &task).await.phase, Phase::Failed);
    assert!(matches!(expect_rejection(&world, &task).await, RequeueError::Ended(Phase::Failed)));

    let unknown = TaskInput { transfer_id: TransferId::from_u128(9), execution_number: 1 };
    assert!(matches!(expect_rejection(&world, &unknown).await, RequeueError::NotFound));
}

#[tokio::test(start_paused = true)]
async fn requeue_rejects_a_queued_transfer() {
    let world = world_with(MB);
    let task = start(&world).await;
    world.state().running.clear();
    let queued = Transfer { slot_state: SlotState::Queued, ..record(&world, &task).await };
    world.store().set(queued);

    assert!(matches!(expect_rejection(&world, &task).await, RequeueError::Queued));
}

/// The command makes four calls to the store and the workflow service. The response to one of them
/// is lost. Then the operator repeats the command,
/// or the sweeper recovers the transfer. In both cases the document is delivered once.
#[tokio::test(start_paused = true)]
async fn requeue_with_lost_response_is_repaired_by_repetition_or_sweep() {
    for lost_response in 0..4 {
        for is_repeated in [true, false] {
            let world = world_with(MB);
            let task = start(&world).await;
            kill_execution(&world, &task);
            let faulty_effect = world.effects().len() + lost_response;
            world.inject(Fault { at: faulty_effect, mode: Mode::ResponseLost });
            let context = format!("response {lost_response} lost, repeated: {is_repeated}");

            requeue(&world, &world, &task.transfer_id).await.unwrap_err();
            if is_repeated {
                // The repetition is rejected if the first command has started an execution.
                let _requeued_or_rejected = requeue(&world, &world, &task.transfer_id).await;
                assert_eq!(world.state().running.len(), 1, "{context}");
            }
            Runner::new(&world).recover(12).await;

            assert_invariants(&world, &task, &bytes(MB), &context).await;
            assert_eq!(record(&world, &task).await.phase, Phase::Completed, "{context}");
        }
    }
}

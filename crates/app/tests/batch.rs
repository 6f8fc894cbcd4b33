//! Tests of batches: jobs that deliver many documents.
//!
//! Each document of a batch is a transfer of its own. A batch is *committed* when all of its
//! documents are recorded; before that, none of them is queued for a slot.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{
    FAULT_MODES, OWNER, SETTINGS, assert_final_invariants, bytes, request_to, retry_request,
};
use docferry_app::batch::{BatchDocument, NewBatch, cancel_batch, initiate_batch};
use docferry_app::job::retry::{RetryResult, retry_job};
use docferry_app::job::terminate;
use docferry_app::ports::BatchStore as _;
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::{ObjectGuid, TransferId};
use docferry_domain::job::{Batch, BatchCounts, OnItemError};
use docferry_domain::phase::Phase;
use docferry_domain::slots::{PoolLimits, SlotState};
use docferry_testkit::{Fault, Mode, Runner, World};
use jiff::SignedDuration;

/// Size of the first document in bytes. Each further document is one byte longer.
const LEN: usize = 2000;

/// A world with `count` documents, and their GUIDs.
fn world_with(count: u32) -> (World, Vec<ObjectGuid>) {
    let world = World::default();
    let guids = (0..count).map(|number| format!("{number:06}AA").parse::<ObjectGuid>().unwrap());
    let guids: Vec<_> = guids.collect();
    for (number, guid) in guids.iter().enumerate() {
        world.add_document(guid.as_str(), &format!("document {number}.pdf"), bytes(LEN + number));
    }
    (world, guids)
}

/// A request for a batch.
fn batch_request(documents: &[ObjectGuid], on_item_error: OnItemError) -> NewBatch {
    let single = request_to("judge@court.example");
    NewBatch {
        spec: single.spec,
        origin: None,
        documents: documents.iter().cloned().map(BatchDocument::of_guid).collect(),
        target: single.target,
        priority: single.priority,
        on_item_error,
    }
}

/// A runner with this number of slots for each person.
fn runner(world: &World, slots_per_person: usize) -> Runner {
    let mut runner = Runner::new(world);
    runner.limits = PoolLimits::new(50, slots_per_person).into();
    runner
}

/// The stored batch, and the counts of its documents.
async fn batch(world: &World, id: &TransferId) -> (Batch, BatchCounts) {
    world.store().batch(id).await.unwrap().unwrap()
}

/// Requests a batch. Returns its id.
async fn start_batch(
    runner: &Runner,
    documents: &[ObjectGuid],
    on_item_error: OnItemError,
) -> TransferId {
    let id = new_id();
    let new = batch_request(documents, on_item_error);
    initiate_batch(&runner.scheduler(), SETTINGS, id.clone(), new, None).await.unwrap();
    id
}

fn new_id() -> TransferId {
    docferry_testkit::builders::transfer().transfer_id
}

#[tokio::test(start_paused = true)]
async fn batch_of_two_hundred_documents_respects_the_slot_limits() {
    let (world, guids) = world_with(200);
    let runner = runner(&world, 3);
    let id = start_batch(&runner, &guids, OnItemError::Fail).await;

    let mut last_percent = 0;
    while let Some(task) = runner.started().into_iter().next() {
        let transfers = world.store().transfers();
        let holders =
            transfers.iter().filter(|transfer| transfer.slot_state == SlotState::Holding).count();
        assert!((1..=3).contains(&holders), "{holders} transfers hold a slot");
        runner.execute(&task).await;
        let (batch, counts) = batch(&world, &id).await;
        let percent = batch.percent(&counts);

        assert!(percent >= last_percent, "{percent}");
        assert_eq!(percent == 100, counts.ended == 200, "{percent}");
        last_percent = percent;
    }

    let (ended, counts) = batch(&world, &id).await;
    assert_eq!((ended.phase, counts.completed), (Phase::Completed, 200));
    assert_eq!(counts.bytes, (0..200).map(|n| LEN as u64 + n).sum::<u64>());
    assert_eq!(world.state().drive.files().len(), 200);
    runner.notify().await;
    assert_final_invariants(&world, "two hundred").await;
}

#[tokio::test(start_paused = true)]
async fn failed_document_cancels_the_batch_unless_failures_are_skipped() {
    for (on_item_error, expected_phase, expected_files) in
        [(OnItemError::Fail, Phase::Failed, 1), (OnItemError::Skip, Phase::Completed, 5)]
    {
        let (world, mut guids) = world_with(6);
        guids[1] = "unknown0".parse().unwrap();
        let runner = runner(&world, 1);
        let id = start_batch(&runner, &guids, on_item_error).await;

        runner.run_all().await;

        let (ended, counts) = batch(&world, &id).await;
        assert_eq!((ended.phase, counts.ended), (expected_phase, 6), "{on_item_error:?}");
        assert_eq!(usize::from(counts.completed), expected_files);
        assert_eq!(counts.first_failure, Some(FailureCode::SourceNotFound));
        assert_eq!(world.state().drive.files().len(), expected_files);
        assert_eq!(world.store().held_and_queued(), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn canceled_batch_keeps_its_delivered_documents() {
    let (world, guids) = world_with(5);
    let runner = runner(&world, 1);
    let id = start_batch(&runner, &guids, OnItemError::Fail).await;
    let first = runner.started().remove(0);
    runner.execute(&first).await;
    let scheduler = runner.scheduler();
    let cancel = |owner: &'static str| cancel_batch(&scheduler, SETTINGS.record_ttl, owner, &id);

    assert!(!cancel("another owner").await.unwrap());
    assert!(cancel(OWNER).await.unwrap());
    runner.run_all().await;

    let (ended, counts) = batch(&world, &id).await;
    assert_eq!((ended.phase, counts.ended, counts.completed), (Phase::Canceled, 5, 1));
    assert!(!cancel(OWNER).await.unwrap(), "the batch has ended");
    runner.notify().await;
    assert_final_invariants(&world, "canceled").await;
}

/// Injects each kind of fault at each effect of a batch. If the caller got a response to the
/// request, all documents are delivered. If not, either all documents or none are delivered.
#[tokio::test(start_paused = true)]
async fn batch_survives_one_fault_at_any_effect() {
    // The loop ends when the index exceeds the last effect of the batch.
    for fault_index in 0.. {
        let mut was_reached = false;
        for mode in FAULT_MODES {
            let (world, guids) = world_with(3);
            let runner = runner(&world, 2);
            world.inject(Fault { at: fault_index, mode });
            let scheduler = runner.scheduler();
            let id = new_id();
            let new = batch_request(&guids, OnItemError::Fail);

            let request = initiate_batch(&scheduler, SETTINGS, id.clone(), new, None);
            let response = runner.survive(request).await;
            runner.run_all().await;
            runner.recover(12).await;

            was_reached |= world.effects().len() > fault_index;
            let effect = world.effects().get(fault_index).copied();
            let context = format!("{mode:?} at {fault_index}: {effect:?}");
            let transfers = world.store().transfers();
            if response.is_some() {
                let (batch, counts) = self::batch(&world, &id).await;
                assert_eq!(batch.phase, Phase::Completed, "{context}");
                assert_eq!((counts.ended, counts.completed), (3, 3), "{context}");
            }
            let delivered = world.state().drive.files().len();
            assert!(delivered == 3 || (response.is_none() && delivered == 0), "{context}");
            assert!(
                transfers.iter().all(|transfer| transfer.slot_state == SlotState::Idle),
                "{context}"
            );
            assert_eq!(world.store().held_and_queued(), (0, 0), "{context}");
            assert!(world.state().objects.is_empty(), "{context}");
            // The sweeper must not fail when it removes an uncommitted batch.
            world.advance(SignedDuration::from_mins(10));
            runner.recover(2).await;
        }
        if !was_reached {
            assert!(fault_index > 60, "the run has only {fault_index} effects");
            break;
        }
    }
}

/// Names of the effects of a request for three documents.
async fn effects_of_request() -> Vec<&'static str> {
    let (world, documents) = world_with(3);
    start_batch(&runner(&world, 3), &documents, OnItemError::Fail).await;
    world.effects()
}

/// Requests a batch of three documents in a process that dies just before this effect.
async fn request_until(effect: &str) -> (World, Runner, TransferId) {
    let effects = effects_of_request().await;
    let effect_index = effects.iter().position(|name| *name == effect).unwrap();
    let (world, documents) = world_with(3);
    let runner = runner(&world, 3);
    let id = new_id();
    world.inject(Fault { at: effect_index, mode: Mode::CrashBefore });
    let scheduler = runner.scheduler();
    let batch_request = batch_request(&documents, OnItemError::Fail);
    let request = initiate_batch(&scheduler, SETTINGS, id.clone(), batch_request, None);
    assert!(runner.survive(request).await.is_none());
    (world, runner, id)
}

#[tokio::test(start_paused = true)]
async fn cancel_is_deferred_until_the_batch_is_committed() {
    let (world, runner, id) = request_until("add_documents").await;
    let scheduler = runner.scheduler();

    assert!(cancel_batch(&scheduler, SETTINGS.record_ttl, OWNER, &id).await.unwrap());

    let (canceled, counts) = batch(&world, &id).await;
    assert!(canceled.cancel_requested);
    assert!(!canceled.documents_stopped, "not all documents are recorded yet");
    assert!(!canceled.stops(&counts));
    let committed = Batch { phase: Phase::Uploading, ..canceled };
    assert!(committed.stops(&counts));
}

#[tokio::test(start_paused = true)]
async fn uncommitted_batch_ends_as_abandoned() {
    let (world, runner, id) = request_until("commit_batch").await;
    let scheduler = runner.scheduler();

    runner.recover(10).await;

    let (ended, counts) = batch(&world, &id).await;
    assert!(ended.was_abandoned(&counts), "{ended:?} {counts:?}");
    let retried = retry_job(&scheduler, &world, retry_request(&id)).await.unwrap();
    assert!(matches!(retried, RetryResult::Abandoned), "{retried:?}");
    runner.run_all().await;
    assert!(world.state().drive.files().is_empty(), "a document of the batch was delivered");
}

#[tokio::test(start_paused = true)]
async fn cancel_of_the_last_queued_document_ends_the_batch() {
    let (world, documents) = world_with(1);
    // Without slots, the document stays in the queue.
    let runner = runner(&world, 0);
    let id = start_batch(&runner, &documents, OnItemError::Skip).await;

    terminate(&runner.scheduler(), SETTINGS.record_ttl, OWNER, &[id.document(0)]).await.unwrap();

    let (ended, counts) = batch(&world, &id).await;
    assert_eq!((ended.phase, counts.ended), (Phase::Canceled, 1), "{ended:?}");
}

/// The documents were never queued, so the workflow step `finalize` never ran for them. A retry
/// must not wait for that step.
#[tokio::test(start_paused = true)]
async fn documents_canceled_before_queueing_can_be_retried() {
    let (world, runner, id) = request_until("batch").await;
    let scheduler = runner.scheduler();
    assert!(cancel_batch(&scheduler, SETTINGS.record_ttl, OWNER, &id).await.unwrap());
    let (canceled, _) = batch(&world, &id).await;
    assert_eq!(canceled.phase, Phase::Canceled);

    let retried = retry_job(&scheduler, &world, retry_request(&id)).await.unwrap();
    runner.run_all().await;
    runner.recover(5).await;

    assert!(matches!(retried, RetryResult::Accepted { .. }), "{retried:?}");
    let (retried_batch, _) = batch(&world, &id).await;
    assert_eq!(retried_batch.phase, Phase::Completed);
}

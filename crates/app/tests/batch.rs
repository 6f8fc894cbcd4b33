//! Tests of batches: many documents in one job.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{SETTINGS, assert_final_invariants, bytes, request_to};
use docferry_app::batch::{NewBatch, cancel_batch, initiate_batch};
use docferry_app::job::JobSettings;
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

const LEN: usize = 2000;

/// A world with `count` documents, and their GUIDs.
fn world_with(count: u32) -> (World, Vec<ObjectGuid>) {
    let world = World::default();
    let guids = (0..count).map(|n| format!("{n:06}AA").parse::<ObjectGuid>().unwrap());
    let guids: Vec<_> = guids.collect();
    for (n, guid) in guids.iter().enumerate() {
        world.add_document(guid.as_str(), &format!("document {n}.pdf"), bytes(LEN + n));
    }
    (world, guids)
}

/// A request for a batch.
fn batch_request(documents: &[ObjectGuid], on_item_error: OnItemError) -> NewBatch {
    let single = request_to("judge@court.example");
    NewBatch {
        owner: single.owner,
        on_behalf_of: None,
        documents: documents.iter().map(|guid| (guid.clone(), None)).collect(),
        retain_until: None,
        callback: None,
        target: single.target,
        priority: single.priority,
        on_item_error,
    }
}

fn runner(world: &World, per_person: usize) -> Runner {
    let mut runner = Runner::new(world);
    runner.limits = PoolLimits::new(50, per_person).into();
    runner
}

async fn batch(world: &World, id: &TransferId) -> (Batch, BatchCounts) {
    world.store().batch(id).await.unwrap().unwrap()
}

/// Requests a batch.
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
    let mut last = 0;
    while let Some(task) = runner.started().into_iter().next() {
        let holding =
            world.store().transfers().iter().filter(|t| t.slot_state == SlotState::Holding).count();
        assert!((1..=3).contains(&holding), "{holding} transfers hold a slot");
        runner.execute(&task).await;
        let (batch, counts) = batch(&world, &id).await;
        let percent = batch.percent(&counts);
        assert!(percent >= last && (percent == 100) == (counts.ended == 200));
        last = percent;
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
    for (on_item_error, phase, delivered) in
        [(OnItemError::Fail, Phase::Failed, 1), (OnItemError::Skip, Phase::Completed, 5)]
    {
        let (world, mut guids) = world_with(6);
        guids[1] = "unknown0".parse().unwrap();
        let runner = runner(&world, 1);
        let id = start_batch(&runner, &guids, on_item_error).await;
        runner.run_all().await;
        let (ended, counts) = batch(&world, &id).await;
        assert_eq!((ended.phase, counts.ended), (phase, 6), "{on_item_error:?}");
        assert_eq!(usize::from(counts.completed), delivered);
        assert_eq!(counts.first_failure, Some(FailureCode::SourceNotFound));
        assert_eq!(world.state().drive.files().len(), delivered);
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
    assert!(cancel("scv").await.unwrap());
    runner.run_all().await;
    let (ended, counts) = batch(&world, &id).await;
    assert_eq!((ended.phase, counts.ended, counts.completed), (Phase::Canceled, 5, 1));
    assert!(!cancel("scv").await.unwrap(), "the batch has ended");
    runner.notify().await;
    assert_final_invariants(&world, "canceled").await;
}

/// Each effect of a batch, with a crash before it, a crash after it and a lost response: a
/// confirmed batch is delivered completely, an unconfirmed one completely or not at all.
#[tokio::test(start_paused = true)]
async fn batch_survives_one_fault_at_any_effect() {
    for at in 0.. {
        let mut reached = false;
        for mode in [Mode::CrashBefore, Mode::CrashAfter, Mode::ResponseLost] {
            let (world, guids) = world_with(3);
            let runner = runner(&world, 2);
            world.inject(Fault { at, mode });
            let scheduler = runner.scheduler();
            let id = new_id();
            let new = batch_request(&guids, OnItemError::Fail);
            let request = initiate_batch(&scheduler, SETTINGS, id.clone(), new, None);
            let response = runner.survive(request).await;
            runner.run_all().await;
            runner.recover(12).await;
            reached |= world.effects().len() > at;
            let context = format!("{mode:?} at {at}: {:?}", world.effects().get(at));
            let transfers = world.store().transfers();
            if response.is_some() {
                let (batch, counts) = self::batch(&world, &id).await;
                assert_eq!(batch.phase, Phase::Completed, "{context}");
                assert_eq!((counts.ended, counts.completed), (3, 3), "{context}");
            }
            let delivered = world.state().drive.files().len();
            assert!(delivered == 3 || (response.is_none() && delivered == 0), "{context}");
            let unfinished = transfers.iter().filter(|t| t.slot_state != SlotState::Idle).count();
            assert_eq!(unfinished, 0, "{context}");
            assert_eq!(world.store().held_and_queued(), (0, 0), "{context}");
            assert!(world.state().objects.is_empty(), "{context}");
            // An uncommitted batch is removed as well.
            world.advance(SignedDuration::from_mins(10));
            runner.recover(2).await;
        }
        if !reached {
            assert!(at > 60, "the run has only {at} effects");
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

/// Requests three documents in a process that dies before this effect.
async fn request_until(effect: &str) -> (World, Runner, TransferId) {
    let at = effects_of_request().await.iter().position(|name| *name == effect).unwrap();
    let (world, documents) = world_with(3);
    let runner = runner(&world, 3);
    let id = new_id();
    world.inject(Fault { at, mode: Mode::CrashBefore });
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
    assert!(cancel_batch(&scheduler, SETTINGS.record_ttl, "scv", &id).await.unwrap());
    let (canceled, counts) = batch(&world, &id).await;
    assert!(
        canceled.cancel_requested && !canceled.documents_stopped,
        "not all documents are recorded yet"
    );
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
    let jobs = JobSettings { initiate: SETTINGS, job_ttl: SETTINGS.record_ttl };
    let retried = retry_job(&scheduler, jobs, 3, "scv", &id).await.unwrap();
    assert!(matches!(retried, RetryResult::Abandoned), "{retried:?}");
    runner.run_all().await;
    assert!(world.state().drive.files().is_empty(), "a document of the batch was delivered");
}

#[tokio::test(start_paused = true)]
async fn cancel_of_the_last_queued_document_ends_the_batch() {
    let (world, documents) = world_with(1);
    // No slots are available.
    let runner = runner(&world, 0);
    let id = start_batch(&runner, &documents, OnItemError::Skip).await;
    terminate(&runner.scheduler(), SETTINGS.record_ttl, "scv", &[id.document(0)]).await.unwrap();
    let (ended, counts) = batch(&world, &id).await;
    assert_eq!((ended.phase, counts.ended), (Phase::Canceled, 1), "{ended:?}");
}

/// The documents were never queued, so no step has closed them.
#[tokio::test(start_paused = true)]
async fn documents_canceled_before_queueing_can_be_retried() {
    let (world, runner, id) = request_until("bundle").await;
    let scheduler = runner.scheduler();
    assert!(cancel_batch(&scheduler, SETTINGS.record_ttl, "scv", &id).await.unwrap());
    assert_eq!(batch(&world, &id).await.0.phase, Phase::Canceled);
    let jobs = JobSettings { initiate: SETTINGS, job_ttl: SETTINGS.record_ttl };
    let retried = retry_job(&scheduler, jobs, 3, "scv", &id).await.unwrap();
    assert!(matches!(retried, RetryResult::Accepted { .. }), "{retried:?}");
    runner.run_all().await;
    runner.recover(5).await;
    assert_eq!(batch(&world, &id).await.0.phase, Phase::Completed);
}

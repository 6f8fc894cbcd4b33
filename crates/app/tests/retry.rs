//! Tests of retries. A retry is another run of a job that has ended, under the same id.
//!
//! A job delivers one document (a transfer) or many documents (a batch). A transfer is *closed*
//! when the clean-up of its last run has closed its sessions and uploads; only then can it run
//! again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use bytes::Bytes;
use common::{FAULT_MODES, JOBS, OWNER, SETTINGS, bytes, retry_request};
use docferry_app::TaskInput;
use docferry_app::job::retry::{RetryResult, retry_job};
use docferry_app::job::{CancelResult, NewJob, cancel_job, initiate_job};
use docferry_app::ports::{
    BatchRetry, BatchStore as _, JobStore as _, SlotStore as _, TransferStore as _,
};
use docferry_domain::document::{DocumentKey, DocumentRecord};
use docferry_domain::ids::{FileId, TransferId};
use docferry_domain::job::{JobState, OnItemError};
use docferry_domain::job_spec::JobSpec;
use docferry_domain::person::Person;
use docferry_domain::phase::Phase;
use docferry_domain::slots::{PoolLimits, Priority};
use docferry_domain::transfer::{DownloadTarget, Target, Transfer};
use docferry_testkit::builders::{document_record, drive_target, unrestricted_caller};
use docferry_testkit::{Fault, Kill, Processes, Runner, World};
use jiff::SignedDuration;

/// No transfer can get a slot under these limits.
const NO_SLOTS: PoolLimits = PoolLimits::new(0, 0);

/// GUID of the document with this number.
fn guid(number: u64) -> String {
    format!("{number:06}AA")
}

/// A world with `documents` documents. All of them are in the registry, but the first one is
/// missing at the source.
fn world(documents: u64) -> World {
    let world = World::default();
    for number in 0..documents {
        let object_guid = guid(number).parse().unwrap();
        let file_id = Some(FileId::new(number));
        world.registry().insert(DocumentRecord {
            obj_guid: object_guid,
            file_id,
            ..document_record(number)
        });
    }
    for number in 1..documents {
        add_to_source(&world, number);
    }
    world
}

/// Adds the document with this number to the source.
fn add_to_source(world: &World, number: u64) {
    world.add_document(&guid(number), &format!("document {number}.pdf"), content(number));
}

/// Content of the document with this number. Each document has another size.
fn content(number: u64) -> Bytes {
    bytes(400_000 + number as usize)
}

/// Runs the sweeper after the retention of all deliveries has ended.
async fn expire_deliveries(world: &World, runner: &Runner) {
    world.advance(SignedDuration::from_hours(25));
    runner.recover(2).await;
}

/// Requests a job of the first `documents` documents.
async fn start_job(runner: &Runner, world: &World, documents: u64, target: &Target) -> TransferId {
    let new = NewJob {
        spec: JobSpec::of_owner(OWNER),
        origin: None,
        documents: (0..documents).map(|number| DocumentKey::File(FileId::new(number))).collect(),
        requester: unrestricted_caller(),
        is_single: documents == 1,
        target: target.clone(),
        priority: Priority::Normal,
        on_item_error: OnItemError::Skip,
        name: None,
    };
    initiate_job(&runner.scheduler(), world, JOBS, new).await.unwrap().job_id
}

/// Requests a retry of a job.
async fn retry(runner: &Runner, id: &TransferId) -> Result<RetryResult, docferry_app::TaskError> {
    retry_job(&runner.scheduler(), runner.world(), retry_request(id)).await
}

/// A target of each kind.
fn targets() -> [Target; 2] {
    let download = DownloadTarget { person: Person::new("p") };
    [Target::Download(download), drive_target("judge@court.example", "").into()]
}

/// Phase of a job, which is a single transfer or a batch.
async fn phase(world: &World, id: &TransferId) -> Phase {
    match world.store().batch(id).await.unwrap() {
        Some((batch, _)) => batch.phase,
        None => world.store().get(id).await.unwrap().unwrap().phase,
    }
}

/// Checks the invariants of a completed job: each of its documents exists once at the target, and
/// nothing else remains.
fn assert_delivered(world: &World, documents: u64, target: &Target, context: &str) {
    let state = world.state();
    let expected: Vec<_> = (0..documents).map(content).collect();
    let found: Vec<_> = match target {
        Target::Download(_) => state.delivery.objects.values().cloned().collect(),
        Target::Onedrive(_) => {
            state.drive.files().values().map(|file| file.bytes.clone()).collect()
        }
    };
    assert_eq!(found.len(), expected.len(), "{context}: a document is missing or duplicated");
    assert!(
        expected.iter().all(|bytes| found.contains(bytes)),
        "{context}: a document has wrong bytes"
    );
    assert!(state.objects.is_empty(), "{context}: the exchange bucket is not empty");
    assert!(state.delivery.uploads.is_empty(), "{context}: a multipart upload is open");
    assert_eq!(state.drive.open_sessions(), 0, "{context}: an upload session is open");
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

/// Retries an ended job once for each effect of the retry request and of the following run, and for
/// each kind of fault. `create_ended_job` creates the job and runs it to its end. Fails if a retry
/// has `min_effects` effects or fewer.
async fn assert_retry_survives_faults(
    documents: u64,
    min_effects: usize,
    create_ended_job: impl AsyncFn(&World, &mut Runner, &Target) -> TransferId,
) {
    for target in targets() {
        // The loop ends when the index exceeds the last effect of the retry.
        for fault_index in 0.. {
            let mut was_reached = false;
            for mode in FAULT_MODES {
                let world = world(documents);
                let mut runner = Runner::new(&world);
                let id = create_ended_job(&world, &mut runner, &target).await;
                let faulty_effect = world.effects().len() + fault_index;
                world.inject(Fault { at: faulty_effect, mode });

                // A client repeats the request if its response is lost.
                let mut response = runner.survive(retry(&runner, &id)).await;
                if response.is_none() {
                    response = runner.survive(retry(&runner, &id)).await;
                }
                runner.run_all().await;
                runner.recover(20).await;

                was_reached |= world.effects().len() > faulty_effect;
                let effect = world.effects().get(faulty_effect).copied();
                let context =
                    format!("{target:?}, {mode:?} at {fault_index}: {effect:?}, {response:?}");
                assert_eq!(phase(&world, &id).await, Phase::Completed, "{context}");
                assert_delivered(&world, documents, &target, &context);
            }
            if !was_reached {
                assert!(fault_index > min_effects, "the retry has only {fault_index} effects");
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn retry_survives_one_fault_at_any_effect() {
    Box::pin(assert_retry_survives_faults(1, 15, async |world, runner, target| {
        let id = start_job(runner, world, 1, target).await;
        runner.run_all().await;
        assert_eq!(phase(world, &id).await, Phase::Failed);
        add_to_source(world, 0);
        id
    }))
    .await;
}

#[tokio::test(start_paused = true)]
async fn retry_of_canceled_batch_survives_one_fault_at_any_effect() {
    Box::pin(assert_retry_survives_faults(3, 30, async |world, runner, target| {
        add_to_source(world, 0);
        runner.limits = PoolLimits::new(1, 1).into();
        let id = start_job(runner, world, 3, target).await;
        let task = runner.started().remove(0);
        runner.execute(&task).await;
        let scheduler = runner.scheduler();
        docferry_app::batch::cancel_batch(&scheduler, SETTINGS.record_ttl, OWNER, &id)
            .await
            .unwrap();
        runner.run_all().await;
        assert_eq!(phase(world, &id).await, Phase::Canceled);
        id
    }))
    .await;
}

#[tokio::test(start_paused = true)]
async fn expired_job_is_refetched_on_retry() {
    let world = world(2);
    add_to_source(&world, 0);
    let runner = Runner::new(&world);
    let [target, _] = targets();
    for documents in [1, 2] {
        let id = start_job(&runner, &world, documents, &target).await;

        runner.run_all().await;
        expire_deliveries(&world, &runner).await;

        assert!(world.state().delivery.objects.is_empty(), "an expired object was not deleted");
        assert!(matches!(
            retry(&runner, &id).await.unwrap(),
            RetryResult::Accepted { attempts: 2, .. }
        ));

        runner.run_all().await;
        runner.recover(2).await;
        assert_eq!(phase(&world, &id).await, Phase::Completed);
        assert_delivered(&world, documents, &target, "retry after the expiry");
        expire_deliveries(&world, &runner).await;
    }
}

/// The last step of the first run is repeated while the second run uploads.
#[tokio::test(start_paused = true)]
async fn late_cleanup_does_not_affect_the_next_run() {
    for target in targets() {
        let world = world(1);
        add_to_source(&world, 0);
        let runner = Runner::new(&world);
        let id = start_job(&runner, &world, 1, &target).await;
        let scheduler = runner.scheduler();
        let ids = std::slice::from_ref(&id);
        let task = TaskInput { transfer_id: id.clone(), execution_number: 1 };
        runner.push_once(&task).await.unwrap();
        docferry_app::job::terminate(&scheduler, SETTINGS.record_ttl, OWNER, ids).await.unwrap();

        runner.execute(&task).await;

        let ended = world.store().get(&id).await.unwrap().unwrap();
        assert_eq!(
            JobState::of(ended.phase, ended.spec.retain_until, ended.created_at),
            JobState::Canceled
        );
        assert!(matches!(retry(&runner, &id).await.unwrap(), RetryResult::Accepted { .. }));

        let next = TaskInput { transfer_id: id.clone(), execution_number: 2 };
        // A push in the second of a deletion would have to be repeated.
        world.advance(SignedDuration::from_secs(1));
        runner.push_once(&next).await.unwrap();
        runner.upload_once_after_arrival(&next).await.ok();
        // The last step of the first run is repeated.
        runner.execute(&task).await;
        runner.run_all().await;
        runner.recover(70).await;
        assert_eq!(phase(&world, &id).await, Phase::Completed, "{target:?}");
        assert_delivered(&world, 1, &target, "after a late clean-up");
    }
}

/// A job is canceled before its second run has started. The exchange key of its first run is still
/// watched for a late object.
#[tokio::test(start_paused = true)]
async fn late_copy_of_first_run_is_removed_if_retry_never_started() {
    for target in targets() {
        let world = world(1);
        add_to_source(&world, 0);
        world.state().documents.get_mut(&guid(0)).unwrap().moves = false;
        let mut runner = Runner::new(&world);
        let id = start_job(&runner, &world, 1, &target).await;

        runner.run_all().await;

        assert_eq!(phase(&world, &id).await, Phase::Failed);

        runner.limits = NO_SLOTS.into();
        assert!(matches!(retry(&runner, &id).await.unwrap(), RetryResult::Accepted { .. }));

        let ids = std::slice::from_ref(&id);
        let scheduler = runner.scheduler();
        docferry_app::job::terminate(&scheduler, SETTINGS.record_ttl, OWNER, ids).await.unwrap();
        assert_eq!(phase(&world, &id).await, Phase::Canceled);

        world.put_object("document 0.pdf", bytes(400_000));
        runner.recover(70).await;
        assert!(world.state().objects.is_empty(), "{target:?}: the late object was not deleted");
    }
}

/// A document that is not closed yet blocks the retry of its batch. This must not fail the cancel
/// of another document.
#[tokio::test(start_paused = true)]
async fn document_is_canceled_while_another_of_its_batch_is_not_closed() {
    let world = world(2);
    world.state().documents.clear();
    let mut runner = Runner::new(&world);
    let [target, _] = targets();
    let job = start_job(&runner, &world, 2, &target).await;

    runner.run_all().await;

    assert_eq!(phase(&world, &job).await, Phase::Failed);

    let failed = world.store().get(&job.document(0)).await.unwrap().unwrap();
    world.store().set(Transfer { closed: false, ..failed });
    runner.limits = NO_SLOTS.into();
    assert!(matches!(retry(&runner, &job).await.unwrap(), RetryResult::Accepted { .. }));
    let ids = [job.document(1), start_job(&runner, &world, 1, &target).await];
    let scheduler = runner.scheduler();
    docferry_app::job::terminate(&scheduler, SETTINGS.record_ttl, OWNER, &ids).await.unwrap();
    for id in ids {
        let canceled = world.store().get(&id).await.unwrap().unwrap();
        assert_eq!(canceled.phase, Phase::Canceled, "{id}");
    }
}

/// A retried batch waits until its last document is closed. The step that closes the document also
/// resumes the batch.
#[tokio::test(start_paused = true)]
async fn batch_resumes_when_its_last_document_is_closed() {
    for target in targets() {
        let world = world(2);
        world.state().documents.clear();
        let runner = Runner::new(&world);
        let job = start_job(&runner, &world, 2, &target).await;
        runner.run_all().await;
        let task = TaskInput { transfer_id: job.document(0), execution_number: 1 };
        let failed = world.store().get(&task.transfer_id).await.unwrap().unwrap();
        world.store().set(Transfer { closed: false, ..failed });
        add_to_source(&world, 0);
        add_to_source(&world, 1);

        assert!(matches!(retry(&runner, &job).await.unwrap(), RetryResult::Accepted { .. }));

        // The workflow or the sweeper repeats `finalize`, which closes the document.
        runner.execute(&task).await;
        runner.run_all().await;
        runner.recover(5).await;
        assert_eq!(phase(&world, &job).await, Phase::Completed, "{target:?}");
        assert_delivered(&world, 2, &target, "closed late");
    }
}

/// The first run pushed, and the second run reuses a delivered artifact. The second run has no
/// object in the exchange bucket, so there is nothing to wait for before the clean-up.
#[tokio::test(start_paused = true)]
async fn run_that_reuses_an_artifact_after_a_push_is_cleaned_up() {
    let world = world(1);
    add_to_source(&world, 0);
    let runner = Runner::new(&world);
    let [target, _] = targets();
    let first = start_job(&runner, &world, 1, &target).await;
    runner.run_all().await;
    expire_deliveries(&world, &runner).await;
    start_job(&runner, &world, 1, &target).await;
    runner.run_all().await;

    assert!(matches!(retry(&runner, &first).await.unwrap(), RetryResult::Accepted { .. }));

    runner.run_all().await;
    runner.recover(70).await;
    let retried = world.store().get(&first).await.unwrap().unwrap();
    assert_eq!((retried.phase, retried.closed), (Phase::Completed, true));
    assert_delivered(&world, 1, &target, "reused");
}

/// The documents of the first run have expired. A cancel during the second run must not report them
/// as delivered.
#[tokio::test(start_paused = true)]
async fn expired_batch_canceled_during_retry_ends_as_canceled() {
    let world = world(2);
    add_to_source(&world, 0);
    let runner = Runner::new(&world);
    let [target, _] = targets();
    let job = start_job(&runner, &world, 2, &target).await;
    runner.run_all().await;
    expire_deliveries(&world, &runner).await;
    let before = runner.started();
    let (ended, _) = world.store().batch(&job).await.unwrap().unwrap();
    let now = world.state().now;
    let (deadline, retain_until) = (now + SignedDuration::from_hours(4), now + JOBS.job_ttl);

    // The process that resumes the batch dies after its first write.
    let retry = BatchRetry { retain_until, deadline, due: deadline, origin: None };
    assert!(world.store().resume_batch(&ended, &retry).await.unwrap());

    let scheduler = runner.scheduler();
    let canceled = cancel_job(&scheduler, SETTINGS.record_ttl, OWNER, &job).await.unwrap();
    assert_eq!(canceled, CancelResult::Asked);
    assert_eq!(phase(&world, &job).await, Phase::Canceled);
    assert_eq!(runner.started(), before, "an execution was started");
}

/// A batch is canceled while a process is resuming its documents, after each effect of that
/// process. A document that is resumed after the cancel would run to its end.
#[tokio::test(start_paused = true)]
async fn canceled_batch_starts_no_document_while_being_resumed() {
    // More than one page of documents.
    const DOCUMENTS: u64 = 30;
    let (mut cancels, mut is_resuming) = (0, true);

    for effects in 0.. {
        let world = world(DOCUMENTS);
        world.state().documents.clear();
        let mut runner = Runner::new(&world);
        let [_, target] = targets();
        let job = start_job(&runner, &world, DOCUMENTS, &target).await;
        runner.run_all().await;
        assert_eq!(phase(&world, &job).await, Phase::Failed);

        runner.limits = NO_SLOTS.into();
        world.state().interleaved = true;
        let response = std::cell::Cell::new(None);
        {
            let mut processes = Processes::default();
            processes.add(Kill::default(), async {
                retry(&runner, &job).await.unwrap();
            });
            for _ in 0..effects {
                processes.step(0).await;
            }
            is_resuming = !processes.is_empty();
            processes.add(Kill::default(), async {
                let scheduler = runner.scheduler();
                let cancel = cancel_job(&scheduler, SETTINGS.record_ttl, OWNER, &job);
                response.set(Some(cancel.await.unwrap()));
            });
            while response.get().is_none() {
                processes.step(processes.len() - 1).await;
            }
            processes.run().await;
        }
        world.state().interleaved = false;
        runner.recover(5).await;

        if response.get() == Some(CancelResult::Asked) {
            cancels += 1;
            assert_eq!(phase(&world, &job).await, Phase::Canceled, "after {effects} effects");
            let mut documents = world.store().transfers();
            documents.retain(|document| !document.phase.is_terminal());
            assert_eq!(documents, [], "after {effects} effects");
        }
        if !is_resuming {
            break;
        }
    }

    assert!(cancels > 10 && !is_resuming, "canceled after only {cancels} effects");
}

/// Checked in both pools, for a job of one document and for the documents of a batch.
#[tokio::test(start_paused = true)]
async fn retried_job_queues_behind_earlier_requests() {
    for target in targets() {
        for documents in [1, 3] {
            let world = world(documents);
            world.state().documents.clear();
            let mut runner = Runner::new(&world);
            let job = start_job(&runner, &world, documents, &target).await;
            runner.run_all().await;
            assert_eq!(phase(&world, &job).await, Phase::Failed);

            runner.limits = NO_SLOTS.into();
            world.advance(SignedDuration::from_hours(1));
            let other = start_job(&runner, &world, 1, &target).await;
            world.advance(SignedDuration::from_secs(1));
            assert!(matches!(retry(&runner, &job).await.unwrap(), RetryResult::Accepted { .. }));
            world.advance(SignedDuration::from_secs(1));
            let last = start_job(&runner, &world, 1, &target).await;

            let queue = world.store().queue(target.pool(), None, 100).await.unwrap();
            let queue: Vec<_> = queue.into_iter().map(|entry| entry.transfer_id).collect();
            let retried: Vec<_> = match documents {
                1 => vec![job],
                many => (0..many).map(|n| job.document(u16::try_from(n).unwrap())).collect(),
            };
            let expected: Vec<_> = [vec![other], retried, vec![last]].concat();
            assert_eq!(queue, expected, "{target:?}, {documents}");
        }
    }
}

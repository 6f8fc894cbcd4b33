//! Jobs that run again after they have ended, whatever is lost on the way.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::{SETTINGS, bytes};
use docferry_app::TaskInput;
use docferry_app::download::{Canceling, JobSettings, NewJob, cancel_job, initiate_job};
use docferry_app::ports::{
    BundleStore as _, IndexedDocument, JobStore as _, SlotStore as _, TransferStore as _,
};
use docferry_app::retry::{Retried, retry_job};
use docferry_domain::{
    DownloadTarget, FileId, JobState, OnItemError, Person, Phase, PoolLimits, Priority, Target,
    Transfer, TransferId,
};
use docferry_testkit::builders::drive_target;
use docferry_testkit::{Fault, Kill, Mode, Processes, Runner, World};
use jiff::SignedDuration;

const MODES: [Mode; 3] = [Mode::CrashBefore, Mode::CrashAfter, Mode::AnswerLost];
const JOBS: JobSettings =
    JobSettings { initiate: SETTINGS, job_ttl: SignedDuration::from_hours(24) };

fn guid(n: u64) -> String {
    format!("{n:06}AA")
}

/// A world whose first document the source does not know.
fn world(documents: u64) -> World {
    let world = World::default();
    for n in 0..documents {
        let object_guid = guid(n).parse().unwrap();
        let document = IndexedDocument { object_guid, name: None, size: None };
        world.state().index.insert(FileId::new(n), document);
    }
    for n in 1..documents {
        add(&world, n);
    }
    world
}

fn add(world: &World, n: u64) {
    world.add_document(&guid(n), &format!("document {n}.pdf"), bytes(400_000 + n as usize));
}

async fn ask(runner: &Runner, world: &World, documents: u64, target: &Target) -> TransferId {
    let new = NewJob {
        owner: "scv".into(),
        on_behalf_of: None,
        files: (0..documents).map(FileId::new).collect(),
        is_single: documents == 1,
        target: target.clone(),
        priority: Priority::Normal,
        on_item_error: OnItemError::Skip,
        callback: None,
        name: None,
    };
    initiate_job(&runner.admitter(), world, JOBS, new).await.unwrap().job_id
}

async fn retry(runner: &Runner, id: &TransferId) -> Result<Retried, docferry_app::TaskError> {
    retry_job(&runner.admitter(), JOBS, 3, "scv", id).await
}

fn targets() -> [Target; 2] {
    let download = DownloadTarget { person: Person::new("p") };
    [Target::Download(download), drive_target("judge@court.example", "").into()]
}

async fn phase(world: &World, id: &TransferId) -> Phase {
    match world.store().bundle(id).await.unwrap() {
        Some((bundle, _)) => bundle.phase,
        None => world.store().get(id).await.unwrap().unwrap().phase,
    }
}

/// What must hold once a job is completed: all its documents are there, once, and
/// nothing else is left.
fn assert_whole(world: &World, documents: u64, target: &Target, context: &str) {
    let state = world.state();
    let expected: Vec<_> = (0..documents).map(|n| bytes(400_000 + n as usize)).collect();
    let found: Vec<_> = match target {
        Target::Download(_) => state.delivery.objects.values().cloned().collect(),
        Target::Onedrive(_) => {
            state.drive.files().values().map(|file| file.bytes.clone()).collect()
        }
    };
    assert_eq!(found.len(), expected.len(), "{context}: one of each");
    assert!(expected.iter().all(|bytes| found.contains(bytes)), "{context}: their bytes");
    assert!(state.objects.is_empty(), "{context}: the exchange bucket is clean");
    assert!(state.delivery.uploads.is_empty(), "{context}: no upload is under way");
    assert_eq!(state.drive.open_sessions(), 0, "{context}: no session is open");
    assert_eq!(world.store().held_and_queued(), (0, 0), "{context}: slots");
    assert!(world.store().keys_in_use().is_empty(), "{context}: exchange keys");
}

/// Retries a job that `ended` has brought to its end, with {crash before, crash after,
/// answer lost} × every effect of the wish and of the run that follows, of which there
/// are more than `effects`.
async fn survives(
    documents: u64,
    effects: usize,
    ended: impl AsyncFn(&World, &mut Runner, &Target) -> TransferId,
) {
    for target in targets() {
        for at in 0.. {
            let mut reached = false;
            for mode in MODES {
                let world = world(documents);
                let mut runner = Runner::new(&world);
                let id = ended(&world, &mut runner, &target).await;
                let first = world.effects().len();
                world.inject(Fault { at: first + at, mode });
                // A client whose answer is lost asks again.
                let mut heard = runner.survive(retry(&runner, &id)).await;
                if heard.is_none() {
                    heard = runner.survive(retry(&runner, &id)).await;
                }
                runner.run_all().await;
                runner.recover(20).await;
                reached |= world.effects().len() > first + at;
                let effect = world.effects().get(first + at).copied();
                let context = format!("{target:?}, {mode:?} at {at}: {effect:?}, {heard:?}");
                assert_eq!(phase(&world, &id).await, Phase::Completed, "{context}");
                assert_whole(&world, documents, &target, &context);
            }
            if !reached {
                assert!(at > effects, "a retry has effects: {at}");
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_runs_again_survives_one_fault_at_any_effect() {
    Box::pin(survives(1, 15, async |world, runner, target| {
        let id = ask(runner, world, 1, target).await;
        runner.run_all().await;
        assert_eq!(phase(world, &id).await, Phase::Failed);
        add(world, 0);
        id
    }))
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_canceled_bundle_that_runs_again_survives_one_fault_at_any_effect() {
    Box::pin(survives(3, 30, async |world, runner, target| {
        add(world, 0);
        runner.limits = PoolLimits::new(1, 1).into();
        let id = ask(runner, world, 3, target).await;
        let task = runner.started().remove(0);
        runner.execute(&task).await;
        let admitter = runner.admitter();
        docferry_app::bundle::cancel_bundle(&admitter, SETTINGS.record_ttl, "scv", &id)
            .await
            .unwrap();
        runner.run_all().await;
        assert_eq!(phase(world, &id).await, Phase::Canceled);
        id
    }))
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_is_fetched_again() {
    let world = world(2);
    add(&world, 0);
    let runner = Runner::new(&world);
    let [target, _] = targets();
    for documents in [1, 2] {
        let id = ask(&runner, &world, documents, &target).await;
        runner.run_all().await;
        world.advance(SignedDuration::from_hours(25));
        runner.recover(2).await;
        assert!(world.state().delivery.objects.is_empty(), "it has been removed");
        assert!(matches!(
            retry(&runner, &id).await.unwrap(),
            Retried::Promised { attempts: 2, .. }
        ));
        runner.run_all().await;
        runner.recover(2).await;
        assert_eq!(phase(&world, &id).await, Phase::Completed);
        assert_whole(&world, documents, &target, "after it had expired");
        world.advance(SignedDuration::from_hours(25));
        runner.recover(2).await;
    }
}

/// What an earlier run still had to do, done late, takes nothing from the later one.
#[tokio::test(start_paused = true)]
async fn a_clean_up_that_comes_late_leaves_the_next_run_alone() {
    for target in targets() {
        let world = world(1);
        add(&world, 0);
        let runner = Runner::new(&world);
        let id = ask(&runner, &world, 1, &target).await;
        let admitter = runner.admitter();
        let ids = std::slice::from_ref(&id);
        let task = TaskInput { transfer_id: id.clone(), attempt: 1 };
        runner.push_once(&task).await.unwrap();
        docferry_app::control::terminate(&admitter, SETTINGS.record_ttl, "scv", ids).await.unwrap();
        runner.execute(&task).await;
        let ended = world.store().get(&id).await.unwrap().unwrap();
        assert_eq!(
            JobState::of(ended.phase, ended.keep_until, ended.created_at),
            JobState::Canceled
        );
        assert!(matches!(retry(&runner, &id).await.unwrap(), Retried::Promised { .. }));
        let next = TaskInput { transfer_id: id.clone(), attempt: 2 };
        // A push at the moment of a deletion would have to be repeated.
        world.advance(SignedDuration::from_secs(1));
        runner.push_once(&next).await.unwrap();
        runner.upload_once_after_arrival(&next).await.ok();
        // The last step of the first run, a second time.
        runner.execute(&task).await;
        runner.run_all().await;
        runner.recover(70).await;
        assert_eq!(phase(&world, &id).await, Phase::Completed, "{target:?}");
        assert_whole(&world, 1, &target, "after a late clean-up");
    }
}

/// A job that is stopped before its second run has begun still waits for what its first
/// run had asked for.
#[tokio::test(start_paused = true)]
async fn a_copy_that_an_earlier_run_is_owed_is_removed_though_the_next_never_began() {
    for target in targets() {
        let world = world(1);
        add(&world, 0);
        world.state().documents.get_mut(&guid(0)).unwrap().moves = false;
        let mut runner = Runner::new(&world);
        let id = ask(&runner, &world, 1, &target).await;
        runner.run_all().await;
        assert_eq!(phase(&world, &id).await, Phase::Failed);
        // Nobody gets a slot.
        runner.limits = PoolLimits::new(0, 0).into();
        assert!(matches!(retry(&runner, &id).await.unwrap(), Retried::Promised { .. }));
        let ids = std::slice::from_ref(&id);
        let admitter = runner.admitter();
        docferry_app::control::terminate(&admitter, SETTINGS.record_ttl, "scv", ids).await.unwrap();
        assert_eq!(phase(&world, &id).await, Phase::Canceled);
        world.put_object("document 0.pdf", bytes(400_000));
        runner.recover(70).await;
        assert!(world.state().objects.is_empty(), "{target:?}: the copy that came late");
    }
}

/// Of a job that runs again one document may not be settled yet: that is nobody's fault
/// who wants another one stopped.
#[tokio::test(start_paused = true)]
async fn a_document_is_stopped_while_another_of_its_job_cannot_be_resumed() {
    let world = world(2);
    world.state().documents.clear();
    let mut runner = Runner::new(&world);
    let [target, _] = targets();
    let job = ask(&runner, &world, 2, &target).await;
    runner.run_all().await;
    assert_eq!(phase(&world, &job).await, Phase::Failed);
    let failed = world.store().get(&job.document(0)).await.unwrap().unwrap();
    world.store().set(Transfer { settled: false, ..failed });
    // Nobody gets a slot.
    runner.limits = PoolLimits::new(0, 0).into();
    assert!(matches!(retry(&runner, &job).await.unwrap(), Retried::Promised { .. }));
    let ids = [job.document(1), ask(&runner, &world, 1, &target).await];
    let admitter = runner.admitter();
    docferry_app::control::terminate(&admitter, SETTINGS.record_ttl, "scv", &ids).await.unwrap();
    for id in ids {
        let stopped = world.store().get(&id).await.unwrap().unwrap();
        assert_eq!(stopped.phase, Phase::Canceled, "{id}");
    }
}

/// Whoever cleans up after a document lets its job go on, though the job waits for just
/// that.
#[tokio::test(start_paused = true)]
async fn a_job_goes_on_when_the_last_of_its_documents_is_settled() {
    for target in targets() {
        let world = world(2);
        world.state().documents.clear();
        let runner = Runner::new(&world);
        let job = ask(&runner, &world, 2, &target).await;
        runner.run_all().await;
        let task = TaskInput { transfer_id: job.document(0), attempt: 1 };
        let failed = world.store().get(&task.transfer_id).await.unwrap().unwrap();
        world.store().set(Transfer { settled: false, ..failed });
        add(&world, 0);
        add(&world, 1);
        assert!(matches!(retry(&runner, &job).await.unwrap(), Retried::Promised { .. }));
        // As `sweep` does, or the workflow that was at it.
        runner.execute(&task).await;
        runner.run_all().await;
        runner.recover(5).await;
        assert_eq!(phase(&world, &job).await, Phase::Completed, "{target:?}");
        assert_whole(&world, 2, &target, "after it was settled late");
    }
}

/// A run that pushed is followed by one that delivers what lies there: there is nothing
/// of its own in the exchange bucket to look for.
#[tokio::test(start_paused = true)]
async fn a_job_that_pushed_first_and_then_delivers_what_lies_there_is_cleaned_up_after() {
    let world = world(1);
    add(&world, 0);
    let runner = Runner::new(&world);
    let [target, _] = targets();
    let first = ask(&runner, &world, 1, &target).await;
    runner.run_all().await;
    world.advance(SignedDuration::from_hours(25));
    runner.recover(2).await;
    ask(&runner, &world, 1, &target).await;
    runner.run_all().await;
    assert!(matches!(retry(&runner, &first).await.unwrap(), Retried::Promised { .. }));
    runner.run_all().await;
    runner.recover(70).await;
    let again = world.store().get(&first).await.unwrap().unwrap();
    assert_eq!((again.phase, again.settled), (Phase::Completed, true));
    assert_whole(&world, 1, &target, "of what lay there");
}

/// What all had been delivered is not there any more: whoever stops the next run is not
/// told that it is.
#[tokio::test(start_paused = true)]
async fn an_expired_job_that_is_stopped_while_it_is_being_resumed_was_not_delivered() {
    let world = world(2);
    add(&world, 0);
    let runner = Runner::new(&world);
    let [target, _] = targets();
    let job = ask(&runner, &world, 2, &target).await;
    runner.run_all().await;
    world.advance(SignedDuration::from_hours(25));
    runner.recover(2).await;
    let before = runner.started();
    let (ended, _) = world.store().bundle(&job).await.unwrap().unwrap();
    let now = world.state().now;
    let (later, much_later) = (now + SignedDuration::from_hours(4), now + JOBS.job_ttl);
    // Whoever ran it again died then.
    assert!(world.store().resume_bundle(&ended, much_later, later, later).await.unwrap());
    let admitter = runner.admitter();
    let stopped = cancel_job(&admitter, SETTINGS.record_ttl, "scv", &job).await.unwrap();
    assert_eq!(stopped, Canceling::Asked);
    assert_eq!(phase(&world, &job).await, Phase::Canceled);
    assert_eq!(runner.started(), before, "nothing of it has begun");
}

/// Whoever resumes the documents of a job is at any of its effects when the job is
/// stopped: what it resumes later would go on by itself.
#[tokio::test(start_paused = true)]
async fn a_job_that_is_stopped_while_it_is_being_resumed_stops_whole() {
    // More than one page of them.
    const DOCUMENTS: u64 = 30;
    let (mut asked, mut resuming) = (0, true);
    for effects in 0.. {
        let world = world(DOCUMENTS);
        world.state().documents.clear();
        let mut runner = Runner::new(&world);
        let [_, target] = targets();
        let job = ask(&runner, &world, DOCUMENTS, &target).await;
        runner.run_all().await;
        assert_eq!(phase(&world, &job).await, Phase::Failed);
        // Nobody gets a slot.
        runner.limits = PoolLimits::new(0, 0).into();
        world.state().interleaved = true;
        let stopped = std::cell::Cell::new(None);
        {
            let mut processes = Processes::default();
            processes.add(Kill::default(), async {
                retry(&runner, &job).await.unwrap();
            });
            for _ in 0..effects {
                processes.step(0).await;
            }
            resuming = !processes.is_empty();
            processes.add(Kill::default(), async {
                let admitter = runner.admitter();
                let stop = cancel_job(&admitter, SETTINGS.record_ttl, "scv", &job);
                stopped.set(Some(stop.await.unwrap()));
            });
            while stopped.get().is_none() {
                processes.step(processes.len() - 1).await;
            }
            processes.run().await;
        }
        world.state().interleaved = false;
        runner.recover(5).await;
        if stopped.get() == Some(Canceling::Asked) {
            asked += 1;
            assert_eq!(phase(&world, &job).await, Phase::Canceled, "after {effects} effects");
            let mut documents = world.store().transfers();
            documents.retain(|document| !document.phase.is_terminal());
            assert_eq!(documents, [], "after {effects} effects");
        }
        if !resuming {
            break;
        }
    }
    assert!(asked > 10 && !resuming, "stopped at {asked} moments");
}

/// In both pools, for a job of one document and for the documents of a batch.
#[tokio::test(start_paused = true)]
async fn a_retried_job_queues_behind_jobs_asked_for_before_its_retry() {
    for target in targets() {
        for documents in [1, 3] {
            let world = world(documents);
            world.state().documents.clear();
            let mut runner = Runner::new(&world);
            let job = ask(&runner, &world, documents, &target).await;
            runner.run_all().await;
            assert_eq!(phase(&world, &job).await, Phase::Failed);
            // Everything stays in the queue.
            runner.limits = PoolLimits::new(0, 0).into();
            world.advance(SignedDuration::from_hours(1));
            let other = ask(&runner, &world, 1, &target).await;
            world.advance(SignedDuration::from_secs(1));
            assert!(matches!(retry(&runner, &job).await.unwrap(), Retried::Promised { .. }));
            world.advance(SignedDuration::from_secs(1));
            let last = ask(&runner, &world, 1, &target).await;
            let queue = world.store().queue(target.pool(), None, 100).await.unwrap();
            let queue: Vec<_> = queue.into_iter().map(|waiting| waiting.transfer_id).collect();
            let retried: Vec<_> = match documents {
                1 => vec![job],
                many => (0..many).map(|n| job.document(u16::try_from(n).unwrap())).collect(),
            };
            let expected: Vec<_> = [vec![other], retried, vec![last]].concat();
            assert_eq!(queue, expected, "{target:?}, {documents}");
        }
    }
}

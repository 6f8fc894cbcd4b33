//! Tests of withdrawn documents: no transfer delivers them, and the sweeper removes their copies.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::rc::Rc;

use common::{GUID, MB, SETTINGS, assert_final_invariants, record, request_to, world_with};
use docferry_app::TaskInput;
use docferry_app::ports::{Clock as _, RegistryWork as _, RegistryWriter as _};
use docferry_app::transfer::create::initiate;
use docferry_domain::document::{DocumentKey, DocumentRecord};
use docferry_domain::failure::FailureCode;
use docferry_domain::job_spec::JobSpec;
use docferry_domain::person::Person;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{DownloadTarget, NewTransfer, Target, Transfer};
use docferry_testkit::builders::document_record;
use docferry_testkit::{Fault, Kill, Mode, Processes, Runner, World};
use jiff::SignedDuration;

/// A world with one registered document of `len` bytes.
fn registered_world(len: usize) -> World {
    let world = world_with(len);
    let record = DocumentRecord { obj_guid: GUID.parse().unwrap(), ..document_record(10_001) };
    world.registry().insert(record);
    world
}

/// A runner whose fragments and parts are 1.3 MB, so that a document of 5 MB has several.
fn runner(world: &World) -> Runner {
    let mut runner = Runner::new(world);
    runner.settings.fragment_bytes = 1_310_720;
    runner
}

async fn withdraw(world: &World) {
    let key = DocumentKey::Object(GUID.parse().unwrap());
    world.registry().withdraw(&key, world.now()).await.unwrap().unwrap();
}

/// Requests the document: a download, or a delivery to OneDrive.
async fn request(world: &World, is_download: bool) -> TaskInput {
    let download = Target::Download(DownloadTarget { person: Person::new("p") });
    let to_drive = request_to("judge@court.example");
    let target = if is_download { download } else { to_drive.target.clone() };
    let retain_until = is_download.then(|| world.now() + SignedDuration::from_hours(24));
    let spec = JobSpec { retain_until, ..to_drive.spec };
    let new = NewTransfer { target, spec, ..to_drive };
    let transfer = initiate(&Runner::new(world).scheduler(), SETTINGS, new).await.unwrap();
    TaskInput { transfer_id: transfer.transfer_id, execution_number: 1 }
}

/// Runs a transfer, and withdraws its document after the process has run `steps` times. Returns the
/// ended transfer, and the number of effects before the withdrawal.
async fn withdraw_after(world: &World, is_download: bool, steps: usize) -> (Transfer, usize) {
    let task = request(world, is_download).await;
    world.state().interleaved = true;
    let mut processes = Processes::default();
    let runner = Rc::new(runner(world));
    let kill: Kill = runner.kill.clone();
    let executed = task.clone();
    processes.add(kill, async move {
        runner.execute(&executed).await;
    });
    for _ in 0..steps {
        processes.step(0).await;
    }
    let effects_before = world.effects().len();
    withdraw(world).await;
    processes.run().await;
    world.state().interleaved = false;
    (record(world, &task).await, effects_before)
}

/// Effects that make a document visible to its recipient.
const COMPLETING: [&str; 4] = ["put_whole", "put_fragment", "put", "complete"];

#[tokio::test(start_paused = true)]
async fn withdrawn_document_is_not_delivered_from_any_step_of_its_transfer() {
    for (len, is_download) in [(MB, false), (5 * MB, false), (MB, true), (5 * MB, true)] {
        let (mut refused, mut delivered) = (0, 0);
        // Later withdrawals come after the end of the transfer.
        for steps in (0..300).step_by(2) {
            let world = registered_world(len);
            let (transfer, before) = withdraw_after(&world, is_download, steps).await;
            let context = format!("{len} bytes, download: {is_download}, after {steps} steps");

            let effects = world.effects();
            let last_completing =
                effects.iter().rposition(|effect| COMPLETING.contains(effect)).unwrap_or(0);
            if transfer.phase == Phase::Completed {
                // The last check came before the withdrawal, and the call directly after it.
                assert!(before + 1 >= last_completing, "{context}: {effects:?}");
                delivered += 1;
            } else {
                let code = transfer.failure.as_ref().map(|failure| failure.code);
                assert_eq!(code, Some(FailureCode::DocumentWithdrawn), "{context}");
                refused += 1;
            }
            Runner::new(&world).notify().await;
            Runner::new(&world).recover(3).await;
            if !is_download {
                assert_final_invariants(&world, &context).await;
            }
            let state = world.state();
            assert!(state.delivery.objects.is_empty(), "{context}: a copy remains");
            assert!(state.delivery.uploads.is_empty(), "{context}: an upload is open");
            assert!(state.objects.is_empty(), "{context}: the exchange bucket is not empty");
        }
        assert!(refused > 10 && delivered > 10, "{refused} refused, {delivered} delivered");
    }
}

#[tokio::test(start_paused = true)]
async fn withdrawn_document_is_not_reused_for_another_download() {
    let world = registered_world(MB);
    let runner = runner(&world);
    let first = request(&world, true).await;
    runner.execute(&first).await;
    withdraw(&world).await;

    let second = request(&world, true).await;
    runner.execute(&second).await;

    assert_eq!(record(&world, &first).await.phase, Phase::Completed);
    let refused = record(&world, &second).await;
    assert_eq!(refused.failure.unwrap().code, FailureCode::DocumentWithdrawn);
    let pushes = world.effects().iter().filter(|effect| **effect == "push").count();
    assert_eq!(pushes, 1, "the source was asked for a withdrawn document");
}

/// The response to the first push is lost, so the step pushes once more to learn the exchange key.
/// Meanwhile another transfer has made a copy.
#[tokio::test(start_paused = true)]
async fn repeated_push_of_a_withdrawn_document_reuses_no_copy() {
    let probe = registered_world(MB);
    let task = request(&probe, true).await;
    runner(&probe).push_once(&task).await.unwrap();
    let push_index = probe.effects().iter().position(|effect| *effect == "push").unwrap();
    let world = registered_world(MB);
    let runner = runner(&world);
    let first = request(&world, true).await;
    world.inject(Fault { at: push_index, mode: Mode::ResponseLost });
    runner.push_once(&first).await.unwrap_err();
    let second = request(&world, true).await;
    runner.execute(&second).await;
    assert_eq!(record(&world, &second).await.phase, Phase::Completed);
    withdraw(&world).await;

    let error = runner.push_once(&first).await.unwrap_err();

    assert_eq!(error.code, FailureCode::DocumentWithdrawn);
    assert!(record(&world, &first).await.delivery.is_none());
    let pushes = world.effects().iter().filter(|effect| **effect == "push").count();
    assert_eq!(pushes, 3, "the key of the first push was not learned");
}

#[tokio::test(start_paused = true)]
async fn next_sweep_removes_every_copy_of_a_withdrawn_document() {
    let world = registered_world(MB);
    let runner = runner(&world);
    for _ in 0..2 {
        let task = request(&world, true).await;
        runner.execute(&task).await;
        // After this time, a copy is no longer reused, so the next transfer makes another one.
        world.advance(SignedDuration::from_hours(13));
    }
    assert_eq!(world.state().delivery.objects.len(), 2);
    withdraw(&world).await;

    runner.sweep().await.unwrap();

    assert!(world.state().delivery.objects.is_empty());
    assert_eq!(world.registry().withdrawals(None, 10).await.unwrap().len(), 1);
    world.advance(SignedDuration::from_mins(30));
    runner.sweep().await.unwrap();
    assert!(world.registry().withdrawals(None, 10).await.unwrap().is_empty());
}

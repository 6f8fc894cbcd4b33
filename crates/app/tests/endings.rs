//! Tests of endings and uploads where the file at the destination has another name, gets its hash
//! late, or was rewritten by the service.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use bytes::Bytes;
use common::{GUID, MB, OWNER, SETTINGS, bytes, effect_count, record, start, world_with};
use docferry_app::finish::{FinalizeSettings, FinishPorts, finalize};
use docferry_app::job;
use docferry_app::ports::{ConflictPolicy, Destination, Drive as _};
use docferry_app::source::poll;
use docferry_app::{RetryReason, StepOutcome, TaskInput};
use docferry_domain::document::Evidence;
use docferry_domain::failure::FailureCode;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{DeliveredItem, Delivery};
use docferry_testkit::{Fault, Mode, Runner, Scripted, World, zip_container};
use jiff::SignedDuration;

/// Size in bytes of a document that needs an upload session, with one fragment.
const LARGE: usize = 4_200_000;

fn runner(world: &World, policy: ConflictPolicy) -> Runner {
    let mut runner = Runner::new(world);
    runner.settings.policy = policy;
    runner.settings.fragment_bytes = 62_586_880;
    runner
}

/// A world with one document, whose name and first numbered names are taken by `foreign` files of
/// other users.
async fn world_beside(document: &Bytes, name: &str, foreign: u32) -> World {
    let world = World::default();
    world.add_document(GUID, name, document.clone());
    let destination = Destination {
        recipient: "judge@court.example".parse().unwrap(),
        folder: "Court".parse().unwrap(),
        name: name.parse().unwrap(),
    };
    for number in 0..foreign {
        let at = destination.numbered(number).unwrap();
        world.put_whole(&at, "theirs".into(), ConflictPolicy::Fail).await.unwrap();
    }
    world
}

/// Requests a delivery and runs the steps before the upload.
async fn start_and_await_arrival(world: &World, policy: ConflictPolicy) -> TaskInput {
    let task = start(world).await;
    let runner = runner(world, policy);
    runner.push_once(&task).await.unwrap();
    poll::poll(&runner.scheduler(), world, runner.rules, &task).await.unwrap();
    task
}

/// Effects of an upload without faults.
async fn effects_of_upload(
    document: &Bytes,
    name: &str,
    foreign: u32,
    policy: ConflictPolicy,
) -> Vec<&'static str> {
    let world = world_beside(document, name, foreign).await;
    let task = start_and_await_arrival(&world, policy).await;
    runner(&world, policy).upload_once(&task).await.unwrap();
    world.effects()
}

/// Index of the last effect that sends bytes.
fn last_sending_effect(effects: &[&str]) -> usize {
    effects.iter().rposition(|name| ["put_whole", "put_fragment"].contains(name)).unwrap()
}

/// Runs an upload whose process dies after the last byte was stored and before it gets the
/// response.
async fn upload_with_lost_response(
    document: &Bytes,
    name: &str,
    foreign: u32,
    policy: ConflictPolicy,
    prepare: impl FnOnce(&World),
) -> (World, TaskInput) {
    let at = last_sending_effect(&effects_of_upload(document, name, foreign, policy).await);
    let world = world_beside(document, name, foreign).await;
    prepare(&world);
    let task = start_and_await_arrival(&world, policy).await;
    world.inject(Fault { at, mode: Mode::CrashAfter });
    let runner = runner(&world, policy);
    let _died = Box::pin(runner.survive(runner.upload_once(&task))).await;
    (world, task)
}

/// Cancels a transfer and runs all work to its end.
async fn cancel(world: &World, task: &TaskInput) {
    let runner = runner(world, ConflictPolicy::Replace);
    let ids = std::slice::from_ref(&task.transfer_id);
    job::terminate(&runner.scheduler(), SETTINGS.record_ttl, OWNER, ids).await.unwrap();
    runner.run_all().await;
    runner.recover(10).await;
}

/// The delivered item of a completed transfer.
async fn delivered_item(world: &World, task: &TaskInput) -> DeliveredItem {
    let record = record(world, task).await;
    match (record.phase, record.delivery) {
        (Phase::Completed, Some(Delivery::Onedrive(item))) => item,
        (phase, delivery) => panic!("{phase:?} {:?} {delivery:?}", record.failure),
    }
}

#[tokio::test(start_paused = true)]
async fn canceled_upload_is_found_under_any_numbered_name() {
    for len in [MB, LARGE] {
        for foreign in 0..=3 {
            let policy = ConflictPolicy::Rename;

            let (world, task) =
                upload_with_lost_response(&bytes(len), "order.pdf", foreign, policy, |_| {}).await;
            cancel(&world, &task).await;

            let item = delivered_item(&world, &task).await;
            let state = world.state();
            let file = state.drive.files().values().find(|file| file.id == item.item_id).unwrap();
            assert_eq!(file.bytes, bytes(len), "{len} beside {foreign}");
        }
    }
}

/// A PUT cannot be aborted: the drive stores it after its process has died and its transfer was
/// canceled.
#[tokio::test(start_paused = true)]
async fn ending_waits_for_a_put_in_flight() {
    let (document, policy) = (bytes(MB), ConflictPolicy::Replace);
    let at = last_sending_effect(&effects_of_upload(&document, "order.pdf", 0, policy).await);
    let world = world_with(MB);
    let task = start_and_await_arrival(&world, policy).await;
    world.inject(Fault { at, mode: Mode::CrashBefore });
    let runner = runner(&world, policy);
    let _died = Box::pin(runner.survive(runner.upload_once(&task))).await;
    let ids = std::slice::from_ref(&task.transfer_id);
    job::terminate(&runner.scheduler(), SETTINGS.record_ttl, OWNER, ids).await.unwrap();
    let w = &world;
    let ports =
        FinishPorts::<World> { store: w, drive: w, exchange: w, artifacts: w, sealer: w, clock: w };
    let finalize_once = async || {
        let settings = FinalizeSettings::default();
        finalize(&ports, &runner.scheduler(), settings, &task, Some("CANCELED")).await.unwrap()
    };

    assert_eq!(finalize_once().await, StepOutcome::RetryLater { reason: RetryReason::PutInFlight });

    let destination = Destination::of(&record(&world, &task).await).unwrap();
    world.put_whole(&destination, document, policy).await.unwrap();
    world.advance(SignedDuration::from_secs(61));
    assert_eq!(finalize_once().await, StepOutcome::Done(Phase::Completed), "the file was stored");
}

/// Under `replace` and `fail` the document has one name. A numbered file belongs to another user,
/// even if its bytes are the same.
#[tokio::test(start_paused = true)]
async fn numbered_file_is_foreign_unless_the_policy_is_rename() {
    for policy in [ConflictPolicy::Replace, ConflictPolicy::Fail] {
        let world = world_with(MB);
        let task = start_and_await_arrival(&world, policy).await;
        let runner = runner(&world, policy);
        world.state().drive.script = vec![Scripted::ServerError; 100];
        runner.upload_once(&task).await.unwrap_err();
        let foreign = Destination {
            recipient: "judge@court.example".parse().unwrap(),
            folder: "Court".parse().unwrap(),
            name: "order 1.pdf".parse().unwrap(),
        };
        world.state().drive.script.clear();
        world.put_whole(&foreign, bytes(MB), ConflictPolicy::Fail).await.unwrap();

        cancel(&world, &task).await;

        assert_eq!(record(&world, &task).await.phase, Phase::Canceled, "{policy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn cancel_waits_for_a_late_hash() {
    for len in [MB, LARGE] {
        for reads_without_hash in [2, 4] {
            let late_hash = |world: &World| world.state().drive.without_hash = reads_without_hash;
            let policy = ConflictPolicy::Replace;

            let (world, task) =
                upload_with_lost_response(&bytes(len), "order.pdf", 0, policy, late_hash).await;
            cancel(&world, &task).await;

            assert_eq!(delivered_item(&world, &task).await.evidence, Some(Evidence::Hash));
        }
    }
}

/// The drive never computes the hash of the file. The transfer must not end as canceled, because
/// the file may exist.
#[tokio::test(start_paused = true)]
async fn ending_reports_a_hash_that_is_never_computed() {
    let without_hash = |world: &World| world.state().drive.without_hash = u32::MAX;
    let policy = ConflictPolicy::Replace;
    let (world, task) =
        upload_with_lost_response(&bytes(MB), "order.pdf", 0, policy, without_hash).await;
    let before = world.state().now;

    cancel(&world, &task).await;

    let record = record(&world, &task).await;
    assert_eq!(record.phase, Phase::Failed);
    assert_eq!(record.failure.unwrap().code, FailureCode::HashNotComputed);
    let duration = record.ended_at.unwrap().duration_since(before);
    assert!(duration.as_secs() < 240, "the ending took {duration:?}");
}

#[tokio::test(start_paused = true)]
async fn upload_without_a_computed_hash_fails_as_hash_not_computed() {
    for len in [MB, LARGE] {
        let world = world_with(len);
        world.state().drive.without_hash = u32::MAX;
        let task = start(&world).await;

        let ended = runner(&world, ConflictPolicy::Replace).execute(&task).await;

        assert_eq!(ended.phase, Some(Phase::Failed));
        let failure = record(&world, &task).await.failure.unwrap();
        assert_eq!(failure.code, FailureCode::HashNotComputed, "{len}");
        assert_eq!(world.state().drive.received, len as u64, "a byte was sent twice");
    }
}

/// The upload fails before the hash is computed; the ending finds the hash and completes the
/// transfer.
#[tokio::test(start_paused = true)]
async fn ending_accepts_a_hash_computed_after_the_upload_failed() {
    let world = world_with(MB);
    world.state().drive.without_hash = 12;
    let task = start(&world).await;

    let ended = runner(&world, ConflictPolicy::Replace).execute(&task).await;

    assert_eq!(ended.stopped_by.as_deref(), Some("HASH_NOT_COMPUTED"));
    assert_eq!(delivered_item(&world, &task).await.evidence, Some(Evidence::Hash));
}

const TYPES: (&str, &[u8]) = ("[Content_Types].xml", b"<Types/>");

/// A minimal Word document.
fn office(text: &[u8]) -> Bytes {
    zip_container(&[TYPES, ("word/document.xml", text), ("docProps/core.xml", b"<a/>")])
}

/// The same content parts with other metadata.
fn edited(_container: Bytes) -> Bytes {
    zip_container(&[
        ("[Content_Types].xml", b"<Types><Override/></Types>"),
        ("word/document.xml", &bytes(MB)),
        ("docProps/core.xml", b"<b/>"),
        ("docProps/custom.xml", b"<Properties/>"),
    ])
}

/// The document with one changed byte in a content part.
fn corrupted(_container: Bytes) -> Bytes {
    let mut document = bytes(MB).to_vec();
    document[MB / 2] ^= 1;
    zip_container(&[TYPES, ("word/document.xml", &document)])
}

#[tokio::test(start_paused = true)]
async fn rewritten_office_file_with_equal_content_parts_is_delivered() {
    for name in ["order.docx", "order.odt", "order.bin"] {
        let world = world_beside(&office(&bytes(MB)), name, 0).await;
        world.state().drive.rewrite = Some(edited);
        let task = start(&world).await;

        runner(&world, ConflictPolicy::Replace).execute(&task).await;

        let item = delivered_item(&world, &task).await;
        assert_eq!((item.rewritten, item.evidence), (true, Some(Evidence::ContentParts)), "{name}");
        assert_eq!(effect_count(&world, "put_whole"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn office_file_with_a_changed_content_part_fails_verification() {
    let world = world_beside(&office(&bytes(MB)), "order.docx", 0).await;
    world.state().drive.rewrite = Some(corrupted);
    let task = start(&world).await;

    runner(&world, ConflictPolicy::Replace).execute(&task).await;

    let failure = record(&world, &task).await.failure.unwrap();
    assert_eq!(failure.code, FailureCode::VerificationFailed);
}

/// The response to the upload is lost. The next upload and the ending recognise the file by its
/// content parts, and it is not uploaded again.
#[tokio::test(start_paused = true)]
async fn rewritten_office_file_is_found_after_a_lost_response() {
    let rewriting = |world: &World| world.state().drive.rewrite = Some(edited);
    let document = office(&bytes(MB));
    for foreign in [0, 1] {
        for canceled in [false, true] {
            let policy = ConflictPolicy::Rename;

            let (world, task) =
                upload_with_lost_response(&document, "order.docx", foreign, policy, rewriting)
                    .await;
            if canceled {
                cancel(&world, &task).await;
            } else {
                runner(&world, policy).execute(&task).await;
            }

            let item = delivered_item(&world, &task).await;
            assert_eq!(item.evidence, Some(Evidence::ContentParts), "{foreign} {canceled}");
            let files = world.state().drive.files().len();
            assert_eq!(files, foreign as usize + 1, "there is a second copy");
        }
    }
}

/// The file with appended bytes, as of an image whose metadata was rewritten.
fn appended(file: Bytes) -> Bytes {
    [&file[..], b"<!-- properties -->"].concat().into()
}

#[tokio::test(start_paused = true)]
async fn rewritten_file_is_accepted_when_the_last_byte_was_acknowledged() {
    for len in [MB, LARGE] {
        for (name, outcome) in [
            ("order.doc", Ok(Evidence::LastByteSent)),
            ("photo.jpg", Ok(Evidence::LastByteSent)),
            ("order.docx", Ok(Evidence::LastByteSent)),
            ("order.pdf", Err(FailureCode::VerificationFailed)),
            ("order.xyz", Err(FailureCode::VerificationFailed)),
        ] {
            let world = world_beside(&bytes(len), name, 0).await;
            world.state().drive.rewrite = Some(appended);
            let task = start(&world).await;
            runner(&world, ConflictPolicy::Replace).execute(&task).await;
            let record = record(&world, &task).await;
            let result = match (record.delivery, record.failure) {
                (Some(Delivery::Onedrive(item)), None) => Ok(item.evidence.unwrap()),
                (_, failure) => Err(failure.unwrap().code),
            };
            assert_eq!(result, outcome, "{name} of {len}");
        }
    }
}

/// docferry does not read the directory of a ZIP64 file, so it cannot compare the content parts.
#[tokio::test(start_paused = true)]
async fn rewritten_container_without_comparison_has_its_own_failure_code() {
    let mut document = office(&bytes(MB)).to_vec();
    let end = document.len();
    // Both entry counts of the ZIP directory get the value that marks a ZIP64 file.
    document[end - 14..end - 10].fill(0xFF);
    let world = world_beside(&document.into(), "order.docx", 0).await;
    world.state().drive.rewrite = Some(appended);
    let task = start(&world).await;

    runner(&world, ConflictPolicy::Replace).execute(&task).await;

    let failure = record(&world, &task).await.failure.unwrap();
    assert_eq!(failure.code, FailureCode::DestinationRewritten);
}

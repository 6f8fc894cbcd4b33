//! Tests of the upload against a drive with scripted responses.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::Duration;

use common::{MB, OWNER, assert_invariants, bytes, effect_count, record, start, world_with};
use docferry_app::delivery::upload::Progress;
use docferry_app::ports::{ConflictPolicy, Destination, Drive as _};
use docferry_domain::failure::FailureCode;
use docferry_domain::phase::Phase;
use docferry_testkit::{Fault, Mode, Runner, Scripted, World};
use jiff::SignedDuration;

/// The size of a fragment in bytes is a multiple of this number.
const GRANULE: usize = 327_680;

/// Size in bytes of a document of two fragments of eight granules each. It needs an upload session.
const TWO_FRAGMENTS: usize = 2 * 8 * GRANULE;

/// A runner whose fragments are half of a document of [`TWO_FRAGMENTS`] bytes.
fn runner(world: &World) -> Runner {
    let mut runner = Runner::new(world);
    if world.state().documents.values().any(|document| document.bytes.len() == TWO_FRAGMENTS) {
        runner.settings.fragment_bytes = TWO_FRAGMENTS as u64 / 2;
    }
    runner
}

/// Delivers a document and checks the invariants. Returns the world and the number of bytes that
/// were sent more than once.
async fn deliver(len: usize, script: Vec<Scripted>) -> (World, u64) {
    let world = world_with(len);
    world.state().drive.script = script;
    let task = start(&world).await;
    let ended = runner(&world).execute(&task).await;
    assert_eq!(ended.phase, Some(Phase::Completed), "{ended:?}");
    assert_invariants(&world, &task, &bytes(len), "scripted").await;
    let received = world.state().drive.received;
    (world, received - len as u64)
}

#[tokio::test(start_paused = true)]
async fn document_is_delivered_completely_and_nothing_remains() {
    let (_, resent) = deliver(5 * MB, vec![]).await;
    assert_eq!(resent, 0);
}

#[tokio::test(start_paused = true)]
async fn sizes_around_fragment_boundaries_are_delivered_completely() {
    for len in [1, GRANULE, 3_999_999, 4_000_000, 4_000_001, 4_259_839, 4_259_840, 4_259_841] {
        let (_, resent) = deliver(len, vec![]).await;
        assert_eq!(resent, 0, "{len}");
    }
}

#[tokio::test(start_paused = true)]
async fn empty_document_is_delivered_without_a_session() {
    let (world, _) = deliver(0, vec![]).await;
    assert!(!world.effects().contains(&"create_session"));
}

#[tokio::test(start_paused = true)]
async fn upload_resumes_at_the_servers_offset_after_a_lost_response() {
    // Fragment 2 is stored completely and its response is lost: no byte is sent twice.
    let script = vec![Scripted::Correct, Scripted::StoreThenLose(u64::MAX)];
    let (_, resent) = deliver(5 * MB, script).await;
    assert_eq!(resent, 0);
}

#[tokio::test(start_paused = true)]
async fn upload_resumes_at_an_unaligned_offset() {
    let script = vec![Scripted::Correct, Scripted::StoreThenLose(12_345)];
    let (_, resent) = deliver(5 * MB, script).await;
    assert_eq!(resent, GRANULE as u64 - 12_345);
}

#[tokio::test(start_paused = true)]
async fn server_error_resends_one_fragment() {
    let (_, resent) = deliver(5 * MB, vec![Scripted::Correct, Scripted::ServerError]).await;
    assert_eq!(resent, GRANULE as u64);
}

#[tokio::test(start_paused = true)]
async fn document_is_found_after_losing_the_last_fragments_response() {
    let script = vec![Scripted::Correct, Scripted::StoreThenLose(u64::MAX)];

    let (world, resent) = deliver(TWO_FRAGMENTS, script).await;

    assert_eq!(resent, 0);
    assert_eq!(effect_count(&world, "create_session"), 1);
}

#[tokio::test(start_paused = true)]
async fn expired_session_is_replaced_without_losing_progress() {
    let world = world_with(5 * MB);
    world.state().drive.script =
        vec![Scripted::Correct, Scripted::Correct, Scripted::Correct, Scripted::Expire];
    let task = start(&world).await;

    let ended = runner(&world).execute(&task).await;

    assert_eq!(ended.phase, Some(Phase::Completed));
    assert_eq!(record(&world, &task).await.bytes_done, 5 * MB as u64);
    assert_invariants(&world, &task, &bytes(5 * MB), "expired").await;
}

#[tokio::test(start_paused = true)]
async fn long_retry_after_is_split_into_workflow_waits() {
    let world = world_with(5 * MB);
    world.state().drive.script =
        vec![Scripted::Correct, Scripted::Throttle(Some(Duration::from_secs(322)))];
    let task = start(&world).await;
    let before = world.state().now;

    let ended = runner(&world).execute(&task).await;

    assert_eq!(ended.phase, Some(Phase::Completed));
    // 322 s and at most 30 s of jitter make 6 or 7 waits of at most 60 s, after the throttled call.
    assert!((7..=8).contains(&ended.uploads), "{ended:?}");
    assert!(world.state().now.duration_since(before) >= SignedDuration::from_secs(322));
}

#[tokio::test(start_paused = true)]
async fn permanent_drive_failure_is_reported_as_destination_unavailable() {
    let world = world_with(5 * MB);
    world.state().drive.script = vec![Scripted::ServerError; 500];
    let task = start(&world).await;

    let ended = runner(&world).execute(&task).await;

    assert_eq!(ended.phase, Some(Phase::Failed));
    let failure = record(&world, &task).await.failure.unwrap();
    assert_eq!(failure.code, FailureCode::DestinationUnavailable);
    assert_invariants(&world, &task, &bytes(5 * MB), "down").await;
}

/// The drive stores a part of the second fragment. The rest of the fragment has been read, but the
/// hash in the checkpoint does not include it.
#[tokio::test(start_paused = true)]
async fn checkpoint_hash_covers_only_acknowledged_bytes() {
    let (stored, len) = (GRANULE + 12_345, 5 * MB);
    let world = world_with(len);
    let task = start(&world).await;
    let runner = runner(&world);
    runner.push_once(&task).await.unwrap();
    docferry_app::source::poll::poll(&runner.scheduler(), &world, runner.rules, &task)
        .await
        .unwrap();
    let pause = Scripted::Throttle(Some(Duration::from_secs(322)));
    world.state().drive.script = vec![Scripted::Correct, Scripted::StoreThenLose(12_345), pause];
    runner.upload_once(&task).await.unwrap();
    let checkpoint = record(&world, &task).await.checkpoint.unwrap();
    let mut hash = docferry_domain::document::SourceHash::default();
    hash.append(&bytes(len)[..stored]);

    assert_eq!((checkpoint.offset, checkpoint.hash), (stored as u64, hash.state()));

    let ended = runner.execute(&task).await;
    assert_eq!(ended.phase, Some(Phase::Completed), "{ended:?}");
    assert_invariants(&world, &task, &bytes(len), "half").await;
}

#[tokio::test(start_paused = true)]
async fn older_invocation_stops_at_its_next_write() {
    let world = world_with(5 * MB);
    let task = start(&world).await;
    let runner = runner(&world);
    runner.push_once(&task).await.unwrap();
    docferry_app::source::poll::poll(&runner.scheduler(), &world, runner.rules, &task)
        .await
        .unwrap();
    // Two invocations of the same task run concurrently: both end, and one of them delivers.
    let (first, second) = tokio::join!(runner.upload_once(&task), runner.upload_once(&task));
    let outcomes = [first.map_err(|e| e.code), second.map_err(|e| e.code)];

    assert!(outcomes.iter().any(Result::is_ok), "{outcomes:?}");

    let ended = runner.execute(&task).await;
    assert_eq!(ended.phase, Some(Phase::Completed));
    assert_invariants(&world, &task, &bytes(5 * MB), "twice").await;
}

#[tokio::test(start_paused = true)]
async fn cancel_during_execution_leaves_nothing() {
    let world = world_with(5 * MB);
    let task = start(&world).await;
    let mut canceled = record(&world, &task).await;
    canceled.cancel_requested = true;
    world.store().set(canceled);

    let ended = runner(&world).execute(&task).await;

    assert_eq!(ended.phase, Some(Phase::Canceled));
    assert_invariants(&world, &task, &bytes(5 * MB), "canceled").await;
}

#[tokio::test(start_paused = true)]
async fn source_replaced_during_upload_fails_as_source_changed() {
    let world = world_with(5 * MB);
    let task = start(&world).await;
    let runner = runner(&world);
    runner.push_once(&task).await.unwrap();
    docferry_app::source::poll::poll(&runner.scheduler(), &world, runner.rules, &task)
        .await
        .unwrap();
    world.put_object("order.pdf", bytes(5 * MB - 1));

    let ended = runner.execute(&task).await;

    assert_eq!(ended.phase, Some(Phase::Failed));
    let failure = record(&world, &task).await.failure.unwrap();
    assert_eq!(failure.code, FailureCode::SourceChanged);
}

/// Some stores do not derive the tag from the content. There, a second push of the same document
/// changes the tag while the first transfer reads the object.
#[tokio::test(start_paused = true)]
async fn rewritten_source_is_uploaded_again_with_its_new_tag() {
    let world = world_with(5 * MB);
    let task = start(&world).await;
    let runner = runner(&world);
    runner.push_once(&task).await.unwrap();
    docferry_app::source::poll::poll(&runner.scheduler(), &world, runner.rules, &task)
        .await
        .unwrap();
    world.state().objects.get_mut("order.pdf").unwrap().etag = "\"another\"".into();

    let ended = runner.execute(&task).await;

    assert_eq!(ended.phase, Some(Phase::Completed), "{ended:?}");
    assert_invariants(&world, &task, &bytes(5 * MB), "new tag").await;
}

/// Fault F18 of `docs/SEMANTICS.md`: the drive stores the last fragment, the process dies before it
/// gets the response, and then a cancel is requested. The file is complete, so it stays and the
/// transfer is completed.
#[tokio::test(start_paused = true)]
async fn cancel_after_the_last_fragment_ends_as_completed() {
    let len = TWO_FRAGMENTS;
    let world = world_with(len);
    let task = start(&world).await;
    let runner = runner(&world);
    runner.push_once(&task).await.unwrap();
    docferry_app::source::poll::poll(&runner.scheduler(), &world, runner.rules, &task)
        .await
        .unwrap();
    // The response to the last fragment is lost, and the process dies before its next call.
    world.state().drive.script = vec![Scripted::Correct, Scripted::StoreThenLose(u64::MAX)];
    // The first effect after the last fragment. An assertion below checks this.
    let lost = world.effects().len() + 11;
    world.inject(Fault { at: lost, mode: Mode::CrashBefore });
    let died = tokio::select! {
        outcome = runner.upload_once(&task) => Some(outcome),
        () = tokio::time::sleep(Duration::from_secs(3600)) => None,
    };

    assert!(died.is_none(), "{died:?} {:?}", world.effects());
    assert_eq!(world.effects()[lost], "session_status", "{:?}", world.effects());

    let ttl = common::SETTINGS.record_ttl;
    let ids = std::slice::from_ref(&task.transfer_id);
    docferry_app::job::terminate(&Runner::new(&world).scheduler(), ttl, OWNER, ids).await.unwrap();
    let ended = runner.execute(&task).await;
    assert_eq!(ended.phase, Some(Phase::Completed), "{ended:?}");
    assert_invariants(&world, &task, &bytes(len), "complete before the cancel").await;
}

/// Invariant I5 of `docs/SEMANTICS.md`: a transfer ends after its deadline, even if the drive no
/// longer responds.
#[tokio::test(start_paused = true)]
async fn transfer_ends_at_its_deadline_with_an_unclosable_session() {
    let world = world_with(5 * MB);
    let task = start(&world).await;
    let runner = runner(&world);
    runner.push_once(&task).await.unwrap();
    docferry_app::source::poll::poll(&runner.scheduler(), &world, runner.rules, &task)
        .await
        .unwrap();
    world.state().drive.script = vec![Scripted::Correct, Scripted::Throttle(None)];
    runner.upload_once(&task).await.unwrap();
    world.state().drive.script = vec![Scripted::ServerError; 500];
    world.state().drive.down = true;

    let early = runner.execute(&task).await;

    assert_eq!(early.phase, None, "before the deadline the ending is retried");

    world.advance(SignedDuration::from_hours(5));
    runner.sweep().await;
    assert_eq!(record(&world, &task).await.phase, Phase::Failed);

    // The session is closed once the drive responds again.
    world.state().drive.down = false;
    runner.recover(5).await;
    assert_invariants(&world, &task, &bytes(5 * MB), "back").await;
}

fn destination(folder: &str, name: &str) -> Destination {
    Destination {
        recipient: "judge@court.example".parse().unwrap(),
        folder: folder.parse().unwrap(),
        name: name.parse().unwrap(),
    }
}

/// Uploads an older file.
async fn put_older(world: &World, at: &Destination) {
    world.put_whole(at, "older".into(), ConflictPolicy::Fail).await.unwrap();
}

/// A world in which an older file may exist.
async fn world_beside(len: usize, older: Option<&Destination>) -> World {
    let world = world_with(len);
    if let Some(at) = older {
        put_older(&world, at).await;
    }
    world
}

/// The response to the creation of the session is lost, so docferry does not know the URL of the
/// session. The folder is empty or has an older file of the same name. Until the session expires,
/// the service answers 409 to every upload to the path. Source: GitHub issues
/// microsoft-graph-docs-contrib #412 and onedrive-api-docs #747, #989, #1098.
#[tokio::test(start_paused = true)]
async fn upload_waits_for_expiry_of_a_session_with_unknown_url() {
    let at = destination("Court", "order.pdf");
    for (older, policy) in [
        (None, ConflictPolicy::Replace),
        (Some(&at), ConflictPolicy::Replace),
        (None, ConflictPolicy::Fail),
        (None, ConflictPolicy::Rename),
    ] {
        let run = async |fault: Option<usize>| {
            let world = world_beside(TWO_FRAGMENTS, older).await;
            if let Some(at) = fault {
                world.inject(Fault { at, mode: Mode::ResponseLost });
            }
            let task = start(&world).await;
            let mut runner = runner(&world);
            runner.settings.policy = policy;
            let ended = runner.execute(&task).await;
            assert_eq!(ended.phase, Some(Phase::Completed), "{policy:?}: {ended:?}");
            assert_invariants(
                &world,
                &task,
                &bytes(TWO_FRAGMENTS),
                "response to the creation lost",
            )
            .await;
            (world, ended)
        };
        let (faultless, _) = run(None).await;
        let lost = faultless.effects().iter().position(|e| *e == "create_session").unwrap();
        let (world, ended) = run(Some(lost)).await;
        assert_eq!(world.effects()[lost], "create_session");
        let waited = world.state().now.duration_since(faultless.state().now).as_secs();
        assert!((900..2400).contains(&waited), "{policy:?}: the session expired after {waited} s");
        assert!(ended.uploads < 60, "{ended:?}");
    }
}

/// Another client has a session for the path that never expires, or has the file open.
#[tokio::test(start_paused = true)]
async fn permanently_locked_path_fails_within_bounds() {
    let world = world_with(TWO_FRAGMENTS);
    let at = destination("Court", "order.pdf");
    let foreign = world.create_session(&at, 5, ConflictPolicy::Replace).await.unwrap();
    let task = start(&world).await;
    let runner = runner(&world);
    runner.push_once(&task).await.unwrap();
    let started_at = world.state().now;

    let code = loop {
        // Another client keeps its session alive.
        world.session_status(&foreign.url).await.unwrap();
        match runner.upload_once_after_arrival(&task).await {
            Ok(Progress::Wait { seconds }) => {
                world.advance(SignedDuration::from_secs(seconds.into()));
            }
            Ok(progress) => panic!("{progress:?}"),
            Err(error) => break error.code,
        }
    };

    assert_eq!(code, FailureCode::DestinationLocked);

    let minutes = world.state().now.duration_since(started_at).as_mins();
    assert!((16..45).contains(&minutes), "{minutes} minutes");
}

#[tokio::test(start_paused = true)]
async fn path_conflict_fails_at_once_with_its_own_code() {
    for len in [MB, TWO_FRAGMENTS] {
        for (older, code) in [
            (destination("Court/order.pdf", "x.txt"), FailureCode::DestinationConflict),
            (destination("", "Court"), FailureCode::DestinationPathConflict),
        ] {
            for policy in [ConflictPolicy::Replace, ConflictPolicy::Fail] {
                let world = world_beside(len, Some(&older)).await;
                let task = start(&world).await;
                let mut runner = runner(&world);
                runner.settings.policy = policy;
                let before = world.state().now;
                let ended = runner.execute(&task).await;
                assert_eq!((ended.phase, ended.uploads), (Some(Phase::Failed), 1), "{len}");
                let failure = record(&world, &task).await.failure.unwrap();
                assert_eq!(failure.code, code, "{len} {policy:?}");
                assert!(world.state().now.duration_since(before) < SignedDuration::from_secs(60));
            }
        }
    }
}

/// The item at the path changes during the upload, or the service considers the session outdated.
#[tokio::test(start_paused = true)]
async fn conflict_during_upload_opens_another_session() {
    for at in 0..2 {
        let mut script = vec![Scripted::Correct; at];
        script.push(Scripted::Conflict);

        let (world, resent) = deliver(TWO_FRAGMENTS, script).await;

        assert_eq!(resent, (at as u64 + 1) * TWO_FRAGMENTS as u64 / 2);
        assert_eq!(effect_count(&world, "create_session"), 2);
    }
    let (_, resent) = deliver(MB, vec![Scripted::Conflict]).await;
    assert_eq!(resent, MB as u64, "a small document is uploaded again");
}

#[tokio::test(start_paused = true)]
async fn success_without_an_item_is_verified_at_the_destination() {
    for at in 0..2 {
        let mut script = vec![Scripted::Correct; at];
        script.push(Scripted::NoItem);

        let (world, resent) = deliver(TWO_FRAGMENTS, script).await;

        assert_eq!(resent, 0, "a byte was sent twice");
        assert!(world.effects().contains(&"session_status"));
    }

    let (world, resent) = deliver(MB, vec![Scripted::NoItem]).await;

    assert_eq!(resent, 0, "the document was uploaded twice");
    assert!(world.effects().contains(&"find"));
}

#[tokio::test(start_paused = true)]
async fn bytes_lost_by_the_drive_are_sent_again() {
    let (_, resent) = deliver(TWO_FRAGMENTS, vec![Scripted::Correct, Scripted::Forget]).await;
    assert_eq!(resent, TWO_FRAGMENTS as u64);
}

/// The drive acknowledges every byte and then requests all of them again.
#[tokio::test(start_paused = true)]
async fn permanent_loss_of_bytes_fails_within_bounds() {
    let world = world_with(TWO_FRAGMENTS);
    world.state().drive.script = vec![Scripted::Forget; 500];
    let task = start(&world).await;

    let ended = runner(&world).execute(&task).await;

    assert_eq!(ended.phase, Some(Phase::Failed), "{ended:?}");
    let failure = record(&world, &task).await.failure.unwrap();
    assert_eq!(failure.code, FailureCode::DestinationIncomplete);
    let received = world.state().drive.received;
    assert!(received <= 4 * TWO_FRAGMENTS as u64, "{received} bytes");
    assert_invariants(&world, &task, &bytes(TWO_FRAGMENTS), "forgetful").await;
}

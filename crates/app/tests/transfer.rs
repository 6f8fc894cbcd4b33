//! Tests of a transfer from the request to its ending.
//!
//! Most tests are about the document source: it pushes no document, another document, or a
//! document with an invalid name.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{
    GUID, MB, assert_invariants, bytes, effect_index, record, start, start_for, world_with,
};
use docferry_domain::failure::FailureCode;
use docferry_domain::phase::Phase;
use docferry_testkit::{Fault, Mode, Move, Runner, World};
use jiff::SignedDuration;

/// Name of the document's object in the exchange bucket.
const OBJECT_KEY: &str = "order.pdf";

/// Time by which the node of the exchange store that dates objects is behind the node that reports
/// the current time.
const CLOCK_LAG: SignedDuration = SignedDuration::from_secs(3);

/// Makes the source confirm the push of the document without writing the object.
fn lose_pushed_document(world: &World) {
    world.state().documents.get_mut(GUID).unwrap().moves = false;
}

/// Requests and runs a delivery that has to fail. Returns its failure code.
async fn failure_of(world: &World) -> FailureCode {
    let task = start(world).await;
    let ended = Runner::new(world).execute(&task).await;
    assert_eq!(ended.phase, Some(Phase::Failed));
    let transfer = record(world, &task).await;
    assert!(transfer.started_at.is_some() && transfer.ended_at.is_some());
    transfer.failure.unwrap().code
}

#[tokio::test(start_paused = true)]
async fn unknown_document_fails_as_not_found() {
    assert_eq!(failure_of(&World::default()).await, FailureCode::SourceNotFound);
}

#[tokio::test(start_paused = true)]
async fn missing_document_fails_at_the_arrival_deadline() {
    let world = world_with(10);
    lose_pushed_document(&world);
    assert_eq!(failure_of(&world).await, FailureCode::ArrivalTimeout);
}

#[tokio::test(start_paused = true)]
async fn document_of_unexpected_size_is_not_delivered() {
    let world = world_with(10);
    world.state().documents.get_mut(GUID).unwrap().claimed_size = Some(11);

    assert_eq!(failure_of(&world).await, FailureCode::SourceSizeMismatch);
    assert!(world.state().drive.files().is_empty());
}

#[tokio::test(start_paused = true)]
async fn object_older_than_the_push_is_not_delivered() {
    let world = world_with(10);
    world.put_object(OBJECT_KEY, bytes(10));
    world.advance(SignedDuration::from_secs(60));
    lose_pushed_document(&world);

    assert_eq!(failure_of(&world).await, FailureCode::ArrivalTimeout);
    assert!(world.state().drive.files().is_empty());
}

#[tokio::test(start_paused = true)]
async fn object_dated_by_a_slow_node_is_delivered() {
    for seconds_until_arrival in [0, 1, 5] {
        let world = world_with(10);
        world.state().object_clock_lag = CLOCK_LAG;
        let delay = SignedDuration::from_secs(seconds_until_arrival);
        // Each push of this transfer writes its object after the delay.
        world.state().moves = [Move { delay, overwrites: false }; 9].into();
        let task = start(&world).await;

        let ended = Runner::new(&world).execute(&task).await;

        assert_eq!(ended.phase, Some(Phase::Completed), "{seconds_until_arrival}");
    }
}

#[tokio::test(start_paused = true)]
async fn old_object_dated_by_a_slow_node_is_not_delivered() {
    let world = world_with(10);
    world.state().object_clock_lag = CLOCK_LAG;
    world.put_object(OBJECT_KEY, bytes(10));
    lose_pushed_document(&world);

    assert_eq!(failure_of(&world).await, FailureCode::ArrivalTimeout);
    assert!(world.state().drive.files().is_empty());
}

#[tokio::test(start_paused = true)]
async fn late_copy_dated_by_a_slow_node_is_removed_after_the_end() {
    let world = world_with(10);
    world.state().object_clock_lag = CLOCK_LAG;
    lose_pushed_document(&world);
    assert_eq!(failure_of(&world).await, FailureCode::ArrivalTimeout);

    world.put_object(OBJECT_KEY, bytes(10));
    Runner::new(&world).recover(60).await;

    assert!(world.state().objects.is_empty());
}

#[tokio::test(start_paused = true)]
async fn invalid_file_name_from_the_source_is_rejected() {
    for name in ["", "a/", "bad\u{1}name.pdf"] {
        let world = World::default();
        world.add_document(GUID, name, bytes(10));
        assert_eq!(failure_of(&world).await, FailureCode::SourceNameInvalid, "{name:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn file_name_with_a_path_is_reduced_to_its_last_segment() {
    let world = World::default();
    world.add_document(GUID, "../x/we\"ird.pdf", bytes(10));
    let task = start(&world).await;

    Runner::new(&world).execute(&task).await;

    let state = world.state();
    let path = state.drive.files().keys().next().unwrap();
    assert_eq!(path, "judge@court.example court/we_ird.pdf");
}

#[tokio::test(start_paused = true)]
async fn document_requested_by_two_people_reaches_both() {
    let world = world_with(MB);
    let first = start_for(&world, "one@court.example").await.unwrap();
    let second = start_for(&world, "two@court.example").await.unwrap();
    let runner = Runner::new(&world);

    let (first_end, second_end) = tokio::join!(runner.execute(&first), runner.execute(&second));

    assert_eq!(first_end.phase, Some(Phase::Completed));
    assert_eq!(second_end.phase, Some(Phase::Completed));
    let state = world.state();
    assert_eq!(state.drive.files().len(), 2);
    assert!(state.drive.files().values().all(|file| file.bytes == bytes(MB)));
    assert!(state.objects.is_empty(), "the last transfer did not delete the source copy");
}

#[tokio::test(start_paused = true)]
async fn finalize_is_idempotent() {
    let world = world_with(MB);
    let task = start(&world).await;
    let runner = Runner::new(&world);
    runner.execute(&task).await;
    let record_after_first = record(&world, &task).await;

    let second_end = runner.execute(&task).await;

    assert_eq!(second_end.phase, Some(Phase::Completed));
    assert_eq!(record(&world, &task).await, record_after_first);
    assert_invariants(&world, &task, &bytes(MB), "again").await;
}

/// Fault F1: the response to the request is lost, so the caller repeats the request.
#[tokio::test(start_paused = true)]
async fn repeated_request_after_lost_response_makes_no_second_copy() {
    let world = world_with(MB);
    world.inject(Fault { at: effect_index("create_with").await, mode: Mode::ResponseLost });
    assert!(start_for(&world, "judge@court.example").await.is_err());

    let second = start(&world).await;
    let runner = Runner::new(&world);
    runner.run_all().await;
    runner.recover(3).await;

    let transfers = world.store().transfers();
    assert_eq!(transfers.len(), 2);
    assert!(transfers.iter().all(|transfer| transfer.phase == Phase::Completed));
    assert_invariants(&world, &second, &bytes(MB), "requested twice").await;
}

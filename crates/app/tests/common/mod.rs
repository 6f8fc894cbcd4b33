//! Shared by the tests of the use cases.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "each test file uses a part"
)]

use bytes::Bytes;
use docferry_app::initiate::{InitiateSettings, NewTransfer, initiate};
use docferry_app::{TaskError, TaskInput};
use docferry_domain::{Phase, Transfer};
use docferry_testkit::World;
use jiff::SignedDuration;

pub const GUID: &str = "3q2+7wAAAAAAAAAAAAAAAA==";
pub const MB: usize = 1_000_000;

/// Bytes that differ everywhere, so that a shifted or repeated part shows.
pub fn bytes(len: usize) -> Bytes {
    let mut x = 0x9e37_79b9_u32;
    (0..len)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            x.to_le_bytes()[1]
        })
        .collect::<Vec<u8>>()
        .into()
}

pub fn world_with(len: usize) -> World {
    let world = World::default();
    world.add_document(GUID, "order.pdf", bytes(len));
    world
}

pub fn request_to(email: &str) -> NewTransfer {
    NewTransfer {
        owner: "scv".into(),
        object_guid: GUID.parse().unwrap(),
        recipient: email.parse().unwrap(),
        file_path: Some("Court".into()),
        folder: "Court".parse().unwrap(),
    }
}

pub async fn start_for(world: &World, email: &str) -> Result<TaskInput, TaskError> {
    let settings = InitiateSettings { transfer_deadline: SignedDuration::from_hours(4) };
    let transfer = initiate(world, world, world, settings, request_to(email)).await?;
    Ok(TaskInput { transfer_id: transfer.transfer_id, attempt: 1 })
}

pub async fn start(world: &World) -> TaskInput {
    start_for(world, "judge@court.example").await.unwrap()
}

pub async fn record(world: &World, task: &TaskInput) -> Transfer {
    use docferry_app::ports::TransferStore as _;
    world.store().get(&task.transfer_id).await.unwrap().unwrap()
}

/// What must hold after every ending.
pub async fn assert_invariants(world: &World, task: &TaskInput, expected: &Bytes, context: &str) {
    assert_invariants_but(world, task, expected, context, 0).await;
}

/// The same, with a number of sessions that nobody could know of and that the
/// drive forgets by itself.
pub async fn assert_invariants_but(
    world: &World,
    task: &TaskInput,
    expected: &Bytes,
    context: &str,
    orphans: usize,
) {
    let transfer = record(world, task).await;
    assert!(transfer.phase.is_terminal(), "{context}: {:?}", transfer.phase);
    let state = world.state();
    if transfer.phase == Phase::Completed {
        let files: Vec<_> = state.drive.files().values().collect();
        assert_eq!(files.len(), 1, "{context}: exactly one item");
        assert_eq!(files[0].bytes, expected, "{context}: the bytes are the source's");
        assert!(transfer.delivery.is_some(), "{context}");
    }
    assert!(state.drive.open_sessions() <= orphans, "{context}: no session is left");
    assert!(state.objects.is_empty(), "{context}: the exchange bucket is clean");
}

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
use docferry_app::initiate::{InitiateSettings, initiate};
use docferry_app::{TaskError, TaskInput};
use docferry_domain::{NewTransfer, Notice, Phase, Transfer};
use docferry_testkit::builders::{drive_target, new_transfer};
use docferry_testkit::{Runner, World};
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
        on_behalf_of: None,
        object_guid: GUID.parse().unwrap(),
        target: drive_target(email, "Court").into(),
        ..new_transfer()
    }
}

pub const SETTINGS: InitiateSettings = InitiateSettings {
    transfer_deadline: SignedDuration::from_hours(4),
    record_ttl: SignedDuration::from_hours(168),
};

pub async fn start_for(world: &World, email: &str) -> Result<TaskInput, TaskError> {
    let transfer = initiate(&Runner::new(world).admitter(), SETTINGS, request_to(email)).await?;
    Ok(TaskInput { transfer_id: transfer.transfer_id, attempt: 1 })
}

pub async fn start(world: &World) -> TaskInput {
    start_for(world, "judge@court.example").await.unwrap()
}

/// Which of the effects of asking for a document is the first of that name.
pub async fn place_of(effect: &str) -> usize {
    let world = world_with(MB);
    start(&world).await;
    world.effects().iter().position(|name| *name == effect).unwrap()
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
    let (held, queued) = world.store().held_and_queued();
    assert_eq!((held, queued), (0, 0), "{context}: no slot is held, nobody waits");
}

/// What must hold of everything once nothing happens any more: I1, I3, I4, I5, I9.
pub async fn assert_at_rest(world: &World, context: &str) {
    let transfers = world.store().transfers();
    let state = world.state();
    let mut delivered = std::collections::BTreeMap::new();
    for transfer in &transfers {
        let id = &transfer.transfer_id;
        assert!(transfer.phase.is_terminal(), "{context}: {id} is {:?}", transfer.phase);
        if transfer.phase == Phase::Completed {
            let name = transfer.source.as_ref().unwrap().name.as_str();
            let path = format!("{} court/{name}", transfer.target.person().as_str());
            let source = &state.documents[transfer.object_guid.as_str()].bytes;
            let file = state.drive.files().get(&path);
            assert_eq!(file.map(|f| &f.bytes), Some(source), "{context}: {id} at {path}");
            delivered.insert(path, id);
        }
        let told: Vec<_> = state.told.iter().filter(|r| r.transfer_id == *id).collect();
        assert!(!told.is_empty(), "{context}: nobody was told of {id}");
        assert!(told.iter().all(|r| *r == told[0]), "{context}: a repeat is the same");
        assert_eq!(told[0].outcome, transfer.phase, "{context}");
    }
    assert_eq!(
        state.drive.files().keys().collect::<Vec<_>>(),
        delivered.keys().collect::<Vec<_>>(),
        "{context}: each file belongs to a transfer that says completed"
    );
    // What ORDS brings for a push of which it never told is known to nobody by name:
    // the bucket's own rule removes it.
    let untold = |t: &Transfer| t.source.is_none() && t.started_at.is_some();
    assert!(
        state.objects.is_empty() || transfers.iter().any(untold),
        "{context}: the exchange bucket is clean"
    );
    for transfer in &transfers {
        let is_told =
            |n: &&Notice| n.job_id == transfer.transfer_id && n.attempt == transfer.attempt;
        let told: Vec<_> = state.notices.iter().filter(is_told).collect();
        assert_eq!(told.is_empty(), transfer.callback.is_none(), "{context}: whom to tell");
        let expected = Notice::of_transfer(transfer);
        assert!(told.iter().all(|n| Some(*n) == expected.as_ref()), "{context}: {told:?}");
    }
    let store = world.store();
    assert_eq!(store.held_and_queued(), (0, 0), "{context}: no slot is held, nobody waits");
    assert!(store.keys_in_use().is_empty(), "{context}: no key is referred to");
    assert_eq!(store.open_sessions(), 0, "{context}: no session is kept");
    assert!(store.untold_outcomes().is_empty(), "{context}: all is told");
    assert!(store.waiting_notices().is_empty(), "{context}: all notices are in their queue");
}

//! Helpers for the tests of the use cases.
//!
//! A [`World`] simulates all outside systems in memory: the document source, the exchange bucket,
//! the drive, the store and the workflow service. It records the name of each call to a
//! port (an *effect*; `docferry_testkit` names the few exceptions), and can inject a fault at any
//! effect. A [`Runner`] runs the steps of a transfer like the workflow does.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "each test file uses a part of these helpers"
)]

use bytes::Bytes;
use docferry_app::job::JobSettings;
use docferry_app::job::retry::{RetryRequest, RetrySettings};
use docferry_app::transfer::create::{InitiateSettings, initiate};
use docferry_app::{TaskError, TaskInput};
use docferry_domain::ids::TransferId;
use docferry_domain::job::WebhookNotification;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{NewTransfer, Transfer};
use docferry_testkit::builders::{drive_target, new_transfer, unrestricted_caller};
use docferry_testkit::{Mode, Runner, World};
use jiff::SignedDuration;

/// GUID of the document that most tests deliver.
pub const GUID: &str = "3q2+7wAAAAAAAAAAAAAAAA==";

/// Number of bytes in a megabyte.
pub const MB: usize = 1_000_000;

/// Owner of all transfers and jobs that the tests request.
pub const OWNER: &str = "scv";

/// All kinds of faults that can happen at an effect.
pub const FAULT_MODES: [Mode; 3] = [Mode::CrashBefore, Mode::CrashAfter, Mode::ResponseLost];

/// Pseudo-random bytes, so that a comparison finds shifted or repeated parts.
pub fn bytes(len: usize) -> Bytes {
    let mut random_state = 0x9e37_79b9_u32;
    (0..len)
        .map(|_| {
            // One step of a xorshift generator.
            random_state ^= random_state << 13;
            random_state ^= random_state >> 17;
            random_state ^= random_state << 5;
            random_state.to_le_bytes()[1]
        })
        .collect::<Vec<u8>>()
        .into()
}

/// A world whose source has one document of `len` bytes, named `order.pdf`.
pub fn world_with(len: usize) -> World {
    let world = World::default();
    world.add_document(GUID, "order.pdf", bytes(len));
    world
}

/// A request to deliver the document into the folder `Court` of `email`.
pub fn request_to(email: &str) -> NewTransfer {
    NewTransfer {
        object_guid: GUID.parse().unwrap(),
        target: drive_target(email, "Court").into(),
        ..new_transfer()
    }
}

pub const SETTINGS: InitiateSettings = InitiateSettings {
    transfer_deadline: SignedDuration::from_hours(4),
    record_ttl: SignedDuration::from_hours(168),
};

/// Settings of jobs.
pub const JOBS: JobSettings =
    JobSettings { initiate: SETTINGS, job_ttl: SignedDuration::from_hours(24) };

/// Maximum number of retries of a job.
pub const MAX_RETRIES: u32 = 3;

/// Requests a delivery to `email`. Returns the input of its first execution.
pub async fn start_for(world: &World, email: &str) -> Result<TaskInput, TaskError> {
    let transfer = initiate(&Runner::new(world).scheduler(), SETTINGS, request_to(email)).await?;
    Ok(TaskInput { transfer_id: transfer.transfer_id, execution_number: 1 })
}

/// Requests a delivery to a judge, and fails the test if the request is rejected.
pub async fn start(world: &World) -> TaskInput {
    start_for(world, "judge@court.example").await.unwrap()
}

/// Returns how often the effect with this name has happened.
pub fn effect_count(world: &World, effect: &str) -> usize {
    world.effects().iter().filter(|name| **name == effect).count()
}

/// Returns a request for the retry of a job by a caller who may see all documents. At most
/// [`MAX_RETRIES`] retries are allowed.
pub fn retry_request(id: &TransferId) -> RetryRequest<'_> {
    let settings = RetrySettings { job: JOBS, max_retries: MAX_RETRIES };
    RetryRequest { owner: OWNER, caller: unrestricted_caller(), origin: None, id, settings }
}

/// Requests a delivery, and returns the index of the first effect with this name.
pub async fn effect_index(effect: &str) -> usize {
    let world = world_with(MB);
    start(&world).await;
    world.effects().iter().position(|name| *name == effect).unwrap()
}

/// Ends the current execution of a transfer without ending the transfer.
pub fn kill_execution(world: &World, task: &TaskInput) {
    let name = format!("{}-{}", task.transfer_id, task.execution_number);
    world.state().running.remove(&name);
    world.state().closed.insert(name);
}

/// Reads the record of the transfer.
pub async fn record(world: &World, task: &TaskInput) -> Transfer {
    use docferry_app::ports::TransferStore as _;
    world.store().get(&task.transfer_id).await.unwrap().unwrap()
}

/// Checks the invariants that hold after every ending of a transfer. `context` describes the
/// situation in messages.
pub async fn assert_invariants(world: &World, task: &TaskInput, expected: &Bytes, context: &str) {
    assert_invariants_with_orphans(world, task, expected, context, 0).await;
}

/// Checks the same invariants, but permits `orphans` upload sessions: their URLs were lost before
/// they were stored, and the drive deletes them when they expire.
pub async fn assert_invariants_with_orphans(
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
        assert_eq!(files.len(), 1, "{context}: expected exactly one item");
        assert_eq!(files[0].bytes, expected, "{context}: the bytes differ from the source");
        assert!(transfer.delivery.is_some(), "{context}");
    }
    assert!(state.drive.open_sessions() <= orphans, "{context}: an upload session is open");
    assert!(state.objects.is_empty(), "{context}: the exchange bucket is not empty");
    let (held, queued) = world.store().held_and_queued();
    assert_eq!((held, queued), (0, 0), "{context}: a slot is held or a transfer is queued");
}

/// Checks invariants I1, I3, I4, I5 and I9 of `docs/SEMANTICS.md` for all transfers. All work must
/// have ended.
pub async fn assert_final_invariants(world: &World, context: &str) {
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
            assert_eq!(file.map(|file| &file.bytes), Some(source), "{context}: {id} at {path}");
            delivered.insert(path, id);
        }
        let sent: Vec<_> =
            state.sent_outcomes.iter().filter(|record| record.transfer_id == *id).collect();
        assert!(!sent.is_empty(), "{context}: the outcome of {id} was not sent");
        assert!(sent.iter().all(|record| *record == sent[0]), "{context}: duplicates differ");
        assert_eq!(sent[0].outcome, transfer.phase, "{context}");
    }
    assert_eq!(
        state.drive.files().keys().collect::<Vec<_>>(),
        delivered.keys().collect::<Vec<_>>(),
        "{context}: the files are not exactly those of the completed transfers"
    );
    // If the response of the source to a push was lost, the key of its object is unknown. The
    // lifecycle rule of the bucket removes such an object.
    let may_have_unknown_key =
        |transfer: &Transfer| transfer.source.is_none() && transfer.started_at.is_some();
    assert!(
        state.objects.is_empty() || transfers.iter().any(may_have_unknown_key),
        "{context}: the exchange bucket is not empty"
    );
    for transfer in &transfers {
        let is_of_last_run = |notification: &&WebhookNotification| {
            notification.job_id == transfer.transfer_id
                && notification.end_number == transfer.execution_number
        };
        let sent: Vec<_> = state.notifications.iter().filter(is_of_last_run).collect();
        assert_eq!(
            sent.is_empty(),
            transfer.spec.callback.is_none(),
            "{context}: a notification is missing or was not asked for"
        );
        let expected = WebhookNotification::of_transfer(transfer);
        assert!(
            sent.iter().all(|notification| Some(*notification) == expected.as_ref()),
            "{context}: {sent:?}"
        );
    }
    let store = world.store();
    assert_eq!(
        store.held_and_queued(),
        (0, 0),
        "{context}: a slot is held or a transfer is queued"
    );
    assert!(
        world.store().keys_in_use(state.now).is_empty(),
        "{context}: an exchange key is in use"
    );
    assert_eq!(store.open_sessions(), 0, "{context}: the URL of a session is still stored");
    assert!(store.unsent_outcomes().is_empty(), "{context}: an outcome is unsent");
    assert!(store.stored_notifications().is_empty(), "{context}: a notification is unsent");
}

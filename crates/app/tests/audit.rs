//! Tests of the audit trail: its records are sent at least once, whatever fails.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{FAULT_MODES, GUID, MB, SETTINGS, bytes, request_to, world_with};
use docferry_app::TaskInput;
use docferry_app::audit::AuditedRequest;
use docferry_app::ports::{
    AuditLog as _, Clock as _, RegistryWork as _, RegistryWriter as _, TransferStore as _,
};
use docferry_app::transfer::create::initiate;
use docferry_domain::audit::{AuditAction, AuditEvent, RequestOrigin, RequestSource};
use docferry_domain::document::{DocumentKey, DocumentRecord};
use docferry_domain::ids::TransferId;
use docferry_domain::job_spec::JobSpec;
use docferry_domain::person::Person;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{Delivery, DownloadTarget, NewTransfer, Target, Transfer};
use docferry_testkit::builders::document_record;
use docferry_testkit::{Fault, Mode, Runner, World};
use jiff::SignedDuration;

fn request(actor: &str) -> AuditedRequest {
    let source = RequestSource::new(None, None, "request-1".to_owned());
    AuditedRequest { actor: actor.to_owned(), origin: RequestOrigin { on_behalf_of: None, source } }
}

fn view(world: &World) -> AuditEvent {
    let records = [document_record(10_001)];
    let records: Vec<_> = records.iter().collect();
    request("sub:ada").list_viewed(None, &records, world.now()).remove(0)
}

/// Sent events by their ids. Repetitions have to be equal.
fn sent(world: &World) -> BTreeMap<String, AuditEvent> {
    let mut sent = BTreeMap::new();
    for event in world.state().sent_events.clone() {
        if let Some(earlier) = sent.insert(event.id.clone(), event.clone()) {
            assert_eq!(earlier, event, "a repetition differs");
        }
    }
    sent
}

#[tokio::test(start_paused = true)]
async fn sweeper_sends_events_that_were_not_sent_before() {
    let world = World::default();
    let events: Vec<_> = (0..30).map(|_| view(&world)).collect();
    world.audit().record(&events).await.unwrap();
    let runner = Runner::new(&world);
    runner.sweep().await.unwrap();
    assert!(sent(&world).is_empty(), "the function notify sends new events");

    world.advance(SignedDuration::from_mins(3));
    let swept = runner.sweep().await.unwrap();

    assert_eq!(swept.events_sent, 30);
    let expected: BTreeSet<_> = events.into_iter().map(|event| event.id).collect();
    assert_eq!(sent(&world).into_keys().collect::<BTreeSet<_>>(), expected);
    assert_eq!(runner.sweep().await.unwrap().events_sent, 0);
}

#[tokio::test(start_paused = true)]
async fn sweep_recovers_transfers_while_the_audit_log_is_down() {
    let world = world_with(MB);
    let runner = Runner::new(&world);
    let new = request_to("judge@court.example");
    let transfer = initiate(&runner.scheduler(), SETTINGS, new).await.unwrap();
    let task = TaskInput { transfer_id: transfer.transfer_id, execution_number: 1 };
    common::kill_execution(&world, &task);
    world.audit().set_down(true);

    runner.recover(15).await;

    assert_eq!(common::record(&world, &task).await.phase, Phase::Completed);
}

/// A crash or a lost response at any effect of the sweep delays records, but loses and changes none.
#[tokio::test(start_paused = true)]
async fn no_fault_of_a_sweep_loses_an_event_or_a_denial() {
    for mode in [Mode::CrashBefore, Mode::CrashAfter, Mode::ResponseLost] {
        for at in 0..12 {
            let world = World::default();
            let events: Vec<_> = (0..2).map(|_| view(&world)).collect();
            world.audit().record(&events).await.unwrap();
            let ada = request("sub:ada");
            for number in ["1", "2"] {
                let requested = [format!("fileId={number}")];
                let denial = ada.denial(requested, world.now()).unwrap();
                world.audit().count_denial(&denial).await.unwrap();
            }
            world.advance(SignedDuration::from_mins(3));
            world.inject(Fault { at, mode });
            let runner = Runner::new(&world);
            for _ in 0..3 {
                runner.sweep().await;
                world.advance(SignedDuration::from_mins(1));
            }

            let sent = sent(&world);
            assert_eq!(sent.len(), 3, "{mode:?} at {at}");
            let denied: Vec<_> =
                sent.values().filter(|event| event.action == AuditAction::AccessDenied).collect();
            assert_eq!((denied.len(), denied[0].count), (1, Some(2)), "{mode:?} at {at}");
            assert!(world.audit().events().is_empty() && world.audit().denials().is_empty());
        }
    }
}

/// A world with one registered document.
fn registered_world() -> World {
    let world = world_with(MB);
    let record = DocumentRecord { obj_guid: GUID.parse().unwrap(), ..document_record(10_001) };
    world.registry().insert(record);
    world
}

#[tokio::test(start_paused = true)]
async fn withdrawal_is_sent_once_and_stays_in_the_work_until_it_was_sent() {
    let world = registered_world();
    let withdrawn_at = world.now();
    let key = DocumentKey::Object(GUID.parse().unwrap());
    world.registry().withdraw(&key, withdrawn_at).await.unwrap().unwrap();
    let runner = Runner::new(&world);
    // The queue is unavailable for an hour, which is longer than copies are looked for.
    for _ in 0..60 {
        let at = world.effects().len();
        world.inject(Fault { at: at + 1, mode: Mode::CrashBefore });
        runner.sweep().await;
        world.advance(SignedDuration::from_mins(1));
    }
    assert!(sent(&world).is_empty());
    assert_eq!(world.registry().withdrawals(None, 10).await.unwrap().len(), 1);

    for _ in 0..32 {
        runner.sweep().await.unwrap();
        world.advance(SignedDuration::from_mins(1));
    }

    let events = world.state().sent_events.clone();
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((event.action, event.at), (AuditAction::Withdrawn, withdrawn_at));
    assert_eq!((event.files[0].id.as_str(), event.files.len()), (GUID, 1));
    assert_eq!(event.files[0].file_name, document_record(10_001).file_name.as_str());
    assert_eq!(event.subject, Some(document_record(10_001).subject));
    assert!(world.registry().withdrawals(None, 10).await.unwrap().is_empty());
}

/// Outcomes of all actions, 300 in total.
const DELIVERIES: usize = 60;
const DOWNLOADS: usize = 60;
const URLS: usize = 80;
const LISTS: usize = 60;
const PERSONS_WITH_DENIALS: usize = 20;
const WITHDRAWALS: usize = 20;

/// Ids of all sent records. Repetitions have to be equal.
fn sent_ids(world: &World) -> BTreeSet<String> {
    let mut outcomes = BTreeMap::new();
    for outcome in world.state().sent_outcomes.clone() {
        if let Some(earlier) = outcomes.insert(outcome.message_id(), outcome.clone()) {
            assert_eq!(earlier, outcome, "a repetition differs");
        }
    }
    outcomes.into_keys().chain(sent(world).into_keys()).collect()
}

/// Injects a fault at one of the next effects.
fn inject_fault(world: &World, random: &mut fastrand::Rng) {
    let at = world.effects().len() + random.usize(0..8);
    world.inject(Fault { at, mode: FAULT_MODES[random.usize(0..FAULT_MODES.len())] });
}

#[tokio::test(start_paused = true)]
async fn three_hundred_outcomes_leave_as_many_true_records_despite_faults() {
    let world = World::default();
    let runner = Runner::new(&world);
    let mut random = fastrand::Rng::with_seed(300);
    let mut transfers = Vec::new();
    for number in 0..DELIVERIES + DOWNLOADS {
        let guid = format!("{number:04}");
        // The source does not have every tenth document.
        if number % 10 != 9 {
            world.add_document(&guid, &format!("document {number}.pdf"), bytes(1000 + number));
        }
        let to_drive = request_to(&format!("judge{number}@court.example"));
        let download = Target::Download(DownloadTarget { person: Person::new("p") });
        let is_download = number >= DELIVERIES;
        let target = if is_download { download } else { to_drive.target.clone() };
        let retain_until = is_download.then(|| world.now() + SignedDuration::from_hours(24));
        let object_guid = guid.parse().unwrap();
        let spec = JobSpec { retain_until, ..to_drive.spec };
        let new = NewTransfer { object_guid, target, spec, ..to_drive };
        let transfer = initiate(&runner.scheduler(), SETTINGS, new).await.unwrap();
        transfers.push(transfer.transfer_id);
        if number % 4 == 0 {
            inject_fault(&world, &mut random);
        }
        runner.run_all().await;
        runner.notify().await;
    }
    let mut events = BTreeMap::new();
    for number in 0..URLS + LISTS {
        let caller = request(&format!("sub:person-{number}"));
        let event = if number < URLS {
            let delivered = record_of(&world, &transfers[DELIVERIES]).await;
            caller
                .urls_issued(&transfers[DELIVERIES], &[(&delivered, "key")], world.now())
                .remove(0)
        } else {
            let documents = [document_record(number as u64)];
            caller.list_viewed(None, &documents.each_ref(), world.now()).remove(0)
        };
        world.audit().record(std::slice::from_ref(&event)).await.unwrap();
        events.insert(event.id.clone(), event);
    }
    for number in 0..PERSONS_WITH_DENIALS * 5 {
        let caller = request(&format!("sub:denied-{}", number % PERSONS_WITH_DENIALS));
        let denial = caller.denial([format!("fileId={number}")], world.now()).unwrap();
        world.audit().count_denial(&denial).await.unwrap();
    }
    for number in 0..WITHDRAWALS {
        let record = document_record(20_000 + number as u64);
        world.registry().insert(record.clone());
        let key = DocumentKey::Id(record.id);
        world.registry().withdraw(&key, world.now()).await.unwrap().unwrap();
    }

    // The queues are unavailable for some minutes, and many sweeps crash.
    for _ in 0..40 {
        for _ in 0..3 {
            inject_fault(&world, &mut random);
        }
        runner.notify().await;
        runner.recover(1).await;
    }
    runner.recover(10).await;

    let ids = sent_ids(&world);
    assert_eq!(ids.len(), 300, "{} outcomes were sent", world.state().sent_outcomes.len());
    let sent = sent(&world);
    for (id, event) in &events {
        assert_eq!(sent.get(id), Some(event));
    }
    let of_action = |action| sent.values().filter(move |event| event.action == action);
    let denials: Vec<_> = of_action(AuditAction::AccessDenied).collect();
    assert_eq!(denials.len(), PERSONS_WITH_DENIALS);
    assert!(denials.iter().all(|event| event.count == Some(5) && event.requested.len() == 5));
    assert_eq!(of_action(AuditAction::Withdrawn).count(), WITHDRAWALS);
    let outcomes = world.state().sent_outcomes.clone();
    for outcome in outcomes {
        let transfer = record_of(&world, &outcome.transfer_id).await;
        assert_eq!(outcome.outcome, transfer.phase);
        let is_delivered = transfer.phase == Phase::Completed;
        assert_eq!(outcome.files.len(), usize::from(is_delivered));
        let number: usize = transfer.object_guid.as_str().parse().unwrap();
        // A record says "delivered" exactly when the recipient has the bytes.
        let has_bytes = match (&transfer.target, &transfer.delivery) {
            (Target::Onedrive(drive), _) => {
                let path = format!("{} court/document {number}.pdf", drive.recipient.as_str());
                let state = world.state();
                let file = state.drive.files().get(&path);
                file.is_some_and(|file| file.bytes == bytes(1000 + number))
            }
            (Target::Download(_), Some(Delivery::Download(artifact))) => {
                let objects = &world.state().delivery.objects;
                objects.get(&artifact.key).is_some_and(|object| *object == bytes(1000 + number))
            }
            (Target::Download(_), _) => false,
        };
        assert_eq!(is_delivered, has_bytes, "document {number}: {:?}", transfer.failure);
        assert_eq!(is_delivered, number % 10 != 9, "document {number}: {:?}", transfer.failure);
    }
}

async fn record_of(world: &World, id: &TransferId) -> Transfer {
    world.store().get(id).await.unwrap().unwrap()
}

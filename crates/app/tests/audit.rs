//! Tests of the audit trail: its records are sent at least once, whatever fails.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{GUID, MB, world_with};
use docferry_app::audit::AuditedRequest;
use docferry_app::ports::{AuditLog as _, Clock as _, RegistryWork as _, RegistryWriter as _};
use docferry_domain::audit::{AuditAction, AuditEvent, RequestOrigin, RequestSource};
use docferry_domain::document::{DocumentKey, DocumentRecord};
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
    request("sub:ada").viewed(None, &records, world.now()).remove(0)
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

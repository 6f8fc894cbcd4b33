//! Audit records of searches: each list of documents that a caller got, and each denied document or
//! subject.

use docferry_contract::scope::{Scope, Scopes};
use docferry_domain::audit::{AuditAction, AuditEvent};
use docferry_domain::document::DocumentRecord;
use docferry_testkit::World;
use http::StatusCode;

use crate::common::{caller, send};
use crate::support::{
    CountingRegistry, ada, document, fetch, get, ids, of_subject, routes, search, service,
    subject_s1,
};

/// A registry with `count` documents of the subject `S-1`.
fn registry(count: u64) -> CountingRegistry {
    let world = World::default();
    for number in 0..count {
        world.registry().insert(document(number));
    }
    CountingRegistry::new(&world)
}

fn guids(event: &AuditEvent) -> Vec<&str> {
    event.files.iter().map(|file| file.id.as_str()).collect()
}

#[tokio::test]
async fn each_page_of_a_search_is_recorded_with_its_documents() {
    let registry = registry(30);
    let caller = ada([of_subject("S-1")]);
    let bundle = search(&registry, &caller, "subject.identifier=S-1&_count=20").await;
    assert_eq!(ids(&bundle).len(), 20);

    let events = registry.world.audit().take_events();
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((event.action, event.actor.as_str()), (AuditAction::ViewedList, "sub:ada"));
    assert_eq!(event.subject, Some(subject_s1()));
    let records: Vec<DocumentRecord> = registry.world.registry().take_records();
    let listed: Vec<_> = ids(&bundle)
        .iter()
        .map(|id| records.iter().find(|record| record.id.as_str() == id).unwrap())
        .map(|record| record.obj_guid.as_str())
        .collect();
    assert_eq!(guids(event), listed);
    assert!(event.origin.as_ref().unwrap().source.request_id.len() >= 8);
}

#[tokio::test]
async fn long_page_is_recorded_in_parts_and_an_empty_one_without_files() {
    let registry = registry(250);
    search(&registry, &service(), "subject.identifier=S-1&_count=1000").await;
    let events = registry.world.audit().take_events();
    let sizes: Vec<_> = events.iter().map(|event| event.files.len()).collect();
    assert_eq!(sizes, [100, 100, 50]);

    search(&registry, &service(), "subject.identifier=S-1&date=ge2100").await;
    let events = registry.world.audit().take_events();
    assert_eq!((events.len(), events[0].files.len()), (1, 0));
    assert_eq!(events[0].subject, Some(subject_s1()));

    search(&registry, &service(), "subject.identifier=S-1&_summary=count").await;
    let events = registry.world.audit().take_events();
    assert_eq!((events.len(), events[0].count), (1, Some(250)));
}

#[tokio::test]
async fn read_of_a_document_is_recorded_and_a_request_for_its_content_is_not() {
    let registry = registry(1);
    assert_eq!(
        fetch(&registry, &service(), "/DocumentReference/doc-0").await.status,
        StatusCode::OK
    );
    let events = registry.world.audit().take_events();
    assert_eq!(guids(&events[0]), [document(0).obj_guid.as_str()]);
    assert_eq!(events[0].subject, Some(subject_s1()));

    // The end of the download and its URL have records of their own.
    let request = get(&service(), "/DocumentReference/doc-0/$content");
    assert_eq!(send(routes(&registry), request).await.0.status(), StatusCode::ACCEPTED);
    assert!(registry.world.audit().take_events().is_empty());
    assert!(registry.world.store().transfers()[0].audit.origin.is_some());
}

#[tokio::test]
async fn hidden_documents_and_subjects_are_denied_in_one_record() {
    let registry = registry(2);
    let ada = ada([of_subject("S-2")]);
    for path in [
        "?subject.identifier=S-1",
        "?_id=doc-0,doc-9",
        "/doc-1",
        "/doc-1/$content",
        "?subject.identifier=S-2",
    ] {
        fetch(&registry, &ada, &format!("/DocumentReference{path}")).await;
    }
    let denials = registry.world.audit().denials();
    let [denial] = denials.as_slice() else { panic!("{denials:?}") };
    let subject = format!("subject={}", subject_s1().key());
    assert_eq!(denial.requested, ["id=doc-0", "id=doc-1", "id=doc-9", &subject]);
    assert_eq!(denial.count, Some(4));
    // The subject that the caller may see has no documents. It is viewed, not denied.
    let events = registry.world.audit().take_events();
    assert_eq!((events.len(), events[0].files.len()), (1, 0));
}

#[tokio::test]
async fn search_discloses_nothing_while_the_audit_log_is_down() {
    let registry = registry(1);
    registry.world.audit().set_down(true);
    for caller in [service(), ada([])] {
        for path in ["?subject.identifier=S-1", "?_id=doc-0", "/doc-0"] {
            let reply = fetch(&registry, &caller, &format!("/DocumentReference{path}")).await;
            assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
            assert_eq!(reply.body["resourceType"], "OperationOutcome", "{path}");
        }
    }
}

#[tokio::test]
async fn visible_document_that_a_filter_leaves_out_is_not_denied() {
    let registry = registry(2);
    let ada = ada([of_subject("S-1")]);
    search(&registry, &ada, "_id=doc-0,doc-1&date=ge2100").await;
    assert!(registry.world.audit().denials().is_empty());
}

#[tokio::test]
async fn caller_with_access_to_all_documents_is_denied_nothing() {
    let registry = registry(1);
    let reader = caller("sub:bob", Scopes::parse("docferry.read docferry.documents"));
    for caller in [&service(), &reader] {
        for path in ["?_id=doc-9", "/doc-9", "?subject.identifier=S-9"] {
            fetch(&registry, caller, &format!("/DocumentReference{path}")).await;
        }
    }
    assert!(registry.world.audit().denials().is_empty());
    let stranger = caller("sub:eve", Scope::Write.into());
    fetch(&registry, &stranger, "/DocumentReference/doc-0").await;
    assert!(registry.world.audit().denials().is_empty(), "the caller may not search at all");
}

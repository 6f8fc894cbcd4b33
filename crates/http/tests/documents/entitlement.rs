//! Which documents a caller finds, and that documents of others seem not to exist.

use docferry_app::ports::RegistryWriter as _;
use docferry_contract::scope::{Scope, Scopes};
use docferry_domain::document::{Coverage, DocumentRecord, Grant};
use docferry_domain::person::Person;
use docferry_http::Principal;
use docferry_testkit::World;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};

use crate::common::{caller, send};
use crate::support::{
    CountingRegistry, ada, document, fetch, get, ids, of_group, of_subject, routes, search, service,
};

/// A world with the document `doc-1` of the subject `S-1` and the group `criminal`, and `doc-2` of
/// the same subject without a group.
fn registry() -> CountingRegistry {
    let world = World::default();
    let groups = vec!["criminal".parse().unwrap()];
    world.registry().insert(DocumentRecord { groups, ..document(1) });
    world.registry().insert(document(2));
    CountingRegistry::new(&world)
}

async fn grant(registry: &CountingRegistry, coverage: Coverage, expires_at: Option<Timestamp>) {
    let grant = Grant { coverage, expires_at };
    registry.world.registry().grant(&Person::new("ada"), &grant).await.unwrap();
}

/// Returns the documents that a caller finds in each of the ways to find one.
async fn found(registry: &CountingRegistry, caller: &Principal) -> Vec<String> {
    let by_subject = ids(&search(registry, caller, "subject.identifier=S-1&_sort=date").await);
    assert_eq!(ids(&search(registry, caller, "_id=doc-1,doc-2&_sort=date").await), by_subject);
    assert_eq!(ids(&search(registry, caller, "identifier=1,2&_sort=date").await), by_subject);
    let count = search(registry, caller, "subject.identifier=S-1&_summary=count").await;
    assert_eq!(count["total"], by_subject.len());
    for id in ["doc-1", "doc-2"] {
        let reply = fetch(registry, caller, &format!("/DocumentReference/{id}")).await;
        assert_eq!(reply.status == StatusCode::OK, by_subject.iter().any(|found| found == id));
    }
    by_subject
}

#[tokio::test]
async fn role_claim_and_grant_show_documents() {
    let documents_role = Scopes::parse("docferry.read docferry.documents");
    for (caller, expected) in [
        (service(), vec!["doc-1", "doc-2"]),
        (caller("sub:bob", documents_role), vec!["doc-1", "doc-2"]),
        (ada([of_subject("S-1")]), vec!["doc-1", "doc-2"]),
        (ada([of_group("criminal")]), vec!["doc-1"]),
        (ada([of_group("civil"), of_subject("S-2")]), vec![]),
        (ada([]), vec![]),
    ] {
        assert_eq!(found(&registry(), &caller).await, expected, "{caller:?}");
    }
}

#[tokio::test]
async fn grant_shows_documents_until_it_expires() {
    let hour = SignedDuration::from_hours(1);
    let registry = registry();
    let now = docferry_app::ports::Clock::now(&registry.world);
    grant(&registry, of_group("criminal"), None).await;
    grant(&registry, of_subject("S-1"), Some(now + hour)).await;
    assert_eq!(found(&registry, &ada([])).await, ["doc-1", "doc-2"]);
    registry.world.advance(hour);
    assert_eq!(found(&registry, &ada([])).await, ["doc-1"]);
    let other = caller("sub:bob", Scope::Read.into());
    assert!(found(&registry, &other).await.is_empty());
}

#[tokio::test]
async fn hidden_document_cannot_be_distinguished_from_an_unknown_one() {
    let registry = registry();
    let callers = [ada([]), ada([of_group("civil")]), ada([of_subject("S-2"), of_group("civil")])];
    for (index, caller) in callers.iter().enumerate() {
        for (hidden, unknown) in [
            ("?subject.identifier=S-1", "?subject.identifier=S-9"),
            ("?subject.identifier=S-1&_count=1", "?subject.identifier=S-9&_count=1"),
            ("?subject.identifier=S-1&_summary=count", "?subject.identifier=S-9&_summary=count"),
            ("?_id=doc-1", "?_id=doc-9"),
            ("?identifier=1,2", "?identifier=8,9"),
            ("?_id=doc-1&_summary=count", "?_id=doc-9&_summary=count"),
            ("/doc-1", "/doc-9"),
            ("/doc-1/$content", "/doc-9/$content"),
        ] {
            let mut replies = Vec::new();
            for path in [hidden, unknown] {
                let _earlier = registry.world.audit().take_writes();
                let mut reply =
                    fetch(&registry, caller, &format!("/DocumentReference{path}")).await;
                // The link `self` repeats the parameters.
                if let Some(links) = reply.body["link"].as_array_mut() {
                    links.retain(|link| link["relation"] != "self");
                }
                let writes = registry.world.audit().take_writes();
                replies.push((reply, registry.take_calls(), writes));
            }
            assert_eq!(replies[0], replies[1], "{hidden} of caller {index}");
        }
    }
}

#[tokio::test]
async fn caller_without_coverage_reads_no_documents_of_a_subject() {
    let registry = registry();
    for parameters in ["subject.identifier=S-1", "subject.identifier=S-1&_summary=count"] {
        let bundle = search(&registry, &ada([of_subject("S-2")]), parameters).await;
        assert_eq!(bundle["total"], 0);
        assert_eq!(registry.take_calls(), ["grants"]);
    }
    search(&registry, &ada([of_subject("S-1")]), "subject.identifier=S-1").await;
    assert_eq!(registry.take_calls(), ["grants", "page"]);
    search(&registry, &service(), "subject.identifier=S-1").await;
    assert_eq!(registry.take_calls(), ["page"]);
}

#[tokio::test]
async fn withdrawn_document_is_hidden_from_everybody() {
    let registry = registry();
    let now = docferry_app::ports::Clock::now(&registry.world);
    let key = docferry_domain::document::DocumentKey::Id("doc-1".parse().unwrap());
    registry.world.registry().withdraw(&key, now).await.unwrap();
    assert_eq!(found(&registry, &service()).await, ["doc-2"]);
}

#[tokio::test]
async fn caller_needs_the_read_scope_except_for_the_capabilities() {
    let registry = registry();
    let paths = [
        "/DocumentReference?subject.identifier=S-1",
        "/DocumentReference/doc-1",
        "/DocumentReference/doc-1/$content",
    ];
    for path in paths {
        let reply = fetch(&registry, &caller("sub:ada", Scope::Write.into()), path).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(reply.body["issue"][0]["code"], "forbidden");
        let mut request = get(&ada([]), path);
        request.extensions_mut().clear();
        let (response, body) = send(routes(&registry), request).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(body["issue"][0]["code"], "login");
        assert!(response.headers().contains_key("www-authenticate"));
    }
    assert!(registry.take_calls().is_empty());
    let mut request = get(&ada([]), "/metadata");
    request.extensions_mut().clear();
    let (response, body) = send(routes(&registry), request).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(body["resourceType"], "CapabilityStatement");
}

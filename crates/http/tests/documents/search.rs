//! Results and paging of searches.

use std::collections::BTreeSet;

use docferry_contract::scope::Scope;
use docferry_domain::document::DocumentRecord;
use docferry_http::Principal;
use docferry_testkit::World;
use docferry_testkit::builders::subject;
use http::StatusCode;
use jiff::SignedDuration;

use crate::common::caller;
use crate::support::{
    CountingRegistry, ada, document, fetch, ids, next, of_group, of_subject, search, service,
};

/// A document of `S-1`, indexed `second` seconds after the others.
fn indexed_at(number: u64, second: i64) -> DocumentRecord {
    let record = document(number);
    let indexed = record.indexed + SignedDuration::from_secs(second);
    DocumentRecord { indexed, ..record }
}

/// A registry with `count` documents of `S-1`, of which each second one has the group `criminal`.
fn registry_with(count: u64) -> CountingRegistry {
    let world = World::default();
    for number in 0..count {
        let groups = if number % 2 == 0 { vec!["criminal".parse().unwrap()] } else { Vec::new() };
        let record = indexed_at(number, i64::try_from(number / 3).unwrap());
        world.registry().insert(DocumentRecord { groups, ..record });
    }
    CountingRegistry::new(&world)
}

/// Reads all pages, and adds three documents after each of them: before all others, among them, and
/// after all others.
async fn pages(registry: &CountingRegistry, caller: &Principal, parameters: &str) -> Vec<String> {
    let (mut found, mut added) = (Vec::new(), 0);
    let mut parameters = parameters.to_owned();
    loop {
        registry.take_calls();
        let bundle = search(registry, caller, &parameters).await;
        let pages_read = registry.take_calls().iter().filter(|call| **call == "page").count();
        assert_eq!(pages_read, 1, "each page is one read");
        found.extend(ids(&bundle));
        let Some(link) = next(&bundle) else { return found };
        assert!(bundle.get("total").is_none());
        parameters = link;
        for second in [-60, 20 * i64::try_from(added).unwrap(), 1_000_000] {
            registry.world.registry().insert(indexed_at(10_000 + added, second));
            added += 1;
        }
    }
}

#[tokio::test]
async fn paging_lists_each_of_a_thousand_documents_once_while_others_are_added() {
    for (caller, step) in
        [(service(), 1), (ada([of_subject("S-1")]), 1), (ada([of_group("criminal")]), 2)]
    {
        for (parameters, originals) in
            [("_count=20", 300), ("_count=50&_sort=date", 1_100), ("_count=100", 1_100)]
        {
            let registry = registry_with(originals);
            let parameters = format!("subject:identifier=S-1&{parameters}");
            let found = pages(&registry, &caller, &parameters).await;
            let unique: BTreeSet<_> = found.iter().cloned().collect();
            assert_eq!(unique.len(), found.len(), "a document is listed twice");
            for number in (0..originals).step_by(step) {
                assert!(unique.contains(&format!("doc-{number}")), "doc-{number} is missing");
            }
        }
    }
}

#[tokio::test]
async fn search_by_key_is_paged_without_duplicates() {
    let registry = registry_with(5);
    let mut parameters = "_id=doc-0,doc-1,doc-2,doc-3,doc-4,doc-9&_count=2&_sort=date".to_owned();
    let mut found = Vec::new();
    loop {
        let bundle = search(&registry, &service(), &parameters).await;
        found.extend(ids(&bundle));
        assert_eq!(registry.take_calls(), ["documents"]);
        match next(&bundle) {
            Some(link) => parameters = link,
            None => break,
        }
    }
    assert_eq!(found, ["doc-0", "doc-1", "doc-2", "doc-3", "doc-4"]);
}

#[tokio::test]
async fn search_by_key_applies_the_other_parameters() {
    let registry = registry_with(3);
    let found = |parameters: &'static str| {
        let registry = registry.clone();
        async move { ids(&search(&registry, &service(), parameters).await) }
    };
    assert_eq!(found("_id=doc-1&subject.identifier=S-1").await, ["doc-1"]);
    assert!(found("_id=doc-1&subject.identifier=S-2").await.is_empty());
    assert!(found("_id=doc-1&date=ge2100").await.is_empty());
    assert!(found("_id=doc-1&identifier=2").await.is_empty());
    assert_eq!(found("_id=doc-1,doc-2&identifier=2").await, ["doc-2"]);
}

#[tokio::test]
async fn page_token_of_another_caller_or_search_is_refused() {
    let registry = registry_with(30);
    let first =
        search(&registry, &ada([of_subject("S-1")]), "subject.identifier=S-1&_count=5").await;
    let link = next(&first).unwrap();
    let bob =
        Principal { claims: [of_subject("S-1")].into(), ..caller("sub:bob", Scope::Read.into()) };
    let other_search = link.replace("_count=5", "_count=6");
    for (caller, parameters) in [(&bob, &link), (&ada([of_subject("S-1")]), &other_search)] {
        let reply = fetch(&registry, caller, &format!("/DocumentReference?{parameters}")).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        assert_eq!(reply.body["issue"][0]["expression"][0], "_page");
    }
}

#[tokio::test]
async fn count_reads_at_most_ten_thousand_documents() {
    let registry = registry_with(2_500);
    let parameters = "subject.identifier=S-1&_summary=count";
    for (caller, total) in [(service(), 2_500), (ada([of_group("criminal")]), 1_250), (ada([]), 0)]
    {
        assert_eq!(search(&registry, &caller, parameters).await["total"], total);
    }
    registry.take_calls();
    for number in 2_500..10_001 {
        registry.world.registry().insert(indexed_at(number, 0));
    }
    let reply = fetch(&registry, &service(), &format!("/DocumentReference?{parameters}")).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert_eq!(reply.body["issue"][0]["code"], "too-costly");
    assert_eq!(registry.take_calls().len(), 10);
}

#[tokio::test]
async fn document_of_another_subject_is_not_listed() {
    let registry = registry_with(1);
    registry.world.registry().insert(DocumentRecord { subject: subject("S-2"), ..document(7) });
    let bundle = search(&registry, &service(), "patient.identifier=S-2").await;
    assert_eq!(ids(&bundle), ["doc-7"]);
    assert_eq!(bundle["total"], 1);
}

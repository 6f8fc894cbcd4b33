//! Paging over a subject while documents are added and withdrawn.

use std::collections::{BTreeMap, BTreeSet};

use docferry_domain::document::{DocumentRecord, Position};
use docferry_fhir::query::Order;
use docferry_fhir::{MAX_LOOKAHEAD, Page, SearchQuery};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use crate::support::{record, search};

/// A subject's view: documents by their sort key.
type View = BTreeMap<String, DocumentRecord>;

/// Reads like a query of the store: within the range, after a position, in order, at most `limit`.
fn read(
    view: &View,
    query: &SearchQuery,
    after: Option<&Position>,
    limit: usize,
) -> (Vec<DocumentRecord>, Option<Position>) {
    let (first, end) = query.sort_key_range();
    let after = after.map(Position::sort_key);
    let is_newest_first = query.order() == Order::NewestFirst;
    let is_in_range = |key: &String| {
        first.as_ref().is_none_or(|first| first <= key)
            && end.as_ref().is_none_or(|end| key < end)
            && after
                .as_ref()
                .is_none_or(|after| if is_newest_first { key < after } else { key > after })
    };
    let mut found: Vec<_> = view
        .iter()
        .filter(|(key, _)| is_in_range(key))
        .map(|(_, document)| document.clone())
        .collect();
    if is_newest_first {
        found.reverse();
    }
    // DynamoDB names a last key whenever the limit was reached, even at the end.
    let more = (found.len() >= limit).then(|| found[limit - 1].position());
    found.truncate(limit);
    (found, more)
}

fn document(number: usize, second: i64, is_list: bool, is_visible: bool) -> DocumentRecord {
    record(json!({
        "id": format!("d{number}"),
        "indexed": Timestamp::from_second(1_767_225_600 + second).unwrap().to_string(),
        "type": if is_list { "list" } else { "order" },
        "groups": if is_visible { ["mine"] } else { ["others"] },
    }))
}

fn is_visible(document: &DocumentRecord) -> bool {
    document.groups.iter().any(|group| group.as_str() == "mine")
}

/// One document: its time, whether it is a list, and whether the caller may see it.
fn facts() -> impl Strategy<Value = (i64, bool, bool)> {
    (0..60_i64, any::<bool>(), prop::bool::weighted(0.7))
}

proptest! {
    #[test]
    fn paging_loses_and_doubles_no_document(
        before in proptest::collection::vec(facts(), 0..200),
        added in proptest::collection::vec(facts(), 0..60),
        withdrawn in proptest::collection::vec(0..200_usize, 0..30),
        count in 1..20_usize,
        parameters in prop_oneof![
            Just(""), Just("type=list"), Just("date=lt2026-01-01T00:00:30"),
            Just("date=ge2026-01-01T00:00:10&type=order"),
        ],
        sort in prop_oneof![Just("date"), Just("-date")],
        cut in prop_oneof![Just(usize::MAX), 1..30_usize],
        sees_all in any::<bool>(),
    ) {
        let query = search(&format!("{parameters}&_count={count}&_sort={sort}"));
        let is_shown = |document: &DocumentRecord| sees_all || is_visible(document);
        let numbered = before.iter().enumerate();
        let documents = numbered.map(|(n, (second, list, visible))| document(n, *second, *list, *visible));
        let mut view: View = documents.map(|d| (d.position().sort_key(), d)).collect();
        let at_start = view.clone();
        let mut added = added.iter().enumerate();
        let mut withdrawn = withdrawn.iter();
        let mut listed = Vec::new();
        let mut gone = BTreeSet::new();
        let mut after = None;
        let mut pages = 0;
        loop {
            // A query may also end early, at 1 MB.
            let limit = Page::read_limit(&query, sees_all);
            prop_assert!(limit <= count + MAX_LOOKAHEAD);
            let (found, more) = read(&view, &query, after.as_ref(), limit.min(cut));
            let page = Page::select(&query, found, more, is_shown);
            prop_assert!(page.documents.len() <= count);
            listed.extend(page.documents);
            pages += 1;
            prop_assert!(pages < 1_000);
            let Some(next) = page.next else { break };
            after = Some(next);
            if let Some((n, (second, list, visible))) = added.next() {
                let new = document(1_000 + n, *second, *list, *visible);
                view.insert(new.position().sort_key(), new);
            }
            if let Some(n) = withdrawn.next() {
                view.retain(|_, document| document.id.as_str() != format!("d{n}"));
                gone.insert(format!("d{n}"));
            }
        }
        let ids: Vec<_> = listed.iter().map(|document| document.id.to_string()).collect();
        let unique: BTreeSet<_> = ids.iter().collect();
        prop_assert_eq!(unique.len(), ids.len(), "a document is listed twice");
        prop_assert!(listed.iter().all(|document| query.matches(document) && is_shown(document)));
        let mut sorted = listed.clone();
        sorted.sort_by_key(DocumentRecord::position);
        if query.order() == Order::NewestFirst {
            sorted.reverse();
        }
        prop_assert_eq!(&sorted, &listed);
        for document in at_start.values().filter(|d| query.matches(d) && is_shown(d)) {
            let id = document.id.to_string();
            prop_assert!(gone.contains(&id) || unique.contains(&id), "{id} is missing");
        }
    }
}

#[test]
fn one_document_beyond_a_plain_page_is_read() {
    let limit = |parameters: &str, sees_all| Page::read_limit(&search(parameters), sees_all);
    assert_eq!(limit("_count=10", true), 11);
    assert_eq!(limit("_count=10&date=ge2026", true), 11);
    for (parameters, sees_all) in
        [("", false), ("type=a", true), ("date=2025,2026", true), ("doc-status=preliminary", true)]
    {
        assert_eq!(limit(&format!("_count=10&{parameters}"), sees_all), 70, "{parameters}");
    }
}

#[test]
fn last_page_has_no_next() {
    let query = search("_count=2");
    let documents: Vec<_> = (0..3).map(|n| document(n, 0, true, true)).collect();
    let all = Page::select(&query, documents[..2].to_vec(), None, |_| true);
    assert_eq!((all.documents.len(), all.next), (2, None));
    let first = Page::select(&query, documents.clone(), None, |_| true);
    assert_eq!((first.documents.len(), first.next), (2, Some(documents[1].position())));
    let hidden = Page::select(&query, documents.clone(), Some(documents[2].position()), |_| false);
    assert_eq!((hidden.documents.len(), hidden.next), (0, Some(documents[2].position())));
}

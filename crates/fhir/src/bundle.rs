//! `Bundle` of type `searchset`: FHIR's format for the response to a search.

use docferry_domain::document::DocumentRecord;
use serde::Serialize;

use crate::parameter::PAGE;
use crate::{BaseUrl, DocumentReference, SearchQuery, form};

/// Body of the response to a search.
#[derive(Serialize)]
#[serde(tag = "resourceType")]
pub struct Bundle {
    #[serde(rename = "type")]
    kind: &'static str,
    /// Number of all matching documents, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    link: Vec<Link>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entry: Vec<Entry>,
}

#[derive(Serialize)]
struct Link {
    relation: &'static str,
    url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    full_url: String,
    resource: DocumentReference,
    search: EntrySearch,
}

#[derive(Serialize)]
struct EntrySearch {
    mode: &'static str,
}

impl Bundle {
    /// Creates the response with a page of documents. `next` is the token of the next page. The
    /// total is known only when the first page is also the last one.
    #[must_use]
    pub fn page(
        base: &BaseUrl,
        query: &SearchQuery,
        documents: &[DocumentRecord],
        next: Option<&str>,
    ) -> Self {
        let entry = |record: &DocumentRecord| Entry {
            full_url: base.document(&record.id),
            resource: DocumentReference::new(base, record),
            search: EntrySearch { mode: "match" },
        };
        let is_all = next.is_none() && query.page_token().is_none();
        let next = next.map(|token| link(base, query, "next", Some(token)));
        Self {
            kind: "searchset",
            total: u64::try_from(documents.len()).ok().filter(|_| is_all),
            link: [link(base, query, "self", query.page_token())].into_iter().chain(next).collect(),
            entry: documents.iter().map(entry).collect(),
        }
    }

    /// Creates the response with the number of matching documents.
    #[must_use]
    pub fn count(base: &BaseUrl, query: &SearchQuery, total: u64) -> Self {
        let link = vec![link(base, query, "self", None)];
        Self { kind: "searchset", total: Some(total), link, entry: Vec::new() }
    }
}

/// Returns a link that repeats the search. The link contains only the parameters that were not
/// ignored, so that a client can see which parameters were ignored.
fn link(base: &BaseUrl, query: &SearchQuery, relation: &'static str, token: Option<&str>) -> Link {
    let parameters = query.understood().chain(token.map(|token| (PAGE, token)));
    Link { relation, url: format!("{}?{}", base.documents(), form::encode(parameters)) }
}

//! `GET /DocumentReference` and `POST /DocumentReference/_search`: the search for documents.
//!
//! A search names a *subject* (a court file or patient) or the *keys* of documents (ids, numbers or
//! GUIDs). A caller may see a document that a *claim* (a value in the token) or a *grant* (a stored
//! right) covers. A search has these steps:
//!
//! 1. Read the grants of the caller.
//! 2. If neither claims nor grants cover any document of the subject, return an empty result. A
//!    subject that does not exist has the same result.
//! 3. Read one page of documents, and select those that match and that the caller may see.
//! 4. Record the viewed list and the denials in the audit trail.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use docferry_app::audit::{AuditedRequest, denied_document, denied_subject};
use docferry_app::document::DocumentCaller;
use docferry_app::ports::{
    AuditLog as _, Clock as _, Registry, RegistryPage, RegistryRange, SearchAdapters,
};
use docferry_domain::document::{
    DocumentKey, DocumentRecord, Grant, Position, Subject, SubjectAccess,
};
use docferry_fhir::query::{Order, Summary};
use docferry_fhir::{Bundle, IssueCode, OperationOutcome, Page, PageTokens, SearchQuery};
use http::HeaderMap;
use jiff::Timestamp;

use super::api::SearchApi;
use super::failure::{Failure, resource};
use super::parameters::{form, handling, query_string};
use crate::audit::{Audited, record_denial};
use crate::middleware::{Principal, Reader};

/// Maximum number of documents that one read returns for a count.
const COUNT_PAGE_SIZE: usize = 1_000;
/// Maximum number of documents that are read for a count.
const MAX_COUNTED: usize = 10_000;

/// Searches with the parameters of the query string.
pub(super) async fn by_query_string<P: SearchAdapters>(
    State(api): State<Arc<SearchApi<P>>>,
    Reader(caller): Reader,
    Audited(audited): Audited,
    request: Request,
) -> Result<Response, Failure> {
    let parameters = query_string(&request);
    respond(&api, &caller, &audited, request.headers(), &parameters).await
}

/// Searches with the parameters of a form body and of the query string.
pub(super) async fn by_form<P: SearchAdapters>(
    State(api): State<Arc<SearchApi<P>>>,
    Reader(caller): Reader,
    Audited(audited): Audited,
    request: Request,
) -> Result<Response, Failure> {
    let headers = request.headers().clone();
    respond(&api, &caller, &audited, &headers, &form(request).await?).await
}

/// Carries out a search, records it in the audit trail, and returns the response.
async fn respond<P: SearchAdapters>(
    api: &SearchApi<P>,
    caller: &Principal,
    audited: &AuditedRequest,
    headers: &HeaderMap,
    parameters: &str,
) -> Result<Response, Failure> {
    let base = api.public_url.of(headers)?;
    let query = SearchQuery::parse(parameters, &api.subjects, handling(headers))?;
    let tokens = PageTokens::new(&api.page_key, &caller.id, &query);
    let after = query.page_token().map(|token| tokens.read(token)).transpose()?;
    let now = api.transfers.clock.now();
    let is_first_page = after.is_none();
    let search =
        Search { registry: &api.registry, caller: caller.document_caller(), query: &query, now };
    let (bundle, denied) = match query.summary() {
        Summary::Count => {
            let SearchResult { result: total, denied } = search.count().await?;
            if denied.is_empty() || total > 0 {
                api.audit.record(&[audited.list_counted(query.subject(), total, now)]).await?;
            }
            (Bundle::count(&base, &query, total), denied)
        }
        Summary::Documents => {
            let SearchResult { result: page, denied } = search.page(after).await?;
            let documents: Vec<_> = page.documents.iter().collect();
            // An empty list counts as viewed too, unless the subject was denied.
            let subject = query.subject().filter(|_| denied.is_empty());
            api.audit.record(&audited.list_viewed(subject, &documents, now)).await?;
            let next = page.next.map(|position| tokens.write(&position));
            (Bundle::page(&base, &query, &page.documents, next.as_deref()), denied)
        }
    };
    // All pages of a search by keys have the same keys, so only the first page records their
    // denial.
    if is_first_page || query.keys().is_none() {
        record_denial(&api.audit, caller, audited, denied, now).await?;
    }
    Ok(resource(&bundle))
}

/// Result of a search.
struct SearchResult<T> {
    /// A page of documents, or their number.
    result: T,
    /// Denied documents or subject of the search, as texts for the audit trail. They are unknown,
    /// or hidden from the caller.
    denied: Vec<String>,
}

/// Documents that a search by keys has found.
struct DocumentsByKey {
    /// Grants of the caller.
    grants: Vec<Grant>,
    /// The documents in the order of the search. The list may contain documents that do not match,
    /// or that are hidden from the caller.
    documents: Vec<DocumentRecord>,
    /// Denied keys, as texts for the audit trail. Their documents are unknown, or hidden from the
    /// caller.
    denied: Vec<String>,
}

/// Access of the caller to the subject of a search.
struct GrantedAccess<'a> {
    /// Grants of the caller.
    grants: Vec<Grant>,
    /// The subject, and which of its documents the caller may see. `None` if the caller may see
    /// none of them, or if the search has no subject.
    visible_subject: Option<(&'a Subject, SubjectAccess)>,
}

/// A search of one caller.
struct Search<'a, R> {
    registry: &'a R,
    caller: DocumentCaller,
    query: &'a SearchQuery,
    now: Timestamp,
}

impl<R: Registry> Search<'_, R> {
    /// Returns the page that begins after a position.
    async fn page(&self, after: Option<Position>) -> Result<SearchResult<Page>, Failure> {
        if let Some(keys) = self.query.keys() {
            let DocumentsByKey { grants, mut documents, denied } =
                self.documents_by_key(keys).await?;
            documents.retain(|document| self.is_after(document, after.as_ref()));
            let candidates = RegistryPage { documents, more_after: None };
            return Ok(SearchResult { result: self.select(&grants, candidates), denied });
        }
        let GrantedAccess { grants, visible_subject } = self.access().await?;
        let Some((subject, access)) = visible_subject else {
            let empty = Page { documents: Vec::new(), next: None };
            return Ok(SearchResult { result: empty, denied: self.denied_subject() });
        };
        let limit = Page::read_limit(self.query, access == SubjectAccess::All);
        let candidates = self.registry.page(subject, &self.registry_range(after, limit)).await?;
        Ok(SearchResult { result: self.select(&grants, candidates), denied: Vec::new() })
    }

    /// Returns the subject of the search as text for the audit trail, if the search has a subject.
    fn denied_subject(&self) -> Vec<String> {
        self.query.subject().map(denied_subject).into_iter().collect()
    }

    /// Returns the number of all matching documents.
    async fn count(&self) -> Result<SearchResult<u64>, Failure> {
        let count_matching = |grants: &[Grant], documents: &[DocumentRecord]| {
            let is_match = |document: &&DocumentRecord| {
                self.query.matches(document) && self.may_see(document, grants)
            };
            documents.iter().filter(is_match).count() as u64
        };
        if let Some(keys) = self.query.keys() {
            let DocumentsByKey { grants, documents, denied } = self.documents_by_key(keys).await?;
            return Ok(SearchResult { result: count_matching(&grants, &documents), denied });
        }
        let GrantedAccess { grants, visible_subject } = self.access().await?;
        let Some((subject, _)) = visible_subject else {
            return Ok(SearchResult { result: 0, denied: self.denied_subject() });
        };
        let mut total = 0;
        let mut read_count = 0;
        let mut after = None;
        loop {
            let range = self.registry_range(after, COUNT_PAGE_SIZE);
            let candidates = self.registry.page(subject, &range).await?;
            total += count_matching(&grants, &candidates.documents);
            read_count += candidates.documents.len();
            if candidates.more_after.is_none() {
                return Ok(SearchResult { result: total, denied: Vec::new() });
            }
            if read_count >= MAX_COUNTED {
                let problem = "more than 10000 documents would have to be read; narrow the search \
                               by date";
                let code = IssueCode::TooCostly;
                return Err(OperationOutcome::of_parameter("_summary", code, problem).into());
            }
            after = candidates.more_after;
        }
    }

    /// Reads the documents with these keys.
    async fn documents_by_key(&self, keys: &[DocumentKey]) -> Result<DocumentsByKey, Failure> {
        let grants = self.caller.grants(self.registry);
        let (grants, by_key) = futures::try_join!(grants, self.registry.documents(keys))?;
        let is_denied = |key: &&DocumentKey| {
            by_key.get(key).is_none_or(|document| !self.may_see(document, &grants))
        };
        let denied = keys.iter().filter(is_denied).map(denied_document).collect();
        // Several keys may name the same document. The map by position contains it only once.
        let by_position: BTreeMap<_, _> =
            by_key.into_values().map(|document| (document.position(), document)).collect();
        let mut documents: Vec<_> = by_position.into_values().collect();
        if self.query.order() == Order::NewestFirst {
            documents.reverse();
        }
        Ok(DocumentsByKey { grants, documents, denied })
    }

    /// Reads the grants of the caller and checks whether the caller may see documents of the
    /// subject.
    async fn access(&self) -> Result<GrantedAccess<'_>, Failure> {
        let grants = self.caller.grants(self.registry).await?;
        let visible_subject = self.query.subject().and_then(|subject| {
            match self.caller.viewer.subject_access(subject, &grants, self.now) {
                SubjectAccess::None => None,
                access => Some((subject, access)),
            }
        });
        Ok(GrantedAccess { grants, visible_subject })
    }

    /// Selects the documents of the page that match and that the caller may see.
    fn select(&self, grants: &[Grant], candidates: RegistryPage) -> Page {
        let RegistryPage { documents, more_after } = candidates;
        Page::select(self.query, documents, more_after, |document| self.may_see(document, grants))
    }

    fn may_see(&self, document: &DocumentRecord, grants: &[Grant]) -> bool {
        self.caller.viewer.may_see(document, grants, self.now)
    }

    /// Returns the range of documents to read from the registry: `limit` documents after a
    /// position.
    fn registry_range(&self, after: Option<Position>, limit: usize) -> RegistryRange {
        let (start, end) = self.query.sort_key_range();
        let newest_first = self.query.order() == Order::NewestFirst;
        RegistryRange { sort_keys: start..end, after, newest_first, limit }
    }

    /// Returns whether a document comes after a position, in the order of the search.
    fn is_after(&self, document: &DocumentRecord, after: Option<&Position>) -> bool {
        after.is_none_or(|after| match self.query.order() {
            Order::NewestFirst => document.position() < *after,
            Order::OldestFirst => document.position() > *after,
        })
    }
}

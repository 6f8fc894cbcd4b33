//! `GET /DocumentReference` and `POST /DocumentReference/_search`.
//!
//! A search costs the grants of the caller and one read of documents, whether or not the subject
//! exists. A caller whose claims and grants cover no document of the subject gets an empty result
//! without that read.

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

/// Number of documents that one read for a count returns at most.
const COUNT_PAGE: usize = 1_000;
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
    respond(&api, (&caller, &audited), request.headers(), &parameters).await
}

/// Searches with the parameters of a form body and of the query string.
pub(super) async fn by_form<P: SearchAdapters>(
    State(api): State<Arc<SearchApi<P>>>,
    Reader(caller): Reader,
    Audited(audited): Audited,
    request: Request,
) -> Result<Response, Failure> {
    let headers = request.headers().clone();
    respond(&api, (&caller, &audited), &headers, &form(request).await?).await
}

async fn respond<P: SearchAdapters>(
    api: &SearchApi<P>,
    (caller, audited): (&Principal, &AuditedRequest),
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
            let Found { result: total, denied } = search.count().await?;
            if denied.is_empty() || total > 0 {
                api.audit.record(&[audited.list_counted(query.subject(), total, now)]).await?;
            }
            (Bundle::count(&base, &query, total), denied)
        }
        Summary::Documents => {
            let Found { result: page, denied } = search.page(after).await?;
            let documents: Vec<_> = page.documents.iter().collect();
            // An empty list is recorded as viewed, unless it is empty because of the denial.
            let subject = query.subject().filter(|_| denied.is_empty());
            api.audit.record(&audited.list_viewed(subject, &documents, now)).await?;
            let next = page.next.map(|position| tokens.write(&position));
            (Bundle::page(&base, &query, &page.documents, next.as_deref()), denied)
        }
    };
    // Every page of a search by keys names the same keys.
    if is_first_page || query.keys().is_none() {
        record_denial(&api.audit, caller, audited, denied, now).await?;
    }
    Ok(resource(&bundle))
}

/// Result of a search.
struct Found<T> {
    result: T,
    /// Documents or the subject that the search named, and that are unknown or hidden from the
    /// caller, as text.
    denied: Vec<String>,
}

/// Documents that a search names by their keys.
struct Named {
    /// Grants of the caller.
    grants: Vec<Grant>,
    /// The documents in the order of the search, without the check whether they match.
    documents: Vec<DocumentRecord>,
    /// Keys of documents that are unknown or hidden from the caller, as text.
    denied: Vec<String>,
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
    async fn page(&self, after: Option<Position>) -> Result<Found<Page>, Failure> {
        if let Some(keys) = self.query.keys() {
            let Named { grants, mut documents, denied } = self.named(keys).await?;
            documents.retain(|document| self.is_after(document, after.as_ref()));
            let read = RegistryPage { documents, more_after: None };
            return Ok(Found { result: self.select(&grants, read), denied });
        }
        let (grants, access) = self.access().await?;
        let Some((subject, access)) = access else {
            let empty = Page { documents: Vec::new(), next: None };
            return Ok(Found { result: empty, denied: self.denied_subject() });
        };
        let limit = Page::read_limit(self.query, access == SubjectAccess::All);
        let read = self.registry.page(subject, &self.range(after, limit)).await?;
        Ok(Found { result: self.select(&grants, read), denied: Vec::new() })
    }

    fn denied_subject(&self) -> Vec<String> {
        self.query.subject().map(denied_subject).into_iter().collect()
    }

    /// Returns the number of all matching documents.
    async fn count(&self) -> Result<Found<u64>, Failure> {
        let matching = |grants: &[Grant], documents: &[DocumentRecord]| {
            let is_match = |document: &&DocumentRecord| {
                self.query.matches(document) && self.may_see(document, grants)
            };
            documents.iter().filter(is_match).count() as u64
        };
        if let Some(keys) = self.query.keys() {
            let Named { grants, documents, denied } = self.named(keys).await?;
            return Ok(Found { result: matching(&grants, &documents), denied });
        }
        let (grants, access) = self.access().await?;
        let Some((subject, _)) = access else {
            return Ok(Found { result: 0, denied: self.denied_subject() });
        };
        let (mut total, mut counted, mut after) = (0, 0, None);
        loop {
            let read = self.registry.page(subject, &self.range(after, COUNT_PAGE)).await?;
            total += matching(&grants, &read.documents);
            counted += read.documents.len();
            if read.more_after.is_none() {
                return Ok(Found { result: total, denied: Vec::new() });
            }
            if counted >= MAX_COUNTED {
                let problem = "more than 10000 documents would have to be read; narrow the search \
                               by date";
                let code = IssueCode::TooCostly;
                return Err(OperationOutcome::of_parameter("_summary", code, problem).into());
            }
            after = read.more_after;
        }
    }

    /// Reads the documents with these keys.
    async fn named(&self, keys: &[DocumentKey]) -> Result<Named, Failure> {
        let grants = self.caller.grants(self.registry);
        let (grants, found) = futures::try_join!(grants, self.registry.documents(keys))?;
        let is_denied = |key: &&DocumentKey| {
            found.get(key).is_none_or(|document| !self.may_see(document, &grants))
        };
        let denied = keys.iter().filter(is_denied).map(denied_document).collect();
        // Several keys may name one document.
        let found: BTreeMap<_, _> =
            found.into_values().map(|document| (document.position(), document)).collect();
        let mut documents: Vec<_> = found.into_values().collect();
        if self.query.order() == Order::NewestFirst {
            documents.reverse();
        }
        Ok(Named { grants, documents, denied })
    }

    /// Returns the grants of the caller, and the subject if they or claims cover documents of it.
    async fn access(&self) -> Result<(Vec<Grant>, Option<(&Subject, SubjectAccess)>), Failure> {
        let grants = self.caller.grants(self.registry).await?;
        let covered = self.query.subject().and_then(|subject| {
            match self.caller.viewer.subject_access(subject, &grants, self.now) {
                SubjectAccess::None => None,
                access => Some((subject, access)),
            }
        });
        Ok((grants, covered))
    }

    fn select(&self, grants: &[Grant], read: RegistryPage) -> Page {
        let RegistryPage { documents, more_after } = read;
        Page::select(self.query, documents, more_after, |document| self.may_see(document, grants))
    }

    fn may_see(&self, document: &DocumentRecord, grants: &[Grant]) -> bool {
        self.caller.viewer.may_see(document, grants, self.now)
    }

    fn range(&self, after: Option<Position>, limit: usize) -> RegistryRange {
        let (start, end) = self.query.sort_key_range();
        let newest_first = self.query.order() == Order::NewestFirst;
        RegistryRange { sort_keys: start..end, after, newest_first, limit }
    }

    fn is_after(&self, document: &DocumentRecord, after: Option<&Position>) -> bool {
        after.is_none_or(|after| match self.query.order() {
            Order::NewestFirst => document.position() < *after,
            Order::OldestFirst => document.position() > *after,
        })
    }
}

//! `GET /DocumentReference/{id}` and `GET /metadata`.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use docferry_app::audit::{AuditedRequest, denied_document};
use docferry_app::document::visible_document;
use docferry_app::ports::{AuditLog as _, Clock as _, SearchAdapters};
use docferry_domain::document::{DocumentKey, DocumentRecord};
use docferry_fhir::{CapabilityStatement, DocumentReference};
use http::HeaderMap;

use super::api::SearchApi;
use super::failure::{Failure, resource};
use crate::audit::{Audited, record_denial};
use crate::middleware::{Principal, Reader};

/// Day on which the capabilities last changed.
const CAPABILITIES_DATE: &str = "2026-11-30";

/// Returns a document that the caller may see.
pub(super) async fn document<P: SearchAdapters>(
    State(api): State<Arc<SearchApi<P>>>,
    Reader(caller): Reader,
    Audited(audited): Audited,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let base = api.public_url.of(&headers)?;
    let Path(id) = id.map_err(|_| Failure::not_found())?;
    let key = DocumentKey::Id(id.parse().map_err(|_| Failure::not_found())?);
    let document = find(&api, &caller, &audited, &key).await?;
    let events = audited.list_viewed(None, &[&document], api.transfers.clock.now());
    api.audit.record(&events).await?;
    Ok(resource(&DocumentReference::new(&base, &document)))
}

/// Returns a document, and records a denial if the caller may not see it.
pub(super) async fn find<P: SearchAdapters>(
    api: &SearchApi<P>,
    caller: &Principal,
    audited: &AuditedRequest,
    key: &DocumentKey,
) -> Result<Box<DocumentRecord>, Failure> {
    let now = api.transfers.clock.now();
    let document = visible_document(&api.registry, &caller.document_caller(), key, now).await?;
    if document.is_none() {
        record_denial(&api.audit, caller, audited, [denied_document(key)], now).await?;
    }
    document.ok_or_else(Failure::not_found)
}

/// Returns the capability statement. Callers need no credentials.
pub(super) async fn metadata<P: SearchAdapters>(
    State(api): State<Arc<SearchApi<P>>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let base = api.public_url.of(&headers)?;
    let version = env!("CARGO_PKG_VERSION");
    Ok(resource(&CapabilityStatement::new(&base, version, CAPABILITIES_DATE)))
}

//! `GET /DocumentReference/{id}/$content`, which returns the content of a document. The first
//! request creates a job that copies the document to the delivery bucket. Later requests find this
//! job.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use docferry_app::job::{ContentJob, ContentRequest, JobRejection, content_job};
use docferry_app::ports::SearchAdapters;
use docferry_contract::download::DocumentsMember;
use docferry_domain::document::{DocumentId, DocumentKey};
use http::{StatusCode, header};

use super::api::SearchApi;
use super::failure::Failure;
use super::read::find;
use crate::audit::Audited;
use crate::download::{content_idempotency_key, rejection_error};
use crate::error::ApiError;
use crate::middleware::Reader;

/// Name of the operation in the path.
const OPERATION: &str = "$content";

/// Responds with the address of a document's download:
///
/// - 302 with the address of the job's result, if the copy is available;
/// - 202 with the address of the job's status, if it is not.
///
/// No response contains a presigned URL.
pub(super) async fn content<P: SearchAdapters>(
    State(api): State<Arc<SearchApi<P>>>,
    Reader(caller): Reader,
    Audited(audited): Audited,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, Failure> {
    let Path((id, operation)) = path.map_err(|_| Failure::not_found())?;
    let id: DocumentId = id.parse().map_err(|_| Failure::not_found())?;
    if operation != OPERATION {
        return Err(Failure::not_found());
    }
    let key = content_idempotency_key(&caller.id, id.as_str());
    let document = DocumentKey::Id(id);
    // Fail if the caller may no longer see the document, even if there is a job.
    find(&api, &caller, &audited, &document).await?;
    let (requester, person) = (caller.document_caller(), caller.slot_person());
    let origin = Some(audited.origin);
    let request = ContentRequest { owner: caller.id, origin, person, requester, document, key };
    let scheduler = api.transfers.scheduler();
    let job = content_job(&scheduler, &api.registry, api.settings, api.new_work(), request).await;
    let job = job.map_err(|reason| match reason {
        JobRejection::Unknown(_) => ApiError::NotFound,
        reason => rejection_error(reason, DocumentsMember::FileId),
    })?;
    // The locations are relative to the request, so they are correct both below the stage path of API
    // Gateway and on a custom domain.
    Ok(match job.ok_or(ApiError::Draining)? {
        ContentJob::Ready(id) => {
            let location = format!("../../v1/download/{id}");
            (StatusCode::FOUND, [(header::LOCATION, location)]).into_response()
        }
        ContentJob::Pending(id) => {
            tracing::info!(job.id = id.as_str(), "content requested");
            let location = format!("../../v1/download/status/{id}");
            let headers = [(header::LOCATION, location), (header::RETRY_AFTER, "1".to_owned())];
            (StatusCode::ACCEPTED, headers).into_response()
        }
    })
}

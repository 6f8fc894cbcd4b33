//! `GET /v1/download/status/{jobId}`, which returns the status of a job, and
//! `POST /v1/download/check`, which reports whether a document exists.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use docferry_app::audit::denied_document;
use docferry_app::document::visible_document;
use docferry_app::ports::{AuditLog as _, Clock as _, ReadAdapters};
use docferry_contract::download::parse_file;
use docferry_contract::job::{FileAvailability, JobStatus};
use docferry_contract::problem::FieldError;
use docferry_domain::document::DocumentKey;
use docferry_domain::job::JobState;
use serde::Deserialize;

use super::initiate::FileRange;
use super::job_response::ProgressLevel;
use super::list::list;
use super::shared::{JobApi, find_job, presigned_url, status_response};
use crate::audit::{Audited, record_denial};
use crate::body;
use crate::error::ApiError;
use crate::middleware::Reader;

/// Routes of `GET /v1/download/status/{jobId}`, `…/history` and `…/jobs`, and `POST …/check`.
pub(crate) fn job_routes<P: ReadAdapters>(api: Arc<JobApi<P>>, range: FileRange) -> Router {
    Router::new()
        .route("/v1/download/status/{jobId}", get(status::<P>))
        .route("/v1/download/history", get(list::<P>))
        .route("/v1/download/jobs", get(list::<P>))
        .with_state(Arc::clone(&api))
        .merge(Router::new().route("/v1/download/check", post(check::<P>)).with_state((api, range)))
}

/// Query parameters of the status call.
#[derive(Debug, Deserialize)]
struct StatusQuery {
    #[serde(default)]
    progress: ProgressLevel,
}

/// Returns the status of a job.
async fn status<P: ReadAdapters>(
    State(api): State<Arc<JobApi<P>>>,
    Reader(caller): Reader,
    Audited(audited): Audited,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<StatusQuery>, QueryRejection>,
) -> Result<Json<JobStatus>, ApiError> {
    let (id, job) = find_job(&api, &caller, id).await?;
    let Query(StatusQuery { progress }) = query.map_err(|_| {
        let detail = "progress must be detail or absent".to_owned();
        ApiError::Invalid(vec![FieldError { pointer: String::new(), detail }])
    })?;
    let url = match job.state(api.clock.now()) {
        JobState::Completed => presigned_url(&api, &caller, &audited, &id, &job).await?,
        _ => None,
    };
    Ok(status_response(&api, &id, &job, progress, url.as_ref()))
}

/// Returns whether the document with the number exists, with its name and size. A document that the
/// caller may not see is reported as missing.
async fn check<P: ReadAdapters>(
    State((api, range)): State<(Arc<JobApi<P>>, FileRange)>,
    Reader(caller): Reader,
    Audited(audited): Audited,
    request: Request,
) -> Result<Json<FileAvailability>, ApiError> {
    let body = body::json(request).await?;
    let file_id = parse_file(&body, &range).map_err(ApiError::Invalid)?;
    let (key, now) = (DocumentKey::File(file_id), api.clock.now());
    let found = visible_document(&api.registry, &caller.document_caller(), &key, now).await?;
    match &found {
        Some(document) => api.audit.record(&audited.list_viewed(None, &[document], now)).await?,
        None => {
            let requested = [denied_document(&key)];
            record_denial(&api.audit, &caller, &audited, requested, now).await?;
        }
    }
    let available = found.is_some();
    let (file_name, size) =
        found.map(|document| (String::from(document.file_name), document.size)).unzip();
    Ok(Json(FileAvailability { file_id, available, file_name, size }))
}

//! `GET /v1/download/status/{jobId}`, which returns the status of a job, and
//! `POST /v1/download/check`, which tells whether a document exists.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use docferry_app::ports::{BatchStore, Clock, DocumentIndex, History, Presigner, TransferStore};
use docferry_contract::download::parse_file;
use docferry_contract::job::{FileAvailability, JobStatus};
use docferry_contract::problem::FieldError;
use docferry_domain::job::JobState;
use serde::Deserialize;

use super::initiate::FileRange;
use super::list::list;
use super::shared::{JobApi, Progress, find_job, presigned_url, status_response};
use crate::body;
use crate::error::ApiError;
use crate::middleware::Reader;

/// Routes of `GET /v1/download/status/{jobId}`, `…/history` and `…/jobs`, and `POST …/check`.
pub(crate) fn job_routes<S, C, P, I>(
    api: Arc<JobApi<S, C, P>>,
    index: I,
    range: FileRange,
) -> Router
where
    S: TransferStore + BatchStore + History + 'static,
    C: Clock + 'static,
    P: Presigner + 'static,
    I: DocumentIndex + 'static,
{
    Router::new()
        .route("/v1/download/status/{jobId}", get(status::<S, C, P>))
        .route("/v1/download/history", get(list::<S, C, P>))
        .route("/v1/download/jobs", get(list::<S, C, P>))
        .with_state(api)
        .merge(
            Router::new()
                .route("/v1/download/check", post(check::<I>))
                .with_state(Arc::new((index, range))),
        )
}

/// Query parameters of the status call.
#[derive(Debug, Deserialize)]
struct StatusQuery {
    #[serde(default)]
    progress: Progress,
}

/// Returns the status of a job.
async fn status<S, C, P>(
    State(api): State<Arc<JobApi<S, C, P>>>,
    Reader(owner): Reader,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<StatusQuery>, QueryRejection>,
) -> Result<Json<JobStatus>, ApiError>
where
    S: TransferStore + BatchStore,
    C: Clock,
    P: Presigner,
{
    let (id, job) = find_job(&api, &owner, id).await?;
    let Query(StatusQuery { progress }) = query.map_err(|_| {
        let detail = "progress must be detail or absent".to_owned();
        ApiError::Invalid(vec![FieldError { pointer: String::new(), detail }])
    })?;
    let url = match job.state(api.clock.now()) {
        JobState::Completed => presigned_url(&api, &job).await?,
        _ => None,
    };
    Ok(status_response(&api, &id, &job, progress, url.as_ref()))
}

/// Returns whether a document with the number exists, and its name and size if they are known.
async fn check<I: DocumentIndex>(
    State(state): State<Arc<(I, FileRange)>>,
    _: Reader,
    request: Request,
) -> Result<Json<FileAvailability>, ApiError> {
    let (index, range) = &*state;
    let body = body::json(request).await?;
    let file_id = parse_file(&body, range).map_err(ApiError::Invalid)?;
    let found = index.look_up(&[file_id]).await?.remove(&file_id);
    let available = found.is_some();
    let (file_name, size) = found.map(|document| (document.name, document.size)).unzip();
    let (file_name, size) = (file_name.flatten(), size.flatten());
    Ok(Json(FileAvailability { file_id, available, file_name, size }))
}

//! Router of the calls that read: the status of transfers and jobs, lists of jobs, and the health
//! of the service.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use docferry_app::ports::ReadAdapters;
use docferry_app::transfer::get::transfer_of;
use docferry_contract::scv::TransferStatus;

use crate::download::{FileRange, JobApi, job_routes};
use crate::error::ApiError;
use crate::health::health_routes;
use crate::job_id::parse_id;
use crate::middleware::{Service, with_common_parts};

/// Router of `GET /document/status/{transferId}`, `GET /health`, and below `/v1/download`:
/// `GET …/status/{jobId}`, `GET …/history`, `GET …/jobs` and `POST …/check`.
pub fn status_router<P: ReadAdapters>(api: JobApi<P>, range: FileRange) -> Router {
    let api = Arc::new(api);
    let routes = Router::new()
        .route("/document/status/{transferId}", get(status::<P>))
        .with_state(Arc::clone(&api))
        .merge(health_routes(Arc::clone(&api)))
        .merge(job_routes(api, range));
    with_common_parts(routes)
}

async fn status<P: ReadAdapters>(
    State(api): State<Arc<JobApi<P>>>,
    Service(caller): Service,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<TransferStatus>, ApiError> {
    let id = parse_id(id)?;
    let found = transfer_of(&api.store, &api.clock, api.record_ttl, &caller.id, &id).await?;
    let transfer = found.ok_or(ApiError::NotFound)?;
    Ok(Json(TransferStatus::from(&transfer)))
}

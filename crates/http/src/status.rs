//! Router of the calls that read: the status of transfers and jobs, lists of jobs, and the health
//! of the service.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use docferry_app::ports::{
    BatchStore, Clock, DocumentIndex, History, Presigner, StorageProbe, TransferStore,
};
use docferry_app::transfer::get::transfer_of;
use docferry_contract::scv::TransferStatus;
use docferry_domain::ids::TransferId;

use crate::download::{FileRange, JobApi, job_routes};
use crate::error::ApiError;
use crate::health::health_routes;
use crate::middleware::{Service, finish};

/// Router of `GET /document/status/{transferId}`, `GET /health`, and below `/v1/download`:
/// `GET …/status/{jobId}`, `GET …/history`, `GET …/jobs` and `POST …/check`.
pub fn status_router<S, C, P, I>(api: JobApi<S, C, P>, index: I, range: FileRange) -> Router
where
    S: TransferStore + BatchStore + History + 'static,
    C: Clock + 'static,
    P: Presigner + StorageProbe + 'static,
    I: DocumentIndex + 'static,
{
    let api = Arc::new(api);
    let routes = Router::new()
        .route("/document/status/{transferId}", get(status::<S, C, P>))
        .with_state(Arc::clone(&api))
        .merge(health_routes(Arc::clone(&api)))
        .merge(job_routes(api, index, range));
    finish(routes)
}

async fn status<S: TransferStore, C: Clock, P>(
    State(api): State<Arc<JobApi<S, C, P>>>,
    Service(owner): Service,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<TransferStatus>, ApiError> {
    // A malformed id causes the same error as an unknown id.
    let Path(id) = id.map_err(|_| ApiError::NotFound)?;
    let id: TransferId = id.parse().map_err(|_| ApiError::NotFound)?;
    let found = transfer_of(&api.store, &api.clock, api.record_ttl, &owner, &id).await?;
    let transfer = found.ok_or(ApiError::NotFound)?;
    Ok(Json(TransferStatus::from(&transfer)))
}

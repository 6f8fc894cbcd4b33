use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use docferry_app::ports::{Clock, TransferStore};
use docferry_app::query::transfer_of;
use docferry_contract::scv::TransferStatus;
use docferry_domain::TransferId;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;

use crate::middleware::{Service, finish};
use crate::problem::ApiError;

/// What the router of the reads works with.
#[derive(Debug)]
pub struct StatusApi<S, C> {
    /// Records.
    pub store: S,
    /// The time.
    pub clock: C,
    /// How long an ended record is shown.
    pub record_ttl: SignedDuration,
}

/// `GET /document/status/{transferId}` and `GET /health`.
pub fn status_router<S, C>(api: StatusApi<S, C>) -> Router
where
    S: TransferStore + 'static,
    C: Clock + 'static,
{
    let routes = Router::new()
        .route("/document/status/{transferId}", get(status::<S, C>))
        .route("/health", get(health::<S, C>))
        .with_state(Arc::new(api));
    finish(routes)
}

async fn status<S: TransferStore, C: Clock>(
    State(api): State<Arc<StatusApi<S, C>>>,
    Service(owner): Service,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<TransferStatus>, ApiError> {
    // What cannot be an id is an unknown id.
    let Path(id) = id.map_err(|_| ApiError::NotFound)?;
    let id: TransferId = id.parse().map_err(|_| ApiError::NotFound)?;
    let found = transfer_of(&api.store, &api.clock, api.record_ttl, &owner, &id).await?;
    let transfer = found.ok_or(ApiError::NotFound)?;
    Ok(Json(TransferStatus::from(&transfer)))
}

/// Healthy when the state store answers; it alone is needed to answer callers.
async fn health<S, C>(State(api): State<Arc<StatusApi<S, C>>>) -> Response
where
    S: TransferStore,
    C: Clock,
{
    let (code, status, storage) = match api.store.get(&TransferId::from_u128(0)).await {
        Ok(_) => (StatusCode::OK, "healthy", "ok"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy", "failing"),
    };
    (code, Json(json!({ "status": status, "checks": { "storage": storage } }))).into_response()
}

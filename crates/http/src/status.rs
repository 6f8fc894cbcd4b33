use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use docferry_app::ports::TransferStore;
use docferry_app::query::transfer_of;
use docferry_contract::scv::TransferStatus;
use docferry_domain::TransferId;
use http::StatusCode;
use serde_json::json;

use crate::middleware::{Principal, finish};
use crate::problem::ApiError;

/// `GET /document/status/{transferId}` and `GET /health`.
pub fn status_router<S: TransferStore + 'static>(store: S) -> Router {
    let routes = Router::new()
        .route("/document/status/{transferId}", get(status::<S>))
        .route("/health", get(health::<S>))
        .with_state(Arc::new(store));
    finish(routes)
}

async fn status<S: TransferStore>(
    State(store): State<Arc<S>>,
    Principal(owner): Principal,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<TransferStatus>, ApiError> {
    // What cannot be an id is an unknown id.
    let Path(id) = id.map_err(|_| ApiError::NotFound)?;
    let id: TransferId = id.parse().map_err(|_| ApiError::NotFound)?;
    let transfer = transfer_of(&*store, &owner, &id).await?.ok_or(ApiError::NotFound)?;
    Ok(Json(TransferStatus::from(&transfer)))
}

/// Healthy when the state store answers; it alone is needed to answer callers.
async fn health<S: TransferStore>(State(store): State<Arc<S>>) -> Response {
    let (code, status, storage) = match store.get(&TransferId::from_u128(0)).await {
        Ok(_) => (StatusCode::OK, "healthy", "ok"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy", "failing"),
    };
    (code, Json(json!({ "status": status, "checks": { "storage": storage } }))).into_response()
}

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::routing::post;
use axum::{Json, Router};
use docferry_app::control::terminate;
use docferry_app::ports::TransferStore;
use docferry_contract::scv::{TerminateRequest, Terminated};
use http::StatusCode;

use crate::body;
use crate::middleware::{Principal, finish};
use crate::problem::ApiError;

/// `POST /document/terminate`.
pub fn control_router<S: TransferStore + 'static>(store: S) -> Router {
    let routes =
        Router::new().route("/document/terminate", post(stop::<S>)).with_state(Arc::new(store));
    finish(routes)
}

async fn stop<S: TransferStore>(
    State(store): State<Arc<S>>,
    Principal(owner): Principal,
    request: Request,
) -> Result<(StatusCode, Json<Terminated>), ApiError> {
    let body = body::json(request).await?;
    let wanted = TerminateRequest::parse(&body).map_err(ApiError::Invalid)?;
    terminate(&*store, &owner, &wanted.transfer_ids).await?;
    Ok((StatusCode::ACCEPTED, Json(Terminated::default())))
}

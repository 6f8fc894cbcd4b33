use std::sync::Arc;

use axum::extract::{Request, State};
use axum::routing::post;
use axum::{Json, Router};
use docferry_app::control::terminate;
use docferry_app::ports::{Clock, Store, Workflow};
use docferry_contract::scv::{TerminateRequest, Terminated};
use http::StatusCode;

use crate::api::TransferApi;
use crate::body;
use crate::middleware::{Service, finish};
use crate::problem::ApiError;

/// `POST /document/terminate`.
pub fn control_router<S, W, C>(api: TransferApi<S, W, C>) -> Router
where
    S: Store + 'static,
    W: Workflow + 'static,
    C: Clock + 'static,
{
    let routes =
        Router::new().route("/document/terminate", post(stop::<S, W, C>)).with_state(Arc::new(api));
    finish(routes)
}

async fn stop<S, W, C>(
    State(api): State<Arc<TransferApi<S, W, C>>>,
    Service(owner): Service,
    request: Request,
) -> Result<(StatusCode, Json<Terminated>), ApiError>
where
    S: Store,
    W: Workflow,
    C: Clock,
{
    let body = body::json(request).await?;
    let wanted = TerminateRequest::parse(&body).map_err(ApiError::Invalid)?;
    terminate(&api.admitter(), api.record_ttl, &owner, &wanted.transfer_ids).await?;
    Ok((StatusCode::ACCEPTED, Json(Terminated::default())))
}
